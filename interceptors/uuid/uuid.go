// Package uuid is the interceptor that gives every event an identity of its own.
package uuid

import (
	"crypto/rand"
	_ "embed"
	"encoding/hex"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
)

//go:embed README.md
var readme string

func init() {
	component.RegisterInterceptor(component.Info{
		Type: "uuid",
		Aliases: []string{
			"org.apache.flume.sink.solr.morphline.UUIDInterceptor$Builder",
			"org.apache.flume.sink.solr.morphline.UUIDInterceptor",
		},
		Summary: "Sets a header to a random UUID, another one for each event.",
		Readme:  readme,
	}, New)
}

// Config is the properties of the interceptor.
type Config struct {
	HeaderName       string `flume:"headerName" default:"id" doc:"The header to set to the UUID."`
	PreserveExisting bool   `flume:"preserveExisting" default:"true" doc:"Whether an event that has the header keeps its value."`
	Prefix           string `flume:"prefix" doc:"Text to put in front of the UUID."`
}

type interceptor struct{ cfg Config }

var _ flow.Interceptor = interceptor{}

// New returns the interceptor.
func New(cfg Config, _ component.Env) (flow.Interceptor, error) { return interceptor{cfg}, nil }

const size = 16 // bytes of a UUID

// Intercept implements flow.Interceptor.
func (i interceptor) Intercept(b *event.Batch) error {
	wanted := b.Len()
	events := b.Events()
	if i.cfg.PreserveExisting {
		for n := range events {
			if _, ok := events[n].Header(i.cfg.HeaderName); ok {
				wanted--
			}
		}
	}
	if wanted == 0 {
		return nil
	}
	var source randomness
	var short [128]byte // a text with a prefix longer than usual is put together on the heap
	text := append(short[:0], i.cfg.Prefix...)
	for n := range events {
		e := &events[n]
		if i.cfg.PreserveExisting {
			if _, ok := e.Header(i.cfg.HeaderName); ok {
				continue
			}
		}
		id := source.next(wanted)
		wanted--
		text = appendUUID(text[:len(i.cfg.Prefix)], id)
		b.SetHeader(e, i.cfg.HeaderName, b.String(text))
	}
	return nil
}

// randomness reads from the system's generator for many UUIDs at once: a read for
// each costs twice as much, and a system call each on kernels without getrandom
// in the vDSO.
type randomness struct {
	buf       [128 * size]byte
	used, end int
}

// next returns 16 random bytes, which are valid until the next call. wanted is
// how many UUIDs are still needed, this one included.
func (r *randomness) next(wanted int) []byte {
	if r.used == r.end {
		r.used, r.end = 0, min(wanted*size, len(r.buf))
		rand.Read(r.buf[:r.end])
	}
	id := r.buf[r.used : r.used+size]
	r.used += size
	return id
}

// appendUUID appends the text of a UUID of version 4 (random), variant RFC 9562,
// made of id, which it changes.
func appendUUID(dst, id []byte) []byte {
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	dst = append(hex.AppendEncode(dst, id[:4]), '-')
	dst = append(hex.AppendEncode(dst, id[4:6]), '-')
	dst = append(hex.AppendEncode(dst, id[6:8]), '-')
	dst = append(hex.AppendEncode(dst, id[8:10]), '-')
	return hex.AppendEncode(dst, id[10:])
}
