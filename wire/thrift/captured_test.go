package thrift

import (
	"bytes"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/event"
)

func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestJavaClient: what Flume's own client library has sent is understood, and
// answered with the very bytes with which Flume's own source answered.
func TestJavaClient(t *testing.T) {
	const events = "{n=0} one\n{n=1} zwei €\n{n=2} \n{n=3} single\n"
	for _, name := range []string{"java-compact", "java-binary"} {
		var r recorder
		got := converse(t, start(t, flumeServer(nil), r.store), read(t, name+".requests"))
		if diff := cmp.Diff(events, r.text()); diff != "" {
			t.Errorf("%s: events (-want +got):\n%s", name, diff)
		}
		if got, want := r.callText(), "appendBatch 3, append 1"; got != want {
			t.Errorf("%s: calls %q, want %q", name, got, want)
		}
		if want := read(t, name+".answers"); !bytes.Equal(got, want) {
			t.Errorf("%s: answered\n%x\nwant\n%x", name, got, want)
		}
	}
}

// TestSameBytes: a call of ours is what Flume's client sends for the same events.
func TestSameBytes(t *testing.T) {
	for name, p := range map[string]Protocol{"java-compact": Compact, "java-binary": Binary} {
		var r recorder
		requests := read(t, name+".requests")
		converse(t, start(t, flumeServer(nil), r.store), requests)
		b := batchOf(r.events[:3])
		defer b.Release()
		var e Encoder
		e.AppendBatch(p, 1, b, 0, 3, totalSize(b))
		if got := e.Written(); !bytes.HasPrefix(requests, got) {
			t.Errorf("%s: a call of ours is\n%x\nand not in\n%x", name, got, requests)
		}
	}
}

// TestReadme: the bytes that README.md shows are those of an event.
func TestReadme(t *testing.T) {
	readme := string(read(t, "../README.md"))
	_, shown, _ := strings.Cut(readme, "compact  0000")
	shown, _, _ = strings.Cut("0000"+shown, "```")
	compact, binary, _ := strings.Cut(shown, "binary")
	for p, text := range map[Protocol]string{Compact: compact, Binary: binary} {
		want, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
		if err != nil {
			t.Fatal(err)
		}
		ev := event.Event{Headers: []event.Header{{Key: "k", Value: "v"}}, Body: []byte("hi")}
		m := message(Message{Type: Call, Seq: 1, Name: []byte(MethodAppend), Protocol: p}, func(e *Encoder) {
			e.Field(Struct, 1)
			e.FlumeEvent(&ev)
		})
		if got := framed(m); !bytes.Equal(got, want) {
			t.Errorf("%v: the message is\n%x\nREADME.md has\n%x", p, got, want)
		}
	}
}
