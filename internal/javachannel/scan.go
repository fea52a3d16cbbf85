package javachannel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// scanner reads records of logs. It is used by one goroutine.
type scanner struct {
	files  files
	keyOf  func(alias string) ([]byte, error)
	report *Report
}

// step is what stands at one place of a log.
type step struct {
	what stepKind
	rec  record // of a stepRecord; views are valid until the next read
	next int64  // where to read on; of a stepBad where that may be, 0 if nothing says so
	own  bool   // next is what the record's own length says
	why  error  // of a stepBad
}

type stepKind uint8

const (
	stepEnd    stepKind = iota
	stepRecord          // a good record
	stepNoop            // a disabled record
	stepBad             // anything else
)

// at examines one place of a log.
func (s *scanner) at(l *logFile, off int64) (step, error) {
	f, err := s.files.get(l.name)
	if err != nil {
		return step{}, fmt.Errorf("opening log: %w", err)
	}
	if l.meta.version == version2 {
		return s.atV2(f, off)
	}
	frame, err := f.read(off, frameSize)
	if err != nil || len(frame) == 0 || frame[0] == opEnd {
		return step{}, errorIn(l, err)
	}
	if len(frame) < frameSize {
		return step{what: stepBad, why: errShort}, nil
	}
	op, size := frame[0], int64(int32(binary.BigEndian.Uint32(frame[1:])))
	st := step{what: stepBad}
	if size >= 0 && off+frameSize+size <= f.size {
		st.next, st.own = off+frameSize+size, true
	}
	switch {
	case op == opNoop && size == 0:
		return s.zeros(l, f, off)
	case op == opNoop && st.next > 0:
		st.what = stepNoop
	case op != opRecord && op != opNoop:
		st.next, st.own, st.why = 0, false, fmt.Errorf("operation %#x is unknown", op)
	case st.next == 0:
		st.why = fmt.Errorf("%w: length %d, %d bytes left in the file", errShort, size, f.size-off-frameSize)
	case size > maxRecord:
		st.why = fmt.Errorf("length %d is above Flume's limit of %d bytes", size, maxRecord)
	default:
		payload, err := s.payload(l, f, off, int(size))
		if err != nil {
			return step{}, err
		}
		if st.rec, st.why = parseRecord(payload); st.why == nil {
			st.what = stepRecord
		}
	}
	return st, nil
}

// payload reads a payload in clear.
func (s *scanner) payload(l *logFile, f *openFile, off int64, size int) ([]byte, error) {
	payload, err := f.read(off+frameSize, size)
	if err != nil {
		return nil, errorIn(l, err)
	}
	if l.meta.encryption == nil {
		return payload, nil
	}
	if err := s.unlock(l); err != nil {
		return nil, err
	}
	return l.cipher.decrypt(payload), nil
}

// unlock gets the key of an encrypted log.
func (s *scanner) unlock(l *logFile) (err error) {
	if l.cipher == nil {
		if l.cipher, err = newDecrypter(l.meta.encryption, s.keyOf); err != nil {
			return errorIn(l, err)
		}
		s.report.addAlias(l.meta.encryption.alias)
	}
	return nil
}

func errorIn(l *logFile, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("log %s: %w", l.name, err)
}

// zeros deals with what reads as disabled records without content: such ones, or bytes that were never
// written, which some file systems leave after a power failure. Flume takes the latter for the former and
// then, unless there is a multiple of five of them, misses the next record.
func (s *scanner) zeros(l *logFile, f *openFile, off int64) (step, error) {
	end := off
	for {
		data, err := f.readOn(end, 1)
		if err != nil {
			return step{}, errorIn(l, err)
		}
		rest := bytes.TrimLeft(data, "\x00")
		end += int64(len(data) - len(rest))
		if len(data) == 0 || len(rest) > 0 && rest[0] == opEnd {
			return step{}, nil
		}
		if len(rest) > 0 {
			break
		}
	}
	after, err := s.at(l, end)
	if err != nil {
		return step{}, err
	}
	if after.what == stepRecord && end != off+frameSize {
		return step{what: stepBad, next: end, why: fmt.Errorf("%d bytes were never written", end-off)}, nil
	}
	return step{what: stepNoop, next: end - (end-off)%frameSize}, nil
}

// atV2 is at for version 2. As nothing says how long a record is, more and more of the file is tried.
func (s *scanner) atV2(f *openFile, off int64) (step, error) {
	for n := minWindow; ; n *= 2 {
		data, err := f.read(off, n)
		if err != nil {
			return step{}, fmt.Errorf("log %s: %w", f.name, err)
		}
		if len(data) == 0 || data[0] == opEnd {
			return step{}, nil
		}
		rec, size, err := parseRecordV2(data)
		switch {
		case err == nil:
			return step{what: stepRecord, rec: rec, next: off + int64(size)}, nil
		case errors.Is(err, errShort) && off+int64(len(data)) < f.size && n <= maxRecord/2:
		default:
			return step{what: stepBad, why: err}, nil
		}
	}
}

