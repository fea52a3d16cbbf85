package exec

import (
	"bytes"
	"context"
	"io"
	"unicode/utf8"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/charset"
	"github.com/flume-go/flume/internal/lineio"
)

// reader reads the output of one run of the command. Used by one goroutine.
type reader struct {
	src     *source
	out     flow.Emitter
	split   splitter
	size    lineio.BlockSize
	decoder *charset.Decoder // nil for UTF-8
	encoder *charset.Encoder // nil for UTF-8
	scratch []byte           // undecoded input
	encoded []byte           // a body in the charset
}

func newReader(s *source, out flow.Emitter) *reader {
	r := &reader{src: s, out: out, split: splitter{limit: s.cfg.MaxLineLength}}
	if !s.charset.IsUTF8() {
		r.decoder, r.encoder = s.charset.NewDecoder(), s.charset.NewEncoder()
		r.scratch = make([]byte, 32<<10)
	}
	return r
}

// run reads to the end and hands on each block as it comes, waiting for the
// channels as long as need be: the command then waits on its pipe.
func (r *reader) run(ctx context.Context, in io.Reader) error {
	for {
		b := event.NewBatch()
		readErr := r.read(b, in)
		if readErr != nil {
			r.finish(b)
		}
		err := r.emit(ctx, b)
		b.Release()
		if err != nil {
			return err
		}
		if readErr != nil {
			return nil // whatever ended it, there is no more output
		}
	}
}

// read fills b with the lines of the next block.
func (r *reader) read(b *event.Batch, in io.Reader) error {
	if r.decoder != nil {
		n, err := in.Read(r.scratch)
		text := r.split.rest.Reserve(b, 2*charset.MaxDecoded(n))
		r.split.cut(b, r.split.rest.Commit(b, r.decoder.Decode(text, r.scratch[:n])))
		return err
	}
	space := r.split.rest.Reserve(b, r.size.Next())
	n, err := in.Read(space)
	r.size.Observe(n, len(space))
	r.split.cut(b, r.split.rest.Commit(b, n))
	return err
}

// finish adds the line that the end of the output ends.
func (r *reader) finish(b *event.Batch) {
	if r.decoder != nil {
		text := r.split.rest.Reserve(b, 2*charset.MaxDecoded(0))
		r.split.cut(b, r.split.rest.Commit(b, r.decoder.Finish(text)))
	}
	if r.split.rest.Len() > 0 {
		b.AppendCopy(r.split.rest.Bytes())
		r.split.rest.Reset()
	}
}

