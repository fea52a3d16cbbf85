package spooldir

import (
	"bytes"
	"errors"
	"io"

	"github.com/flume-go/flume/internal/charset"
)

// lines makes an event of each line.
//
// Whole lines of a block that are bodies as they stand, in the right character set, valid and shorter than the limit, stay where they were
// read: the fast path. All others, and the first and last of a block, go through the slow one, which puts bodies together character by
// character or, where the library alone knows the character set, line by line.
type lines struct {
	s    *source
	form *textForm
	in   *input
	dec  decoder
	enc  *charset.Encoder
	out  []byte // a body in the output character set

	pos   int64  // of the first byte that was not taken in
	open  bool   // it is within a line
	carry []byte // the beginning of a character, before pos
	part  piece
	buf   []byte // for a line that is longer than a block
	cut   bool   // a line was longer than the limit, which was told

	lib *byLine // for character sets that only the library knows
}

func newLines(s *source, in *input, m mark) (*lines, error) {
	d := &lines{s: s, form: s.form, in: in, pos: m.offset, open: m.skip > 0}
	if !s.form.output.IsUTF8() {
		d.enc = s.form.output.NewEncoder()
	}
	if s.form.decoder == nil {
		d.lib = &byLine{start: m.offset, skip: m.skip, dec: s.form.set.NewDecoder()}
		return d, nil
	}
	var head [4]byte
	n := int(min(in.size, int64(len(head))))
	if err := in.readFull(head[:n], 0); err != nil {
		return nil, err
	}
	var skip int
	d.dec, skip = s.form.forFile(head[:n])
	d.pos = max(d.pos, int64(skip))
	return d, nil
}

// close implements deserializer.
func (d *lines) close() {}

// fill implements deserializer.
func (d *lines) fill(p *filling) error {
	for len(p.marks) == 0 {
		if d.pos >= d.in.size {
			return d.finish(p)
		}
		data, err := d.read(p)
		if err != nil {
			return err
		}
		n, err := d.take(p, data)
		d.pos += int64(n)
		if err != nil {
			return err
		}
	}
	if d.pos >= d.in.size {
		return d.finish(p)
	}
	return nil
}

// read reads the next block: into the batch, whose events it will be, or, within a long line, into memory that is used again.
func (d *lines) read(p *filling) ([]byte, error) {
	size := min(blockSize, max(4<<10, int(min(blockSize, d.in.size-d.pos))+1))
	if d.open {
		if len(d.buf) < size {
			d.buf = make([]byte, size)
		}
		n, err := d.in.readAt(d.buf, d.pos)
		return d.buf[:n], err
	}
	n, err := d.in.readAt(p.batch.Reserve(size-1), d.pos)
	if err != nil {
		return nil, err
	}
	return p.batch.Commit(n), nil
}

// take makes events of data, which begins at d.pos, and returns how many bytes of it were taken in. A last line that is not complete is
// left, to be read again with its end, if something came before it.
func (d *lines) take(p *filling, data []byte) (int, error) {
	if d.open {
		n, ended := lineOf(data)
		d.open = !ended
		return n, d.slow(p, data[:n], d.pos)
	}
	done := 0
	for done < len(data) && len(p.marks) < mostEvents {
		if done += d.fast(p, data[done:], d.pos+int64(done)); done == len(data) || len(p.marks) >= mostEvents {
			break
		}
		n, ended := lineOf(data[done:])
		if !ended && done > 0 && d.pos+int64(len(data)) < d.in.size {
			break
		}
		d.open = !ended
		if err := d.slow(p, data[done:done+n], d.pos+int64(done)); err != nil {
			return done, err
		}
		done += n
	}
	return done, nil
}

// lineOf returns the length of the line that data begins with, including its line feed, and whether it has one.
func lineOf(data []byte) (n int, ended bool) {
	if n = bytes.IndexByte(data, '\n'); n < 0 {
		return len(data), false
	}
	return n + 1, true
}

