package javachannel

import (
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/event"
)

// v2 is a log of version 2 being written.
type v2 struct{ data []byte }

func logV2(id uint32) *v2 {
	w := new(v2)
	w.data = binary.BigEndian.AppendUint32(w.data, version2)
	w.data = binary.BigEndian.AppendUint32(w.data, id)
	w.data = append(w.data, make([]byte, 16)...)
	return w
}

func (w *v2) add(k kind, transaction, order uint64, rest ...byte) int {
	at := len(w.data)
	w.data = binary.BigEndian.AppendUint32(append(w.data, opRecord), magicV2)
	w.data = binary.BigEndian.AppendUint16(w.data, uint16(k))
	w.data = binary.BigEndian.AppendUint64(w.data, transaction)
	w.data = append(binary.BigEndian.AppendUint64(w.data, order), rest...)
	return at
}

func (w *v2) put(transaction, order uint64, body string) int {
	e := []byte{1, 5, 0, 3, 'a', 'b', 'c', 0, 0, 0, 1, headerMark, 1, 'k', headerMark, 0x8F, 130}
	e = append(e, make([]byte, 130)...)
	e = binary.BigEndian.AppendUint32(e, uint32(len(body)))
	return w.add(kindPut, transaction, order, append(e, body...)...)
}

// TestV2 reads logs of version 2 with damage, which have neither lengths nor checksums.
func TestV2(t *testing.T) {
	c := newChannel(t)
	w := logV2(1)
	w.put(1, 1, "a")
	w.put(1, 2, string(make([]byte, 3*minWindow)))
	w.add(kindPut, 1, 3, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF) // an event without body
	w.add(kindCommit, 1, 4, 0, 1)
	spoilt := w.put(2, 5, "spoilt")
	w.data[spoilt+30]++
	taken := w.put(3, 6, "taken")
	w.add(kindCommit, 3, 7, 0, 1)
	w.add(kindTake, 4, 8, binary.BigEndian.AppendUint64(nil, uint64(taken)<<32|1)...)
	w.add(kindCommit, 4, 9, 0, 2)
	w.put(5, 10, "rolled back")
	w.add(kindRollback, 5, 11)
	torn := w.put(6, 12, "torn")
	w.data = append(w.data[:torn+40], opEnd, opEnd)
	c.write("/d1/log-1", w.data)

	d := c.open()
	if diff := cmp.Diff([]string{"a", string(make([]byte, 3*minWindow)), ""}, bodies(t, d)); diff != "" {
		t.Errorf("bodies (-want +got):\n%s", diff)
	}
	r := d.Report()
	if !cmp.Equal(r.Versions, []int{2}) || r.CorruptCount != 1 || r.TornCount != 1 || r.Corrupt[0].Offset != int64(spoilt) {
		t.Errorf("report: %+v", r)
	}
	err := d.Read(t.Context(), func(b *event.Batch) error {
		if v, ok := b.At(0).Header("k"); !ok || len(v) != 130 {
			t.Errorf("header %q", v)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
