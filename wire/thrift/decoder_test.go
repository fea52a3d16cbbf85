package thrift

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/flume-go/flume/event"
)

// decodeAll decodes a message as a server does.
func decodeAll(data []byte) (string, error) {
	b := event.NewBatch()
	defer b.Release()
	copy(b.Reserve(len(data)), data)
	var d Decoder
	d.Reset(b.Commit(len(data)))
	m, err := d.Message()
	if err != nil {
		return "", err
	}
	method := FlumeService().method(m.Name)
	if method == nil {
		return "", d.SkipStruct()
	}
	if err := method.Args(&d, b); err != nil {
		return "", err
	}
	return text(b.Events()), nil
}

// TestUnusual: whatever order and form of fields the protocols allow gives the same
// event.
func TestUnusual(t *testing.T) {
	const want = "{k=v} b\n"
	for name, in := range map[string]string{
		"usual":         "\x1c\x1b\x01\x88\x01k\x01v\x18\x01b\x00\x00",
		"body first":    "\x1c\x28\x01b\x0b\x02\x01\x88\x01k\x01v\x00\x00",
		"long ids":      "\x0c\x02\x0b\x02\x01\x88\x01k\x01v\x08\x04\x01b\x00\x00",
		"long lengths":  "\x1c\x1b\x81\x80\x00\x88\x81\x00k\x81\x00v\x18\x81\x80\x00b\x00\x00",
		"unknown":       "\x1c\x1b\x01\x88\x01k\x01v\x18\x01b\x11\x12\x13\x05\x1a\x25\x02\x04\x0d\x20" + strings.Repeat("u", 16) + "\x00\x00",
		"nested":        "\x1c\x1b\x01\x88\x01k\x01v\x18\x01b\x1c\x19\x3c\x00\x11\x00\x1c\x00\x00\x00\x00\x00",
		"key twice":     "\x1c\x1b\x02\x88\x01k\x01x\x01k\x01v\x18\x01b\x00\x00",
		"headers twice": "\x1c\x1b\x01\x88\x01x\x01y\x18\x01b\x0b\x02\x01\x88\x01k\x01v\x00\x00",
		"wrong type":    "\x1c\x1b\x01\x88\x01k\x01v\x18\x01b\x05\x04\x02\x00\x00", // body again, as a number
	} {
		got, err := decodeAll([]byte("\x82\x21\x01\x06append" + in))
		if err != nil || got != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// TestManyHeaders: an event may have many headers, and not too many; the last value
// of a key counts.
func TestManyHeaders(t *testing.T) {
	for _, p := range []Protocol{Compact, Binary} {
		var ev event.Event
		for i := range 1000 {
			ev.Headers = append(ev.Headers, event.Header{Key: fmt.Sprint("k", i%500), Value: fmt.Sprint(i)})
		}
		write := func(e *Encoder) { e.Field(Struct, 1); e.FlumeEvent(&ev) }
		head := Message{Type: Call, Seq: 1, Name: []byte(MethodAppend), Protocol: p}
		got, err := decodeAll(message(head, write))
		if err != nil || strings.Count(got, "=") != 500 || !strings.Contains(got, "k3=503") {
			t.Errorf("%v: %.200q, %v", p, got, err)
		}
		for len(ev.Headers) <= mostHeaders {
			ev.Headers = append(ev.Headers, ev.Headers...)
		}
		if _, err := decodeAll(message(head, write)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%v: %d headers: %v", p, len(ev.Headers), err)
		}
	}
}

// TestLimits: no length is believed, and nothing is nested without end.
func TestLimits(t *testing.T) {
	const compact, binary = "\x82\x21\x01\x0bappendBatch", "\x80\x01\x00\x01\x00\x00\x00\x0bappendBatch\x00\x00\x00\x01"
	for name, in := range map[string]string{
		"compact list":     compact + "\x19\xfc\xff\xff\xff\xff\x07",
		"compact negative": compact + "\x19\xfc\xff\xff\xff\xff\x0f",
		"compact varint":   compact + "\x19\xfc\xff\xff\xff\xff\xff\xff\x0f",
		"compact map":      compact + "\x19\x1c\x1b\xff\xff\xff\xff\x07\x88",
		"compact body":     compact + "\x19\x1c\x1b\x00\x18\xff\xff\xff\xff\x07",
		"compact nested":   compact + "\x29" + strings.Repeat("\x19", 100),
		"compact structs":  compact + strings.Repeat("\x2c", 100),
		"compact type":     compact + "\x2f",
		"compact elements": compact + "\x29\x20",
		"binary list":      binary + "\x0f\x00\x01\x0c\x7f\xff\xff\xff",
		"binary negative":  binary + "\x0f\x00\x01\x0c\xff\xff\xff\xff",
		"binary map":       binary + "\x0f\x00\x01\x0c\x00\x00\x00\x01\x0d\x00\x01\x0b\x0b\x7f\xff\xff\xff",
		"binary body":      binary + "\x0f\x00\x01\x0c\x00\x00\x00\x01\x0d\x00\x01\x0b\x0b\x00\x00\x00\x00\x0b\x00\x02\xff\xff\xff\xff",
		"binary nested":    binary + strings.Repeat("\x0f\x00\x02\x0f\x00\x00\x00\x01", 1) + strings.Repeat("\x0f\x00\x00\x00\x01", 100),
		"binary type":      binary + "\x05\x00\x02",
		"name":             "\x82\x21\x01\xff\xff\x01" + strings.Repeat("n", 40_000),
	} {
		if got, err := decodeAll([]byte(in)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	// As many events as fit are more than one call may have.
	huge := append([]byte(compact+"\x19\xfc\xc1\x80\x40"), bytes.Repeat([]byte("\x1b\x00\x18\x00\x00"), maxEvents+1)...)
	if _, err := decodeAll(append(huge, 0)); !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), "events") {
		t.Errorf("%d events: %v", maxEvents+1, err)
	}
}

// TestCutOff: a message of which anything is missing is malformed.
func TestCutOff(t *testing.T) {
	for _, p := range []Protocol{Compact, Binary} {
		s := sample(3, 5, 2)
		whole := bytes.Clone(call(p, s))
		s.Release()
		for n := range whole {
			if got, err := decodeAll(whole[:n]); !errors.Is(err, ErrMalformed) {
				t.Errorf("%v, %d of %d bytes: %q, %v", p, n, len(whole), got, err)
			}
		}
	}
}

// TestHeadersRepeat: events of which some have the headers of the one before come as they
// were, and the headers of one can be changed without those of another.
func TestHeadersRepeat(t *testing.T) {
	sent := event.NewBatch()
	defer sent.Release()
	for i := range 80 {
		e := sent.AppendCopy([]byte{byte(i)})
		for h := range i / 4 {
			sent.SetHeader(e, string(rune('a'+h)), string(rune('A'+i/8)))
		}
	}
	for _, p := range []Protocol{Compact, Binary} {
		want := ""
		for i := range sent.Events() {
			var one Encoder
			one.AppendBatch(p, 7, sent, i, i+1, EventSize(sent.At(i)))
			alone, err := decodeAll(one.Written()[frameHead:])
			if err != nil {
				t.Fatal(err)
			}
			want += alone
		}
		if got, err := decodeAll(call(p, sent)); err != nil || got != want {
			t.Errorf("%v: %v, %q, one by one they are %q", p, err, got, want)
		}
		checkApart(t, p, call(p, sent))
	}
}

// checkApart decodes a message and gives each event headers of its own.
func checkApart(t *testing.T, p Protocol, message []byte) {
	t.Helper()
	b := event.NewBatch()
	defer b.Release()
	var d Decoder
	d.Reset(message)
	if _, err := d.Message(); err != nil {
		t.Fatal(err)
	}
	if err := d.appendBatchArgs(b); err != nil {
		t.Fatal(err)
	}
	for i := range b.Events() {
		b.SetHeader(b.At(i), "a", fmt.Sprint(i))
		b.SetHeader(b.At(i), "new", fmt.Sprint(i))
	}
	for i := range b.Events() {
		for _, key := range []string{"a", "new"} {
			if v, _ := b.At(i).Header(key); v != fmt.Sprint(i) {
				t.Errorf("%v: header %s of event %d is %q", p, key, i, v)
			}
		}
	}
}
