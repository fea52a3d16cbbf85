package avro

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/event"
)

// TestLayers sends events of all sizes over connections of each kind.
func TestLayers(t *testing.T) {
	serverTLS, clientTLS := certificates()
	for name, o := range map[string]Options{
		"plain":                         {},
		"deflate":                       {Deflate: true, Level: 6},
		"deflate without compression":   {Deflate: true},
		"tls":                           {TLS: clientTLS},
		"tls inside deflate":            {TLS: clientTLS, Deflate: true, Level: 9},
		"deflate inside tls, as in 1.9": {TLS: clientTLS, Deflate: true, Level: 1, DeflateInsideTLS: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := new(store)
			secure := serverTLS
			if o.TLS == nil {
				secure = nil
			}
			addr, ended := serve(t, NewServer(h, o.Deflate, secure, Limits{}))
			o.Address = addr
			c := connect(t, o)
			all := event.NewBatch()
			defer all.Release()
			for _, size := range []int{0, 1, 500, 9000, 70_000, 140_000, 3} {
				for _, n := range []int{0, 1, 3} {
					b := batchOf(t, n, size, n)
					if err := c.AppendBatch(t.Context(), b, nil); err != nil {
						t.Fatalf("%d events of %d bytes: %v", n, size, err)
					}
					for i := range n {
						all.AppendEvent(b.At(i))
					}
				}
			}
			one := batchOf(t, 1, 100, 20)
			if err := c.Append(t.Context(), one.At(0), nil); err != nil {
				t.Fatal(err)
			}
			all.AppendEvent(one.At(0))
			equal(t, all, h.events())
			if last := h.calls[len(h.calls)-1]; !last.Single {
				t.Error("append has arrived as appendBatch")
			}
			c.Close()
			if err := <-ended; err != nil {
				t.Errorf("the connection ended with %v", err)
			}
		})
	}
}

// TestHeaders: names and values of any length, on either side of the ends of buffers.
func TestHeaders(t *testing.T) {
	h := new(store)
	addr, _ := serve(t, NewServer(h, false, nil, Limits{}))
	c := connect(t, Options{Address: addr})
	all := event.NewBatch()
	defer all.Release()
	for i := range 40 {
		e := all.AppendCopy(bytes.Repeat([]byte("b"), i*131))
		for k := range i {
			all.SetHeader(e, strings.Repeat("é", k), strings.Repeat("v", k*k*7))
		}
	}
	if err := c.AppendBatch(t.Context(), all, nil); err != nil {
		t.Fatal(err)
	}
	equal(t, all, h.events())
}

func TestMetadata(t *testing.T) {
	h := new(store)
	addr, _ := serve(t, NewServer(h, false, nil, Limits{}))
	c := connect(t, Options{Address: addr})
	want := Meta{{"flume.agent", []byte("a1")}, {"", nil}, {"bytes", []byte{0, 255}}}
	b := batchOf(t, 3, 10, 1)
	if err := c.AppendBatch(t.Context(), b, want); err != nil {
		t.Fatal(err)
	}
	same := cmp.Comparer(func(a, b []byte) bool { return bytes.Equal(a, b) })
	if diff := cmp.Diff(want, h.calls[0].Meta, same); diff != "" {
		t.Errorf("(-sent +read):\n%s", diff)
	}
	if v, ok := h.calls[0].Meta.Get("bytes"); !ok || !bytes.Equal(v, []byte{0, 255}) {
		t.Errorf("Get returns %v, %v", v, ok)
	}
	if _, ok := h.calls[0].Meta.Get("none"); ok {
		t.Error("a key that was not sent is there")
	}
	equal(t, b, h.events())
}

// TestAnswers: what a server answers comes to the caller, and the connection goes on.
func TestAnswers(t *testing.T) {
	h := new(store)
	addr, _ := serve(t, NewServer(h, false, nil, Limits{}))
	c := connect(t, Options{Address: addr})
	b := batchOf(t, 2, 10, 0)
	for _, want := range []struct {
		status Status
		err    error
		text   string
	}{
		{Failed, nil, "the server answers FAILED"},
		{Unknown, nil, "the server answers UNKNOWN"},
		{OK, errors.New("no way"), "the server answers with an error: no way"},
		{OK, nil, ""},
	} {
		h.mu.Lock()
		h.status, h.err = want.status, want.err
		h.mu.Unlock()
		err := c.AppendBatch(t.Context(), b, nil)
		if _, ok := isAnswer(err); want.text != "" && (!ok || err.Error() != want.text) || want.text == "" && err != nil {
			t.Errorf("the answer is %v, not %q", err, want.text)
		}
		if !c.Active() {
			t.Fatal("the client gives up after an answer")
		}
	}
}
