//go:build examples

package examples

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/wire/avro"
	"github.com/flume-go/flume/wire/thrift"
)

// be32 puts the length of p before it.
func be32(p string) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(p)))) + p
}

// scribed is a call of Scribe's Log with one entry, in a frame.
func scribed(line string) string {
	return be32("\x80\x01\x00\x04\x00\x00\x00\x03Log\x00\x00\x00\x00\x0f\x00\x01\x0c\x00\x00\x00\x01\x0b\x00\x02" + be32(line) + "\x00\x00")
}

// thriftLegacy is a call of the append of Flume 0.9.
func thriftLegacy(line string) string {
	return "\x80\x01\x00\x04\x00\x00\x00\x06append\x00\x00\x00\x00\x0c\x00\x01\x0b\x00\x03" + be32(line) + "\x00\x00"
}

// avroLegacy is what a client of Flume 0.9 posts: a handshake and a call of append, framed.
func avroLegacy(t *testing.T, line string) []byte {
	t.Helper()
	const hash = "84f26a5a74af5726d8bc68105669c996"
	p, err := hex.DecodeString(hash + "00" + hash + "0200" + "000c617070656e64")
	if err != nil {
		t.Fatal(err)
	}
	p = binary.AppendVarint(p, time.Now().UnixMilli())
	p = binary.AppendVarint(p, 3) // the priority: INFO
	p = append(binary.AppendVarint(p, int64(len(line))), line...)
	p = binary.AppendVarint(p, 1)              // nanoseconds
	p = append(binary.AppendVarint(p, 1), 'h') // the host
	p = append(p, 0)                           // no fields
	return append([]byte(be32(string(p))), 0, 0, 0, 0)
}

// batchOf returns a batch with the lines as bodies.
func batchOf(sent []string) *event.Batch {
	b := event.NewBatch()
	for _, line := range sent {
		b.AppendCopy([]byte(line))
	}
	return b
}

// call sends the lines as events of a remote call.
func (in input) call(t *testing.T, sent []string) {
	t.Helper()
	b := batchOf(sent)
	defer b.Release()
	switch in.way.network {
	case "avro":
		c, err := avro.Dial(t.Context(), avro.Options{Address: in.to})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.AppendBatch(t.Context(), b, nil); err != nil {
			t.Fatal(err)
		}
	case "thrift":
		conn, err := net.DialTimeout("tcp", in.to, readyWithin)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		size := 0
		for i := range b.Events() {
			size += thrift.EventSize(b.At(i))
		}
		if status, err := thrift.NewClient(conn, thrift.Compact).AppendBatch(b, 0, b.Len(), size); err != nil || status != thrift.StatusOK {
			t.Fatal(status, err)
		}
	case "avrolegacy":
		for _, line := range sent {
			resp, err := http.Post("http://"+in.to, "avro/binary", bytes.NewReader(avroLegacy(t, line))) //nolint:noctx // ends with the agent
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Fatalf("source %s answers %s", in.source, resp.Status)
			}
		}
	}
}
