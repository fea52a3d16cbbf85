package javachannel

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/event"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const flumePut = "17 0d01000000 119b411603a2010000 199d411603a2010000" +
	"1c 0a11 0a08 0a026b30 12027630 1205626f647930 118aa56fd100000000 00"

// TestRecordsOfFlume decodes bytes that Flume wrote.
func TestRecordsOfFlume(t *testing.T) {
	tests := []struct {
		name, hex string
		want      record
	}{
		{"put", flumePut, record{kind: kindPut, transaction: 0x1A20316419B, order: 0x1A20316419D, body: 5}},
		{"commit", "17 0d04000000 119b411603a2010000 19a0411603a2010000 05 0d01000000 00",
			record{kind: kindCommit, commit: kindPut, transaction: 0x1A20316419B, order: 0x1A2031641A0}},
		{"take", "17 0d02000000 119c411603a2010000 19a1411603a2010000 0a 0d01000000 1500000000 00",
			record{kind: kindTake, taken: pointerTo(1, 0), transaction: 0x1A20316419C, order: 0x1A2031641A1}},
		{"rollback", "17 0d03000000 119d411603a2010000 19a4411603a2010000 00 00",
			record{kind: kindRollback, transaction: 0x1A20316419D, order: 0x1A2031641A4}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			data := unhex(t, test.hex)
			got, err := parseRecord(data)
			if err != nil {
				t.Fatal(err)
			}
			got.event = nil
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(record{})); diff != "" {
				t.Errorf("record (-want +got):\n%s", diff)
			}
			if !looksLikeHead(data) {
				t.Error("it does not look like a record")
			}
			for n := range data {
				if _, err := parseRecord(data[:n]); err == nil {
					t.Errorf("the first %d bytes pass for a whole record", n)
				}
			}
		})
	}
}

func TestMetaOfFlume(t *testing.T) {
	data := unhex(t, "2e 0d03000000 1501000000 19c701000000000000 21a7411603a2010000 310000000000000000 399c411603a2010000")
	got, err := parseLogMeta(data)
	if err != nil {
		t.Fatal(err)
	}
	want := logMeta{version: 3, id: 1, position: 455, order: 0x1A2031641A7, backupOrder: 0x1A20316419C}
	if got != want {
		t.Errorf("meta is %+v, want %+v", got, want)
	}
}

func TestInflightOfFlume(t *testing.T) {
	open := map[int64][]pointer{0x1A20316419E: {pointerTo(1, 0x16A)}}
	data := inflightBytes(open)
	if want := unhex(t, "000001a20316419e 0000000000000001 000000010000016a"+strings.Repeat("00", 16)); !cmp.Equal(data[16:], want) {
		t.Fatalf("the test writes %x", data)
	}
	got, err := parseInflight(data)
	if diff := cmp.Diff(open, got); diff != "" || err != nil {
		t.Errorf("inflight (-want +got), %v:\n%s", err, diff)
	}
}

