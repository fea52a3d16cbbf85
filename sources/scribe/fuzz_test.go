package scribe

import (
	"errors"
	"testing"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/metrics"
	wire "github.com/flume-go/flume/wire/thrift"
)

// FuzzLog: any bytes are a call, one to be answered with a status, or malformed. Events
// have no header but the category.
func FuzzLog(f *testing.F) {
	f.Add(frame([][2]string{{"a", "x"}, {"", "y"}})[4:])
	f.Add(frame([][2]string{{"a", ""}})[4:])
	f.Fuzz(func(t *testing.T, data []byte) {
		b := event.NewBatch()
		defer b.Release()
		copy(b.Reserve(len(data)), data)
		var d wire.Decoder
		d.Reset(b.Commit(len(data)))
		s := &source{readFail: new(metrics.Counter)}
		_, err := d.Message()
		if err == nil {
			err = s.logArgs(&d, b)
		}
		var result wire.Result
		var refusal *wire.Exception
		if err != nil && !errors.Is(err, wire.ErrMalformed) && !errors.As(err, &result) && !errors.As(err, &refusal) {
			t.Fatalf("an error of no kind: %v", err)
		}
		for i := range b.Len() {
			if hs := b.At(i).Headers; len(hs) > 1 || len(hs) == 1 && hs[0].Key != headerCategory {
				t.Fatalf("event %d has headers %v", i, hs)
			}
		}
	})
}
