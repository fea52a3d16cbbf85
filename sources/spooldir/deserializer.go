package spooldir

import (
	"github.com/flume-go/flume/event"
)

const (
	blockSize  = 256 << 10 // bytes read at once, and after which a batch is emitted
	mostEvents = 16 << 10  // in the memory of one batch, however short they are
)

// mark is a place in a file at which an event ends and reading can begin.
type mark struct {
	offset int64
	skip   int64 // events that follow offset and come before the place: where one is not at a byte of its own
}

// filling is a batch that is being made of one file.
type filling struct {
	batch   *event.Batch
	size    int    // most events of what is emitted at once
	marks   []mark // for each event of the batch, where it ends
	bytes   int    // in the bodies, about
	emitted int    // events that are handed on
}

func (p *filling) begin(b *event.Batch, size int) {
	p.batch, p.size, p.marks, p.bytes, p.emitted = b, size, p.marks[:0], 0, 0
}

// added takes note of the event that was appended to the batch.
func (p *filling) added(m mark, bytes int) {
	p.marks = append(p.marks, m)
	p.bytes += bytes
}

// full reports whether it is time to emit.
func (p *filling) full() bool {
	return len(p.marks) >= mostEvents || p.bytes >= blockSize
}

// deserializer makes events of one file. Not safe for concurrent use.
type deserializer interface {
	// fill appends some events to p, a block's worth, with the mark of each. It returns io.EOF when the last is in p, maybe of none. Any
	// other error means that the file cannot be read beyond the events that are in p.
	fill(p *filling) error
	// close gives back what the deserializer holds. It does not close the file.
	close()
}

// newDeserializer returns the deserializer of in, beginning at m.
func (s *source) newDeserializer(in *input, m mark) (deserializer, error) {
	switch s.kind {
	case avroName:
		return newAvro(s, in, m)
	case blobName:
		return newBlob(s, in, m), nil
	default:
		return newLines(s, in, m)
	}
}
