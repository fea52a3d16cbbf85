package spooldir

import (
	"errors"
	"io"
)

// blobs makes one event of a file, or of each part of it that is as long as an event may be.
type blobs struct {
	s   *source
	in  *input
	pos int64
}

func newBlob(s *source, in *input, m mark) *blobs { return &blobs{s: s, in: in, pos: m.offset} }

// fill implements deserializer.
func (d *blobs) fill(p *filling) error {
	for !p.full() {
		n := int(min(d.in.size-d.pos, int64(d.s.cfg.MaxBlobLength)))
		if n <= 0 {
			return d.in.end()
		}
		body := p.batch.Alloc(n)
		if err := d.in.readFull(body, d.pos); err != nil {
			return err
		}
		d.pos += int64(n)
		if d.pos < d.in.size {
			if d.pos == int64(n) {
				d.s.log.Warn("a file is longer than an event may be; its rest becomes further events", "file", d.in.path,
					"size", d.in.size, "deserializer.maxBlobLength", n)
			}
			d.s.count.split.Add(1)
		} else if err := d.in.end(); !errors.Is(err, io.EOF) {
			return err // a part that is not what it was is not handed on
		}
		p.batch.Append(body)
		p.added(mark{offset: d.pos}, n)
	}
	return nil
}

// close implements deserializer.
func (d *blobs) close() {}
