package headerandtext

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/property"
)

func encode(t testing.TB, newline string, b *event.Batch) string {
	t.Helper()
	e, ok := component.Lookup(component.KindSerializer, "org.apache.flume.serialization.HeaderAndBodyTextEventSerializer$Builder")
	if !ok {
		t.Fatal("header_and_text is not registered")
	}
	d := component.Decode(e, property.Settings{"appendNewline": {Text: newline}}, component.Scope{})
	enc, err := component.New[flow.Encoding](d, component.Env{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w, err := enc.NewEncoder(&out, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Encode(b), w.Flush(), w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestBytes(t *testing.T) {
	b := event.NewBatch()
	defer b.Release()
	b.AppendCopy([]byte("no headers"))
	b.AppendCopy(nil)
	e := b.AppendCopy([]byte("body"))
	b.SetHeader(e, "host", "web1")
	b.SetHeader(e, "größe", "a, b=c")
	b.SetHeader(e, "", "")
	large := b.AppendCopy([]byte("x"))
	b.SetHeader(large, "k", strings.Repeat("v", 200<<10))
	b.AppendCopy([]byte("last"))
	for newline, nl := range map[string]string{"true": "\n", "false": ""} {
		want := "{} no headers" + nl + "{} " + nl + "{host=web1, größe=a, b=c, =} body" + nl +
			"{k=" + strings.Repeat("v", 200<<10) + "} x" + nl + "{} last" + nl
		if got := encode(t, newline, b); got != want {
			t.Errorf("appendNewline %s: wrote %.100q", newline, got)
		}
	}
}

type failing struct{ n int }

var errFull = errors.New("full")

func (f *failing) Write(p []byte) (int, error) {
	if f.n--; f.n < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestErrorsComeOut(t *testing.T) {
	b := event.NewBatch()
	defer b.Release()
	for range 10 {
		e := b.AppendCopy(make([]byte, 60<<10))
		b.SetHeader(e, "k", strings.Repeat("v", 60<<10))
	}
	for n := range 15 {
		w, err := encoding{newline: true}.NewEncoder(&failing{n: n}, false)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Encode(b); !errors.Is(err, errFull) {
			t.Errorf("with write %d failing, Encode = %v", n, err)
		}
	}
}

// FuzzEncode compares with what plain concatenation gives.
func FuzzEncode(f *testing.F) {
	f.Add([]byte("body"), "host", "web1", 3)
	f.Add([]byte("\n"), "k=", "}", 40)
	f.Fuzz(func(t *testing.T, body []byte, key, value string, n int) {
		b := event.NewBatch()
		defer b.Release()
		var want strings.Builder
		for i := range max(0, min(n, 100)) {
			e := b.AppendCopy(body)
			want.WriteByte('{')
			if i%2 == 0 {
				b.SetHeader(e, key, value)
				want.WriteString(key + "=" + value)
			}
			want.WriteString("} " + string(body) + "\n")
		}
		if got := encode(t, "true", b); got != want.String() {
			t.Errorf("wrote %q, want %q", got, want.String())
		}
	})
}
