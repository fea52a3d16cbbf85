package avro

import (
	"bytes"
	"encoding/binary"

	"github.com/flume-go/flume/event"
)

// originKey names, in the metadata of a call, where its events come from. Apache Flume ignores it.
//
// The value is the session of the sender's log (16 bytes), the number before which nothing comes again,
// and per run of events with consecutive numbers the first number and how many, as unsigned varints.
const originKey = "flume-go.origin"

// maxOrigin is the longest value that is made or taken.
const maxOrigin = 64 << 10

// OriginMeta returns the metadata that says where the events of b come from; nil if they come from no log of this
// agent, or if it takes too many bytes to say.
func OriginMeta(b *event.Batch) Meta {
	o, ok := b.Origin()
	if !ok || !o.Here || b.Len() == 0 {
		return nil
	}
	value := binary.AppendUvarint(append(make([]byte, 0, 64), o.Log[:]...), o.Done)
	first, n := b.At(0).Number, uint64(0)
	for i := range b.Events() {
		if number := b.At(i).Number; number != first+n {
			value = binary.AppendUvarint(binary.AppendUvarint(value, first), n)
			first, n = number, 0
		}
		n++
	}
	if value = binary.AppendUvarint(binary.AppendUvarint(value, first), n); len(value) > maxOrigin {
		return nil
	}
	return Meta{{originKey, value}}
}

// SetOrigin gives the events of b the origin that the metadata names, and reports whether it does. What is not as it should be
// is as good as not there: the events are stored in any case.
func (m Meta) SetOrigin(b *event.Batch) bool {
	value, ok := m.Get(originKey)
	if !ok || len(value) < 16 || len(value) > maxOrigin {
		return false
	}
	var o event.Origin
	copy(o.Log[:], value)
	done, k := binary.Uvarint(value[16:])
	if k <= 0 {
		return false
	}
	o.Done = done
	i := 0
	for value = value[16+k:]; len(value) > 0; {
		first, n1 := binary.Uvarint(value)
		if n1 <= 0 {
			break
		}
		n, n2 := binary.Uvarint(value[n1:])
		if n2 <= 0 || first == 0 || first+n < first || n > uint64(b.Len()-i) {
			break
		}
		for end := first + n; first < end; first++ {
			b.At(i).Number = first
			i++
		}
		value = value[n1+n2:]
	}
	if len(value) > 0 || i < b.Len() {
		for i := range b.Events() {
			b.At(i).Number = 0
		}
		return false
	}
	b.SetOrigin(o)
	return true
}

// sameOrigin reports whether addOrigin can add the origin of events that come with o: both come from the same log,
// or from none.
func (m Meta) sameOrigin(o Meta) bool {
	mine, has := m.Get(originKey)
	theirs, have := o.Get(originKey)
	if !has && !have {
		return true
	}
	return has && have && len(mine) > 16 && len(theirs) > 16 && len(mine)+len(theirs) <= maxOrigin && bytes.Equal(mine[:16], theirs[:16])
}

// addOrigin makes the origin in m that of its events and, behind them, of those that o came with. What does not come
// again stays what the first said: later ones say no less.
func (m Meta) addOrigin(o Meta) {
	theirs, ok := o.Get(originKey)
	if !ok {
		return
	}
	_, n := binary.Uvarint(theirs[16:])
	for i := range m {
		if m[i].Key == originKey {
			m[i].Value = append(m[i].Value, theirs[16+max(n, 0):]...)
		}
	}
}
