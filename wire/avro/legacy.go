package avro

import (
	"crypto/md5" //nolint:gosec // an identifier that the protocol prescribes
	"encoding/binary"
	"fmt"
	"io"
	"strconv"

	"github.com/flume-go/flume/event"
)

// Legacy answers requests in the protocol of Flume 0.9: one message, append, with one
// event, over HTTP. Each request has a handshake. Safe for concurrent use.
//
// The content of a request and of an answer is buffers, each behind its length in four
// bytes, ended by a length of 0.
type Legacy struct {
	limit int
	peers peers
}

// legacyText is the protocol without the licence that Apache Flume's has.
const legacyText = `{"protocol":"FlumeOGEventAvroServer","namespace":"com.cloudera.flume.handlers.avro","types":[` +
	`{"type":"enum","name":"Priority","symbols":["FATAL","ERROR","WARN","INFO","DEBUG","TRACE"]},` +
	`{"type":"record","name":"AvroFlumeOGEvent","fields":[{"name":"timestamp","type":"long"},` +
	`{"name":"priority","type":"Priority"},{"name":"body","type":"bytes"},{"name":"nanos","type":"long"},` +
	`{"name":"host","type":"string"},{"name":"fields","type":{"type":"map","values":"bytes"}}]}],` +
	`"messages":{"append":{"request":[{"name":"evt","type":"AvroFlumeOGEvent"}],"response":"null"}}}`

var legacyHash1 = parseHash("84f26a5a74af5726d8bc68105669c996") // Apache Flume 1.x

var legacy = &protocol{
	text: legacyText, hash: md5.Sum([]byte(legacyText)), known: []hash{legacyHash1},
	messages: map[string]string{
		messageAppend: "evt:record{timestamp:long,priority:enum{FATAL,ERROR,WARN,INFO,DEBUG,TRACE}," +
			"body:bytes,nanos:long,host:string,fields:map<bytes>}",
	},
	response: "null",
}

// priorities are the symbols of the enum.
var priorities = [...]string{"FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE"}

// NewLegacy returns a Legacy for requests of at most limit bytes.
func NewLegacy(limit int) *Legacy {
	return &Legacy{limit: limit, peers: peers{protocol: legacy}}
}

// Answer reads the content of a request, stores its event and returns the content of
// the answer. store is not called for a request that has none, or a malformed one: then
// the answer says so, and so does refused. An error means that the content could not be
// read.
func (l *Legacy) Answer(content io.Reader, store func(*event.Batch) error) (answer []byte, refused, err error) {
	payload, err := l.payload(content)
	if err != nil {
		return nil, nil, err
	}
	b := event.NewBatch()
	defer b.Release()
	in := &input{limit: l.limit, slab: payload, w: len(payload), seg: len(payload)}
	out := make([]byte, 4, 64)
	out, call, refused := l.read(in, b, out)
	switch {
	case refused != nil:
		out = appendFailure(out, refused)
	case call:
		if err := store(b); err != nil {
			out = appendFailure(out, err)
		} else {
			out = append(out, 0, 0) // no metadata, no failure, and null is nothing
		}
	}
	binary.BigEndian.PutUint32(out, uint32(len(out)-4))
	if len(out) == 4 {
		return out, refused, nil // an empty buffer is the end
	}
	return append(out, 0, 0, 0, 0), refused, nil
}

// payload reads buffers until their end. Memory is taken as they arrive.
func (l *Legacy) payload(content io.Reader) ([]byte, error) {
	var p []byte
	for {
		var head [4]byte
		if _, err := io.ReadFull(content, head[:]); err != nil {
			return nil, err
		}
		n := int(int32(binary.BigEndian.Uint32(head[:])))
		switch {
		case n == 0:
			return p, nil
		case n < 0 || n > l.limit-len(p):
			return nil, fmt.Errorf("a buffer of %d bytes: a request may have %d", n, l.limit)
		}
		from := len(p)
		for len(p) < from+n {
			some := min(from+n-len(p), max(smallSlab, len(p)))
			at := len(p)
			p = append(p, make([]byte, some)...)
			if _, err := io.ReadFull(content, p[at:]); err != nil {
				return nil, err
			}
		}
	}
}

// read reads a request into b and appends the answer to its handshake to out. call
// says whether there is more to answer.
func (l *Legacy) read(in *input, b *event.Batch, out []byte) (_ []byte, call bool, err error) {
	out, known, foreign, err := l.peers.handshake(in, out)
	if err != nil || !known {
		return out, false, err
	}
	if _, err := in.meta(); err != nil {
		return out, false, err
	}
	name, err := in.bytes("the name of a message", maxName)
	switch {
	case err != nil || len(name) == 0:
		return out, false, err
	case foreign != nil:
		return out, false, foreign
	case string(name) != messageAppend:
		return out, false, malformed("there is no message %q here", name)
	}
	d := events{in: in, decoder: decoder{batch: b}, charge: func(int) error { return nil }} // the limit bounds it
	return out, true, d.legacy()
}

// legacy decodes an event of Flume 0.9. Its fields become headers.
func (d *events) legacy() error {
	e := d.batch.Append(nil)
	timestamp, err := d.in.long()
	if err != nil {
		return err
	}
	priority, err := d.in.index("a priority", int64(len(priorities)))
	if err != nil {
		return err
	}
	body, err := d.value("a body")
	if err != nil {
		return err
	}
	nanos, err := d.in.long()
	if err != nil {
		return err
	}
	host, err := d.value("a host")
	if err != nil {
		return err
	}
	d.batch.SetBody(e, body)
	d.batch.SetHeader(e, "host", span{0, len(host)}.text(host))
	d.batch.SetHeader(e, "timestamp", strconv.FormatInt(timestamp, 10))
	d.batch.SetHeader(e, "pri", priorities[priority])
	d.batch.SetHeader(e, "nanos", strconv.FormatInt(nanos, 10))
	for {
		count, err := d.in.block()
		if err != nil {
			return err
		}
		if count == 0 {
			break
		}
		for range count {
			if err := d.header(e); err != nil {
				return err
			}
		}
	}
	d.batch.SetHeader(e, "FlumeOG", "yes")
	return nil
}