// fast makes events of the lines that data, at off, begins with, as long as they can stay where they are, and returns how many bytes that
// took.
func (d *lines) fast(p *filling, data []byte, off int64) int {
	last := bytes.LastIndexByte(data, '\n')
	if last < 0 || !d.form.utf8 && !d.form.ascii {
		return 0
	}
	all := d.form.intact(data[:last])
	done := 0
	for done <= last && len(p.marks) < mostEvents {
		n := bytes.IndexByte(data[done:], '\n')
		if n >= d.form.limit || !all && !d.form.intact(data[done:done+n]) {
			break
		}
		p.batch.AppendLine(data[done : done+n+1])
		done += n + 1
		p.marks = append(p.marks, mark{offset: off + int64(done)})
	}
	if d.lib != nil && done > 0 {
		d.lib.move(off + int64(done))
	}
	return done
}

// slow makes events of a line, or a part of one that ends where the block does. off is the offset of data.
func (d *lines) slow(p *filling, data []byte, off int64) error {
	if d.lib != nil {
		return d.byLibrary(p, data, off)
	}
	for len(d.carry) > 0 && len(data) > 0 {
		d.carry = append(d.carry, data[0])
		data = data[1:]
		off++
		n, err := d.characters(p, d.carry, off-int64(len(d.carry)), false)
		if err != nil {
			return err
		}
		d.carry = append(d.carry[:0], d.carry[n:]...)
	}
	n, err := d.characters(p, data, off, false)
	if err != nil {
		return err
	}
	d.carry = append(d.carry, data[n:]...)
	return nil
}

// characters takes in the characters of data and returns how many of its bytes are whole ones.
func (d *lines) characters(p *filling, data []byte, off int64, last bool) (int, error) {
	done := 0
	for done < len(data) {
		if n := d.run(data[done:]); n > 0 {
			done += n
			continue
		}
		r, n, bad := d.dec.next(data[done:], last)
		switch {
		case n == 0:
			return done, nil
		case bad && d.form.policy == policyFail:
			return done, &badText{off + int64(done), d.s.cfg.InputCharset}
		case bad && d.form.policy == policyDrop:
			done += n
			d.s.count.dropped.Add(n)
			continue
		case bad:
			r = '\uFFFD'
			d.s.count.replaced.Add(1)
		}
		if r != '\n' && d.part.units > 0 && d.part.units+unitsOf(r) > d.form.limit {
			// Flume would cut the character in two halves that cannot be encoded.
			d.long()
			d.body(p, mark{offset: off + int64(done)})
		}
		done += n
		if r == '\n' {
			d.body(p, mark{offset: off + int64(done)})
			continue
		}
		if d.part.add(r); d.part.units >= d.form.limit {
			d.long()
			d.body(p, mark{offset: off + int64(done)})
		}
	}
	return done, nil
}

// run takes in plain characters of one byte that data begins with, as far as they fit, and returns how many there are.
func (d *lines) run(data []byte) int {
	if !d.form.ascii && !d.form.utf8 {
		return 0
	}
	// The last character that fits is left to the caller, who ends the body with it.
	room := min(d.form.limit-d.part.units-1, len(data))
	n := 0
	for n < room && data[n] < 0x80 && data[n] != '\n' {
		n++
	}
	if n > 0 {
		d.part.text = append(d.part.text, data[:n]...)
		d.part.units += n
	}
	return n
}

// body makes an event of what was put together.
func (d *lines) body(p *filling, m mark) {
	n := len(d.part.text)
	if d.enc == nil {
		p.batch.AppendCopy(d.part.text)
	} else {
		d.out = d.enc.AppendWhole(d.out[:0], d.part.text)
		n = len(d.out)
		p.batch.AppendCopy(d.out)
		if cap(d.out) > keepText {
			d.out = nil
		}
	}
	d.part.reset()
	p.added(m, n)
}

// long takes note of a line that is cut.
func (d *lines) long() {
	d.s.count.split.Add(1)
	if !d.cut {
		d.cut = true
		d.s.log.Warn("a line is longer than an event may be; its rest becomes further events, which is told once for each file",
			"file", d.in.path, "deserializer.maxLineLength", d.form.limit)
	}
}

// finish makes an event of a last line without line feed.
func (d *lines) finish(p *filling) error {
	if err := d.in.end(); !errors.Is(err, io.EOF) {
		return err // what is there of the line may not be all of it
	}
	if d.lib != nil {
		return d.finishLibrary(p)
	}
	if _, err := d.characters(p, d.carry, d.pos-int64(len(d.carry)), true); err != nil {
		return err
	}
	d.carry = d.carry[:0]
	if d.part.units > 0 {
		d.body(p, mark{offset: d.pos})
	}
	return io.EOF
}
