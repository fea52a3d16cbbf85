package wal

import (
	"encoding/binary"
	"errors"
)

const (
	snapshotMagic   = "FLUMECKP"
	snapshotVersion = 1
	snapshotFixed   = 8 + 4 + 4 + 16 + 3*8
	snapshotClosed  = 1 // flag: the log was closed after this, so that nothing follows
	snapshotOrigins = 2 // flag: sessions and origins follow
	extentSize      = 4 + 6*8
)

// snapshot is the state of a log at one moment, and from where to replay what followed.
type snapshot struct {
	id      logID
	closed  bool   // nothing was written after this before the next opening
	gen     uint64 // replay from here: generation
	pos     int64  // and position
	next    uint64 // number of the next event
	extents []extent
	gone    rangeSet

	sessions []session
	origins  []mark
}

// extent is a segment in use as a snapshot lists it.
type extent struct {
	slot   uint32
	gen    uint64
	events Range // numbers of its puts
	end    int64 // of its records
	bytes  int64 // of the bodies of all its events
	since  int64 // when its first put was appended, Unix nanoseconds
}

// encode returns the snapshot as bytes.
func (s *snapshot) encode() []byte {
	le := binary.LittleEndian
	b := make([]byte, 0, snapshotFixed+12+len(s.extents)*extentSize+len(s.gone)*16)
	b = append(b, snapshotMagic...)
	b = le.AppendUint32(b, snapshotVersion)
	var flags uint32
	if s.closed {
		flags |= snapshotClosed
	}
	b = le.AppendUint32(b, flags|snapshotOrigins)
	b = append(b, s.id[:]...)
	b = le.AppendUint64(b, s.gen)
	b = le.AppendUint64(b, uint64(s.pos))
	b = le.AppendUint64(b, s.next)
	b = le.AppendUint32(b, uint32(len(s.extents)))
	for _, e := range s.extents {
		b = le.AppendUint32(b, e.slot)
		for _, v := range [...]uint64{e.gen, e.events.From, e.events.To, uint64(e.end), uint64(e.bytes), uint64(e.since)} {
			b = le.AppendUint64(b, v)
		}
	}
	b = appendRanges(b, s.gone)
	b = appendOrigins(appendSessions(b, s.sessions), s.origins)
	return le.AppendUint32(b, checksum(b))
}

var errSnapshot = errors.New("not a whole snapshot of this version")

// decodeSnapshot is the reverse of encode.
func decodeSnapshot(b []byte) (*snapshot, error) {
	le := binary.LittleEndian
	if len(b) < snapshotFixed+12 || string(b[:8]) != snapshotMagic || le.Uint32(b[8:]) != snapshotVersion {
		return nil, errSnapshot
	}
	body := b[:len(b)-4]
	if le.Uint32(b[len(body):]) != checksum(body) {
		return nil, errSnapshot
	}
	flags := le.Uint32(b[12:])
	if flags > snapshotClosed|snapshotOrigins {
		return nil, errSnapshot
	}
	s := &snapshot{closed: flags&snapshotClosed != 0, gen: le.Uint64(b[32:]), pos: int64(le.Uint64(b[40:])), next: le.Uint64(b[48:])}
	copy(s.id[:], b[16:])
	n := int64(le.Uint32(b[snapshotFixed:]))
	rest := body[snapshotFixed+4:]
	if n*extentSize > int64(len(rest)) {
		return nil, errSnapshot
	}
	s.extents = make([]extent, n)
	for i := range s.extents {
		s.extents[i] = extent{
			slot:   le.Uint32(rest),
			gen:    le.Uint64(rest[4:]),
			events: Range{le.Uint64(rest[12:]), le.Uint64(rest[20:])},
			end:    int64(le.Uint64(rest[28:])),
			bytes:  int64(le.Uint64(rest[36:])),
			since:  int64(le.Uint64(rest[44:])),
		}
		rest = rest[extentSize:]
	}
	gone, rest, ok := takeRanges(rest)
	if ok && flags&snapshotOrigins != 0 {
		if s.sessions, rest, ok = takeSessions(rest); ok {
			s.origins, rest, ok = takeOrigins(rest)
		}
	}
	if !ok || len(rest) > 0 {
		return nil, errSnapshot
	}
	for i := 1; i < len(gone); i++ {
		if gone[i].From <= gone[i-1].To {
			return nil, errSnapshot
		}
	}
	s.gone = gone
	return s, nil
}