// TestEventHeaders decodes events in one batch: a header without value is empty, the last of equal ones wins.
func TestEventHeaders(t *testing.T) {
	r, err := parseRecord(unhex(t, flumePut))
	if err != nil {
		t.Fatal(err)
	}
	noValue := bytesField(bytesField(nil, 1, bytesField(nil, 1, []byte("k"))), 2, nil)
	twice := bytesField(nil, 2, []byte("b"))
	for _, v := range []string{"1", "2"} {
		twice = bytesField(twice, 1, bytesField(bytesField(nil, 1, []byte("k")), 2, []byte(v)))
	}
	b := event.NewBatch()
	defer b.Release()
	for _, e := range [][]byte{r.event, noValue, twice} {
		if err := appendEvent(b, e); err != nil {
			t.Fatal(err)
		}
	}
	want := []event.Event{
		{Headers: []event.Header{{Key: "k0", Value: "v0"}}, Body: []byte("body0")},
		{Headers: []event.Header{{Key: "k"}}, Body: []byte{}},
		{Headers: []event.Header{{Key: "k", Value: "2"}}, Body: []byte("b")},
	}
	if diff := cmp.Diff(want, b.Events()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// TestManyHeaders goes beyond the count up to which keys are compared one by one.
func TestManyHeaders(t *testing.T) {
	const keys = 3 * manyHeaders
	var e []byte
	for round := range 2 {
		for i := range keys {
			h := bytesField(bytesField(nil, 1, fmt.Append(nil, "k", i)), 2, fmt.Append(nil, i+round))
			e = bytesField(e, 1, h)
		}
	}
	b := event.NewBatch()
	defer b.Release()
	if err := appendEvent(b, bytesField(e, 2, nil)); err != nil {
		t.Fatal(err)
	}
	got := b.At(0).Headers
	if len(got) != keys {
		t.Fatalf("%d headers, want %d", len(got), keys)
	}
	for i, h := range got {
		if h.Key != fmt.Sprint("k", i) || h.Value != fmt.Sprint(i+1) {
			t.Errorf("header %d is %v", i, h)
		}
	}
}

// TestRecordRefused has payloads that are well-formed messages but no records of Flume's.
func TestRecordRefused(t *testing.T) {
	good := fixed32(fixed32(nil, 1, 1), 2, 0)
	tests := map[string][]byte{
		"empty":             nil,
		"unknown type":      payload(5, 1, 1, nil),
		"type 0":            payload(0, 1, 1, nil),
		"put without event": payload(kindPut, 1, 1, nil),
		"event without body": payload(kindPut, 1, 1, bytesField(nil, 1,
			bytesField(nil, 1, bytesField(nil, 1, []byte("k"))))),
		"header without key": payload(kindPut, 1, 1, bytesField(nil, 1, bytesField(bytesField(nil, 1, nil), 2, nil))),
		"wrong checksum":     payload(kindPut, 1, 1, fixed64(bytesField(nil, 1, bytesField(nil, 2, []byte("x"))), 2, 7)),
		"take without file":  payload(kindTake, 1, 1, fixed32(nil, 2, 0)),
		"take of file 0":     payload(kindTake, 1, 1, fixed32(fixed32(nil, 1, 0), 2, 0)),
		"take of offset -1":  payload(kindTake, 1, 1, fixed32(fixed32(nil, 1, 1), 2, 0xFFFFFFFF)),
		"commit of nothing":  payload(kindCommit, 1, 1, nil),
		"commit of rollback": payload(kindCommit, 1, 1, fixed32(nil, 1, 3)),
		"no footer":          payload(kindTake, 1, 1, good)[:headSize+1+len(good)],
	}
	for name, data := range tests {
		if r, err := parseRecord(data); err == nil {
			t.Errorf("%s: passes as %+v", name, r)
		}
	}
	// Unknown fields, and events without checksum, are fine.
	extra := fixed64(bytesField(bytesField(nil, 9, []byte("?")), 1, bytesField(nil, 2, nil)), 9, 1)
	if _, err := parseRecord(payload(kindPut, 1, 1, extra)); err != nil {
		t.Error(err)
	}
}

func TestVInt(t *testing.T) {
	tests := map[string]int64{
		"00": 0, "7f": 127, "90": -112, "8f80": 128, "8effff": 65535, "8770": -113,
		"8901020304050607": 0x01020304050607,
	}
	for text, want := range tests {
		in := input{data: unhex(t, text)}
		if got := in.vint(); got != want || in.err != nil || len(in.data) != 0 {
			t.Errorf("%s is %d, want %d (%v)", text, got, want, in.err)
		}
		short := input{data: unhex(t, text)}
		short.data = short.data[:len(short.data)-1]
		if short.vint(); !errors.Is(short.err, errShort) {
			t.Errorf("%s cut short: %v", text, short.err)
		}
	}
}
