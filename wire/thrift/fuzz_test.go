package thrift

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/flume-go/flume/event"
)

// FuzzCall: any bytes are a call or an error. The events of a call, encoded again,
// are the same events.
func FuzzCall(f *testing.F) {
	for _, p := range []Protocol{Compact, Binary} {
		s := sample(3, 5, 2)
		f.Add(call(p, s))
		s.Release()
	}
	f.Add([]byte("\x82\x21\x01\x06append\x1c\x28\x01b\x0b\x02\x01\x88\x01k\x01v\x00\x00"))
	f.Add([]byte("\x00\x00\x00\x06append\x01\x00\x00\x00\x01\x0c\x00\x01\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := decodeAll(data)
		if err != nil {
			if !errors.Is(err, ErrMalformed) && refusalOf(err) == nil {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		for _, p := range []Protocol{Compact, Binary} {
			b := event.NewBatch()
			copy(b.Reserve(len(data)), data)
			var d Decoder
			d.Reset(b.Commit(len(data)))
			m, _ := d.Message()
			if method := FlumeService().method(m.Name); method == nil || method.Args(&d, b) != nil {
				b.Release()
				return
			}
			again, err := decodeAll(call(p, b))
			b.Release()
			if err != nil || again != got {
				t.Fatalf("%v: %q, encoded again %q, %v", p, got, again, err)
			}
		}
	})
}

// FuzzAnswer: any bytes are an answer or an error.
func FuzzAnswer(f *testing.F) {
	for _, name := range []string{"java-compact.answers", "java-binary.answers"} {
		f.Add(read(f, name)[frameHead:])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var d Decoder
		d.Reset(data)
		m, err := d.Message()
		if err == nil {
			_, err = d.StatusReply(m)
		}
		var x *Exception
		if err != nil && !errors.Is(err, ErrMalformed) && !errors.As(err, &x) {
			t.Fatalf("an error of no kind: %v", err)
		}
	})
}

// FuzzConnection: a connection may bring any bytes, cut in two anywhere, with and
// without frames. What is stored does not depend on the cut, and neither do answers
// in frames. (Without frames a call that is refused ends the connection, and whether
// the answer comes before the rest of the call does.)
func FuzzConnection(f *testing.F) {
	for _, name := range []string{"java-compact.requests", "java-binary.requests"} {
		f.Add(read(f, name), 20, true)
		f.Add(read(f, name)[frameHead:], 7, false)
	}
	f.Fuzz(func(t *testing.T, data []byte, cut int, isFramed bool) {
		if cut < 0 || cut > len(data) {
			return
		}
		whole, answers := converseIn(data, len(data), isFramed)
		cutEvents, cutAnswers := converseIn(data, cut, isFramed)
		if whole != cutEvents || isFramed && !bytes.Equal(answers, cutAnswers) {
			t.Fatalf("whole: %q, % x\ncut:   %q, % x", whole, answers, cutEvents, cutAnswers)
		}
	})
}

// converseIn lets a session read data in two pieces.
func converseIn(data []byte, cut int, isFramed bool) (events string, out []byte) {
	s := flumeServer(nil)
	s.Framed, s.MaxMessage = isFramed, 1<<20
	conn := &scripted{pieces: [][]byte{data[:cut], data[cut:]}}
	var r recorder
	newSession(s, conn, r.store).serve(context.Background()) //nolint:errcheck // any will do
	return r.text(), conn.out
}
