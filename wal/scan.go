package wal

import (
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"math/bits"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/vfs"
)

const (
	firstChunk = 64 << 10 // of a segment, whose first record may be all that is wanted; then ever more
	scanChunk  = 1 << 20
	keptBuffer = 4 << 20 // a buffer that grew larger, for one record, is not kept
)

// Damage is a part of a segment that should hold records and does not.
type Damage struct {
	Segment  string // path of the file
	From, To int64  // offsets
	Copy     string // where the bytes were copied; empty if that failed or was not asked for
}

// String names the damaged place.
func (d Damage) String() string {
	return fmt.Sprintf("%s, offset %d to %d", d.Segment, d.From, d.To)
}

func isEOF(err error) bool { return errors.Is(err, io.EOF) }

// scanner reads a segment's records with large sequential reads. It is for one goroutine.
type scanner struct {
	file vfs.File
	seg  *segment
	end  int64       // nothing is read behind it
	aead cipher.AEAD // opens puts; nil if they are in the clear, or need not be opened

	buf   []byte
	off   int64 // of buf in the file
	fill  int   // bytes of buf that are read
	ahead int   // how much was read at a time lately

	plain []byte // a put that was opened
	bound sealedWith
}

// record is a good record. The payload is valid until the scanner is used again.
type record struct {
	header
	pos     int64
	payload []byte
}

// window returns n bytes at pos; fewer if the segment ends.
func (s *scanner) window(pos int64, n int) ([]byte, error) {
	if want := s.end - pos; int64(n) > want {
		n = int(max(want, 0))
	}
	if pos >= s.off && pos+int64(n) <= s.off+int64(s.fill) {
		return s.buf[pos-s.off:][:n], nil
	}
	// What was read of it already moves to the front: large records would otherwise be read twice.
	var kept []byte
	if pos >= s.off && pos < s.off+int64(s.fill) {
		kept = s.buf[pos-s.off : s.fill]
	}
	s.ahead = min(max(firstChunk, 2*s.ahead), scanChunk)
	size := int(min(int64(max(n, s.ahead)), s.end-pos))
	if cap(s.buf) < size || cap(s.buf) > keptBuffer && size <= scanChunk {
		s.buf = make([]byte, max(size, min(scanChunk, 1<<bits.Len(uint(size)))))
	}
	s.buf = s.buf[:cap(s.buf)]
	s.off, s.fill = pos, copy(s.buf, kept)
	got, err := readFull(s.file, s.buf[s.fill:size], pos+int64(s.fill))
	if err != nil {
		return nil, fmt.Errorf("reading segment %s at offset %d: %w", s.seg.path, pos, err)
	}
	s.fill += got
	return s.buf[:min(n, s.fill)], nil
}

// read returns the record at pos, false if there is no good one.
func (s *scanner) read(pos int64) (record, bool, error) {
	head, err := s.window(pos, recordHeader)
	if err != nil {
		return record{}, false, err
	}
	h, ok := parseHeader(head, s.seg.at(pos))
	if !ok || pos+int64(recordHeader+h.length) > s.end {
		return record{}, false, nil
	}
	whole, err := s.window(pos, recordHeader+h.length)
	if err != nil {
		return record{}, false, err
	}
	if len(whole) < recordHeader+h.length || checksum(whole[recordHeader:]) != h.payloadCRC {
		return record{}, false, nil
	}
	return record{h, pos, whole[recordHeader:]}, true, nil
}

// decode returns the batch of a put, with one reference, the caller's, and when it was appended.
func (s *scanner) decode(rec record) (*event.Batch, int64, error) {
	payload, err := s.open(rec)
	if err != nil {
		return nil, 0, err
	}
	return decodePut(payload, rec.count)
}

// open returns the payload of a put in the clear. It is valid until the scanner is used again. What was read stays
// as it is, as it may have to be copied to the quarantine.
func (s *scanner) open(rec record) ([]byte, error) {
	if s.aead == nil {
		return rec.payload, nil
	}
	if cap(s.plain) > keptBuffer && len(rec.payload) <= keptBuffer {
		s.plain = nil
	}
	p, err := openPut(s.aead, s.plain[:0], s.seg.at(rec.pos), &rec.header, rec.payload, &s.bound)
	if err == nil {
		s.plain = p
	}
	return p, err
}

// search returns the position and header of the first good record header at or behind pos; ok
// is false if there is none. Its payload may be bad.
func (s *scanner) search(pos int64) (at int64, h header, ok bool, err error) {
	pos = align(pos, recordAlign)
	for pos+recordHeader <= s.end {
		buf, err := s.window(pos, int(min(scanChunk, s.end-pos)))
		if err != nil {
			return 0, header{}, false, err
		}
		if len(buf) < recordHeader {
			break
		}
		i := 0
		for ; i+recordHeader <= len(buf); i += recordAlign {
			if !maybeHeader(buf[i:]) {
				continue
			}
			if h, ok := parseHeader(buf[i:], s.seg.at(pos+int64(i))); ok {
				return pos + int64(i), h, true, nil
			}
		}
		pos += int64(i)
	}
	return 0, header{}, false, nil
}

// skip returns where to go on behind the bad record at pos: at the next good header, or at the
// end of the segment.
func (s *scanner) skip(pos int64) (int64, error) {
	from := pos + recordAlign
	if head, err := s.window(pos, recordHeader); err != nil {
		return 0, err
	} else if h, ok := parseHeader(head, s.seg.at(pos)); ok && pos+h.size() <= s.end {
		from = pos + h.size() // only the payload is bad: do not look for records inside it
	}
	next, _, ok, err := s.search(from)
	if err != nil {
		return 0, err
	}
	if !ok {
		next = s.end
	}
	return next, nil
}

// tail says what is behind a bad record.
type tail struct {
	synced int64  // most that any good header there calls durable
	any    bool   // there is a good header
	next   uint64 // number after the highest event that any names
}

// lookAhead finds out about everything behind pos.
func (s *scanner) lookAhead(pos int64) (tail, error) {
	var t tail
	pos += recordAlign
	for {
		at, h, ok, err := s.search(pos)
		if err != nil || !ok {
			return t, err
		}
		t.any = true
		t.synced = max(t.synced, h.synced)
		t.next = max(t.next, h.events().To)
		pos = at + recordAlign
		if at+h.size() <= s.end {
			pos = at + h.size()
		}
	}
}

// walk calls visit for each good record from pos on, and damaged for each part that was durable
// and is not good. durable is how far the segment is known to have been durable.
func (s *scanner) walk(pos, durable int64, visit func(record) error, damaged func(from, to int64) error) (end int64, behind tail, err error) {
	for pos < s.end {
		r, ok, err := s.read(pos)
		if err != nil {
			return pos, tail{}, err
		}
		if ok {
			if err := visit(r); err != nil {
				return pos, tail{}, err
			}
			pos += r.size()
			continue
		}
		if pos >= durable {
			if behind, err = s.lookAhead(pos); err != nil {
				return pos, tail{}, err
			}
			if durable = behind.synced; pos >= durable {
				return pos, behind, nil
			}
		}
		next, err := s.skip(pos)
		if err != nil {
			return pos, tail{}, err
		}
		if next == s.end && durable < s.end {
			next = durable // nothing good follows, and what is behind was never promised
		}
		if err := damaged(pos, next); err != nil {
			return pos, tail{}, err
		}
		pos = next
	}
	return min(pos, s.end), tail{}, nil
}
