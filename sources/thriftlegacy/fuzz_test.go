package thriftlegacy

import (
	"errors"
	"testing"

	"github.com/flume-go/flume/event"
	wire "github.com/flume-go/flume/wire/thrift"
)

// FuzzAppend: any bytes are a call or malformed, and every event has the mark of its
// origin and no header twice.
func FuzzAppend(f *testing.F) {
	f.Add(call(1, "hello", true))
	f.Add(call(2, "", false))
	f.Fuzz(func(t *testing.T, data []byte) {
		b := event.NewBatch()
		defer b.Release()
		copy(b.Reserve(len(data)), data)
		var d wire.Decoder
		d.Reset(b.Commit(len(data)))
		_, err := d.Message()
		if err == nil {
			err = appendArgs(&d, b)
		}
		if err != nil {
			if !errors.Is(err, wire.ErrMalformed) {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		for i := range b.Len() {
			seen := map[string]bool{}
			for _, h := range b.At(i).Headers {
				if seen[h.Key] {
					t.Fatalf("header %q comes twice", h.Key)
				}
				seen[h.Key] = true
			}
			if !seen[headerOrigin] {
				t.Fatalf("event %d has headers %v", i, b.At(i).Headers)
			}
		}
	})
}