// emit hands on the events of b, batchSize of them at a time.
func (r *reader) emit(ctx context.Context, b *event.Batch) error {
	r.repair(b)
	if n := r.split.cuts; n > 0 {
		r.split.cuts = 0
		r.src.split.Add(n)
		if ok, more := r.src.longLines.Allow(); ok {
			r.src.log.Warn("a line is too long and becomes several events", "maxLineLength", r.src.cfg.MaxLineLength, "not-logged", more)
		}
	}
	size := r.src.cfg.BatchSize
	if b.Len() <= size {
		return r.emitPart(ctx, b)
	}
	for from := 0; from < b.Len(); from += size {
		part := b.View(from, min(from+size, b.Len()))
		err := r.emitPart(ctx, part)
		part.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) emitPart(ctx context.Context, b *event.Batch) error {
	if b.Len() == 0 {
		return nil
	}
	err := flow.EmitUntilStored(ctx, r.out, b, func(err error) {
		if !r.src.failing {
			r.src.failing = true
			r.src.log.Warn("handing on events fails; the command has to wait", "error", err)
		}
	})
	if err == nil && r.src.failing {
		r.src.failing = false
		r.src.log.Info("handing on events works again")
	}
	return err
}

// repair makes the bodies what they are in the charset. It replaces what is not
// valid UTF-8, if configured, and counts.
func (r *reader) repair(b *event.Batch) {
	if r.decoder == nil && r.src.cfg.MalformedInput != replace {
		return
	}
	bad := 0
	for i := range b.Len() {
		e := b.At(i)
		switch {
		case r.decoder != nil:
			if bytes.Contains(e.Body, []byte(charset.Replacement)) {
				bad++
			}
			r.encoded = r.encoder.AppendWhole(r.encoded[:0], e.Body)
			b.SetBody(e, b.Copy(r.encoded))
		case !utf8.Valid(e.Body):
			b.SetBody(e, replaceMalformed(b, e.Body))
			bad++
		}
	}
	if bad == 0 {
		return
	}
	r.src.malformed.Add(bad)
	if ok, more := r.src.badInput.Allow(); ok {
		r.src.log.Warn("output is not valid in the charset; malformed bytes are replaced", "charset", r.src.cfg.Charset, "not-logged", more)
	}
}

// replaceMalformed returns body, in memory of b, with U+FFFD for what is not
// valid.
func replaceMalformed(b *event.Batch, body []byte) []byte {
	d := charset.Charset{}.NewDecoder()
	text := b.Reserve(charset.MaxDecoded(len(body)))
	n := d.Decode(text, body)
	n += d.Finish(text[n:])
	return b.Commit(n)
}

// splitter cuts text into lines, which LF, CR or CR LF end. Not safe for
// concurrent use.
type splitter struct {
	limit   int // most bytes of one event
	rest    lineio.Rest
	afterCR bool // an LF that comes next belongs to the CR before
	cuts    int  // of lines over the limit, so far
}

// cut appends the lines of data, which is what rest.Commit returned, to b and
// keeps what follows them.
func (s *splitter) cut(b *event.Batch, data []byte) {
	if s.afterCR && len(data) > 0 {
		s.afterCR = false
		if data[0] == '\n' {
			data = data[1:]
		}
	}
	pos, lf := 0, -1 // lf: the first LF from pos on, or len(data); searched for once
	for {
		if lf < pos {
			lf = indexFrom(data, pos, '\n')
		}
		end := pos + indexFrom(data[pos:lf], 0, '\r')
		if end == len(data) {
			break
		}
		line := data[pos : end+1]
		if s.rest.Len() > 0 {
			line = s.rest.Join(b, line)
		}
		s.add(b, line)
		pos = end + 1
		if data[end] == '\r' {
			if pos == len(data) {
				s.afterCR = true
			} else if data[pos] == '\n' {
				pos++
			}
		}
	}
	s.keep(b, data[pos:])
}

// indexFrom returns the index of the first c from pos on, or len(data).
func indexFrom(data []byte, pos int, c byte) int {
	if i := bytes.IndexByte(data[pos:], c); i >= 0 {
		return pos + i
	}
	return len(data)
}

// add appends a line, its separator at its end, in as many events as it takes.
func (s *splitter) add(b *event.Batch, line []byte) {
	for len(line)-1 > s.limit {
		n := boundary(line[:s.limit])
		b.Append(line[:n])
		line = line[n:]
		s.cuts++
	}
	b.AppendLine(line)
}

// keep puts data, the beginning of a line, with the rest, and makes events of
// what is over the limit.
func (s *splitter) keep(b *event.Batch, data []byte) {
	s.rest.Append(data)
	done := 0
	for s.rest.Len()-done > s.limit {
		n := boundary(s.rest.Bytes()[done : done+s.limit])
		b.AppendCopy(s.rest.Bytes()[done : done+n])
		done += n
		s.cuts++
	}
	if done > 0 {
		s.rest.Drop(done)
	}
}

// boundary returns the length of text without a character at its end that is not
// complete.
func boundary(text []byte) int {
	for i := len(text) - 1; i >= 0 && i >= len(text)-utf8.UTFMax; i-- {
		if utf8.RuneStart(text[i]) {
			if i > 0 && !utf8.FullRune(text[i:]) {
				return i
			}
			break
		}
	}
	return len(text)
}