// next returns the first good record at or behind off and where to read on, and false at the end of the
// log. What had to be skipped is in the report.
func (s *scanner) next(l *logFile, off int64) (rec record, at, next int64, ok bool, err error) {
	for {
		st, err := s.at(l, off)
		switch {
		case err != nil || st.what == stepEnd:
			return rec, off, off, false, err
		case st.what == stepRecord:
			return st.rec, off, st.next, true, nil
		case st.what == stepNoop:
			s.report.Noops++
			off = st.next
			continue
		}
		resume, err := s.recover(l, off, st)
		if err != nil {
			return rec, off, off, false, err
		}
		if resume == 0 {
			s.report.addTorn(Damage{File: l.name, Offset: off, Reason: st.why.Error()})
			return rec, off, off, false, nil
		}
		s.report.addCorrupt(Damage{File: l.name, Offset: off, Length: resume - off, Reason: st.why.Error()})
		off = resume
	}
}

// recover returns where the log goes on behind something bad, 0 if there is nothing more. A length that leads
// to something good is believed; otherwise the first good record is searched for.
func (s *scanner) recover(l *logFile, off int64, bad step) (int64, error) {
	var after step
	if bad.next > 0 {
		var err error
		if after, err = s.at(l, bad.next); err != nil {
			return 0, err
		}
		if after.what == stepRecord || after.what == stepNoop {
			return bad.next, nil
		}
	}
	// A torn record at the end looks the same with any key. Two in a row do not happen by a crash.
	if after.what == stepBad && after.next > 0 {
		if err := s.checkKey(l); err != nil {
			return 0, err
		}
	}
	if bad.next > 0 && after.what == stepEnd {
		return 0, nil
	}
	resume, _, err := s.search(l, off+1)
	return resume, err
}

// checkKey makes sure, before records are given up, that it is not all the key's fault.
func (s *scanner) checkKey(l *logFile) error {
	if l.meta.encryption == nil || l.keyFits {
		return nil
	}
	_, found, err := s.search(l, 0)
	if err != nil {
		return err
	}
	if !found {
		return errorIn(l, fmt.Errorf("encrypted with key %q: %w", l.meta.encryption.alias, errWrongKey))
	}
	l.keyFits = true
	return nil
}

// search returns the offset of the first good record at or behind off, if there is one. It is remembered from
// where on there is none, as damage may be in many places.
func (s *scanner) search(l *logFile, off int64) (at int64, found bool, err error) {
	from := off
	for l.barren == 0 || off < l.barren {
		f, err := s.files.get(l.name)
		if err != nil {
			return 0, false, fmt.Errorf("opening log: %w", err)
		}
		data, err := f.readOn(off, frameSize+headSize)
		if err != nil {
			return 0, false, errorIn(l, err)
		}
		i := bytes.IndexByte(data, opRecord)
		switch {
		case len(data) < frameSize:
			l.barren = max(from, 1)
			return 0, false, nil
		case i < 0:
			off += int64(len(data))
			continue
		}
		off += int64(i)
		good, err := s.goodAt(l, f, off)
		if good || err != nil {
			return off, good, err
		}
		off++
	}
	return 0, false, nil
}

// goodAt says whether a record stands at off.
func (s *scanner) goodAt(l *logFile, f *openFile, off int64) (bool, error) {
	if likely, err := s.likely(l, f, off); err != nil || !likely {
		return false, err
	}
	st, err := s.at(l, off)
	return st.what == stepRecord, err
}

// likely says whether a record may stand at off, cheaply: reading every place as a record would take the
// square of the log's length.
func (s *scanner) likely(l *logFile, f *openFile, off int64) (bool, error) {
	if l.meta.version == version2 {
		head, err := f.read(off, 7)
		return len(head) == 7 && binary.BigEndian.Uint32(head[1:]) == magicV2 && head[5] == 0, err
	}
	head, err := f.read(off, frameSize+headSize)
	if err != nil || len(head) < frameSize+headSize {
		return false, errorIn(l, err)
	}
	var clear [headSize]byte
	copy(clear[:], head[frameSize:])
	if l.meta.encryption != nil {
		if err := s.unlock(l); err != nil {
			return false, err
		}
		for i := range clear {
			clear[i] ^= l.cipher.head[i]
		}
	}
	return looksLikeHead(clear[:]), nil
}
