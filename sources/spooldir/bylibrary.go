package spooldir

import (
	"bytes"
	"io"
	"unicode/utf8"

	"github.com/flume-go/flume/internal/charset"
)

// byLine is the state of a line in a character set that only the library knows: one of several bytes for each character, in all of which a
// line feed is the byte 10 and nothing else. The library does not tell which bytes a character was, so a place within a line is given by
// the number of events before it.
type byLine struct {
	dec    *charset.Decoder
	start  int64 // offset of the line
	events int64 // that were made of it
	skip   int64 // of these, the first that were handed on before the file was opened
	dst    []byte
}

// move says that the next line begins at off.
func (l *byLine) move(off int64) { l.start, l.events, l.skip = off, 0, 0 }

// byLibrary takes in a line, or a part of one.
func (d *lines) byLibrary(p *filling, data []byte, off int64) error {
	text, ended := bytes.CutSuffix(data, []byte{'\n'})
	l := d.lib
	need := charset.MaxDecoded(len(text))
	if cap(l.dst) < need+charset.MaxDecoded(0) {
		l.dst = make([]byte, need+charset.MaxDecoded(0))
	}
	n := l.dec.Decode(l.dst[:need], text)
	if ended {
		n += l.dec.Finish(l.dst[n : n+charset.MaxDecoded(0)])
	}
	if err := d.decoded(p, l.dst[:n], off); err != nil {
		return err
	}
	if ended {
		d.ended(p, off+int64(len(data)))
		l.move(off + int64(len(data)))
	}
	return nil
}

// decoded takes in text that the library has made of bytes at off.
func (d *lines) decoded(p *filling, text []byte, off int64) error {
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		text = text[n:]
		if r == utf8.RuneError {
			switch d.form.policy {
			case policyFail:
				return &badText{off, d.s.cfg.InputCharset}
			case policyDrop:
				d.s.count.dropped.Add(1)
				continue
			}
			d.s.count.replaced.Add(1)
		}
		if d.part.units > 0 && d.part.units+unitsOf(r) > d.form.limit {
			d.piece(p)
		}
		if d.part.add(r); d.part.units >= d.form.limit {
			d.piece(p)
		}
	}
	return nil
}

// piece makes an event of a part of the line.
func (d *lines) piece(p *filling) {
	d.long()
	d.lib.events++
	if d.lib.skip > 0 {
		d.lib.skip--
		d.part.reset()
		return
	}
	d.body(p, mark{offset: d.lib.start, skip: d.lib.events})
}

// ended makes an event of the end of the line, whose line feed ends at off.
func (d *lines) ended(p *filling, off int64) {
	d.body(p, mark{offset: off})
}

// finishLibrary makes an event of a last line without line feed.
func (d *lines) finishLibrary(p *filling) error {
	l := d.lib
	l.dst = append(l.dst[:0], make([]byte, charset.MaxDecoded(0))...)
	if err := d.decoded(p, l.dst[:l.dec.Finish(l.dst)], d.pos); err != nil {
		return err
	}
	if d.part.units > 0 {
		d.body(p, mark{offset: d.pos})
	}
	return io.EOF
}
