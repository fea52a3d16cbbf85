package thriftlegacy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/property"
	wire "github.com/flume-go/flume/wire/thrift"
)

func decoded(t *testing.T, message []byte) (string, error) {
	t.Helper()
	b := event.NewBatch()
	defer b.Release()
	copy(b.Reserve(len(message)), message)
	var d wire.Decoder
	d.Reset(b.Commit(len(message)))
	m, err := d.Message()
	if err != nil || string(m.Name) != "append" || m.Type != wire.Oneway {
		t.Fatalf("%v, %v", m, err)
	}
	err = appendArgs(&d, b)
	var out strings.Builder
	for i := range b.Len() {
		fmt.Fprintf(&out, "%v %s", b.At(i).Headers, b.At(i).Body)
	}
	return out.String(), err
}

// TestHeaders: fields become headers, the client's own win, but for the mark of
// their origin.
func TestHeaders(t *testing.T) {
	got, err := decoded(t, call(1, "hello", true))
	want := "[{host old.example} {timestamp 1700000000123} {pri INFO} {nanos 7} {k vé} {FlumeOG yes}] hello"
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	// Without priority and fields Flume fails; the event is kept here.
	got, err = decoded(t, call(1, "hello", false))
	want = "[{host old.example} {timestamp 1700000000123} {nanos 42} {FlumeOG yes}] hello"
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestPriorities(t *testing.T) {
	for i, want := range []string{"FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE", "6"} {
		m := call(1, "x", true)
		at := strings.Index(string(m), "\x08\x00\x02")
		m[at+6] = byte(i)
		if got, err := decoded(t, m); err != nil || !strings.Contains(got, "{pri "+want+"}") {
			t.Errorf("priority %d: %s, %v", i, got, err)
		}
	}
}

// TestDamaged: whatever is cut off is found.
func TestDamaged(t *testing.T) {
	whole := call(1, "hello", true)
	for n := len("\x80\x01\x00\x04\x00\x00\x00\x06append\x00\x00\x00\x01"); n < len(whole); n++ {
		if got, err := decoded(t, whole[:n]); err == nil {
			t.Errorf("%d bytes: %s", n, got)
		}
	}
}

func TestConfig(t *testing.T) {
	entry, _ := component.Lookup(component.KindSource, "org.apache.flume.source.thriftLegacy.ThriftLegacySource")
	d := component.Decode(entry, property.Settings{}, component.Scope{Prefix: "a1.sources.r1."})
	if text := fmt.Sprint(d.Problems); !d.Failed() || !strings.Contains(text, "host") || !strings.Contains(text, "port") {
		t.Errorf("without properties: %v", d.Problems)
	}
}
