package wal

import (
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/flume-go/flume/internal/vfs"
)

const (
	segmentMagic   = "FLUMEWAL"
	segmentVersion = 2                  // 1 was in development versions: records at multiples of 8
	segmentHeader  = vfs.SectorSize     // of one copy
	segmentStart   = 2 * vfs.SectorSize // of the first record
	segmentPrefix  = "segment-"
	segmentSuffix  = ".wal"
)

// segment is one life of a segment file. Log.mu guards it unless said otherwise.
type segment struct {
	dir  string
	path string
	slot uint32
	size int64 // of the file
	id   logID
	gen  uint64

	sealing sealing // does not change during a life

	events Range // numbers of its puts; those between that it does not have are gone
	live   uint64
	bytes  int64 // of the bodies of all its events
	since  int64
	end    int64 // of the records a reader may see
	sealed bool
	pins   int // reads in progress

	// Of the active one, with the pen: see writer.
	file    vfs.File
	aead    cipher.AEAD // seals puts, nil in the clear
	written int64       // end of what was written
	synced  int64       // end of what is durable
	failed  error       // of a write that failed: it takes nothing more

	foreseen bool // its successor was asked for

	told map[int64]bool // positions of damage that was reported; the reader's and recovery's
}

// at is the place of a record at position pos.
func (s *segment) at(pos int64) place { return place{s.id, s.gen, pos} }

// extent is what a snapshot says of the segment.
func (s *segment) extent(end int64) extent {
	return extent{slot: s.slot, gen: s.gen, events: s.events, end: end, bytes: s.bytes, since: s.since}
}

// segmentName returns the file name of a slot.
func segmentName(slot uint32) string {
	return fmt.Sprintf("%s%08d%s", segmentPrefix, slot, segmentSuffix)
}

// slotOf is the reverse of segmentName; false for other files.
func slotOf(name string) (uint32, bool) {
	var slot uint32
	if _, err := fmt.Sscanf(name, segmentPrefix+"%d"+segmentSuffix, &slot); err != nil {
		return 0, false
	}
	return slot, segmentName(slot) == name
}

// encodeSegmentHeader returns both copies, as they begin the file.
func encodeSegmentHeader(s *segment) []byte {
	le := binary.LittleEndian
	b := make([]byte, segmentStart)
	copy(b, segmentMagic)
	le.PutUint32(b[8:], segmentVersion)
	copy(b[16:], s.id[:])
	le.PutUint64(b[32:], s.gen)
	le.PutUint64(b[40:], s.events.From)
	le.PutUint64(b[48:], uint64(s.size))
	le.PutUint32(b[56:], s.slot)
	b[60], b[61] = s.sealing.cipher, byte(len(s.sealing.alias))
	copy(b[64:], s.sealing.salt[:])
	copy(b[96:], s.sealing.check[:])
	copy(b[112:], s.sealing.alias)
	le.PutUint32(b[12:], checksum(b[:segmentHeader]))
	copy(b[vfs.SectorSize:], b[:segmentHeader])
	return b
}

// headerVersion returns the format that one copy says it has; false if it is damaged or was never written.
func headerVersion(b []byte) (version uint32, ok bool) {
	le := binary.LittleEndian
	var head [segmentHeader]byte
	copy(head[:], b)
	clear(head[12:16])
	return le.Uint32(b[8:]), string(head[:8]) == segmentMagic && le.Uint32(b[12:]) == checksum(head[:])
}

// decodeSegmentHeader fills s from one copy; false if it is not good.
func decodeSegmentHeader(b []byte, s *segment) bool {
	le := binary.LittleEndian
	if version, ok := headerVersion(b); !ok || version != segmentVersion {
		return false
	}
	copy(s.id[:], b[16:])
	s.gen = le.Uint64(b[32:])
	s.events = Range{le.Uint64(b[40:]), le.Uint64(b[40:])}
	s.size = int64(le.Uint64(b[48:]))
	s.sealing = sealing{cipher: b[60], alias: string(b[112 : 112+int(b[61])])}
	copy(s.sealing.salt[:], b[64:])
	copy(s.sealing.check[:], b[96:])
	return le.Uint32(b[56:]) == s.slot && s.size >= segmentStart
}

// headState is what was found at the beginning of a segment file.
type headState uint8

const (
	headGood    headState = iota
	headOneBad            // one copy is damaged
	headUnused            // the file was never a segment
	headDamaged           // it was one, but no copy is good
)

// readHead fills s from the beginning of its file.
func readHead(fsys vfs.FS, s *segment) (state headState, err error) {
	f, err := fsys.OpenFile(s.path, os.O_RDONLY, 0)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	var b [segmentStart]byte
	n, err := readFull(f, b[:], 0)
	if err != nil {
		return 0, err
	}
	one, two := *s, *s
	goodOne := decodeSegmentHeader(b[:vfs.SectorSize], &one)
	goodTwo := decodeSegmentHeader(b[vfs.SectorSize:], &two)
	switch {
	case goodOne && (!goodTwo || one.gen >= two.gen):
		*s = one
	case goodTwo:
		*s = two
	case n < len(b) || allZero(b[:]):
		return headUnused, nil
	default:
		return headDamaged, otherVersion(b[:])
	}
	s.size = min(s.size, info.Size()) // a file that was cut off ends there
	if goodOne && goodTwo || !goodOne && allZero(b[:segmentHeader]) || !goodTwo && allZero(b[vfs.SectorSize:]) {
		return headGood, nil // a copy that is not there yet: the power failed while the life began
	}
	return headOneBad, nil
}

// otherVersion is why a segment without a good header must be left alone: it is whole, and not for this program.
func otherVersion(head []byte) error {
	for _, b := range [][]byte{head[:segmentHeader], head[segmentHeader:]} {
		if version, ok := headerVersion(b); ok && version != segmentVersion {
			return fmt.Errorf("%w: it has version %d, and this program reads version %d; drain it with the program that wrote it",
				ErrVersion, version, segmentVersion)
		}
	}
	return nil
}

// readFull reads at off until p is full or the file ends, and returns how much it read.
func readFull(f vfs.File, p []byte, off int64) (int, error) {
	n, err := f.ReadAt(p, off)
	if n == len(p) || isEOF(err) {
		err = nil
	}
	return n, err
}

func allZero(p []byte) bool {
	for _, b := range p {
		if b != 0 {
			return false
		}
	}
	return true
}

// listSegments returns the segment files of the directories, with only their names known.
func listSegments(fsys vfs.FS, dirs []string) ([]*segment, error) {
	var list []*segment
	for _, dir := range dirs {
		entries, err := fsys.ReadDir(dir)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if slot, ok := slotOf(e.Name()); ok {
				list = append(list, &segment{dir: dir, path: filepath.Join(dir, e.Name()), slot: slot})
			}
		}
	}
	return list, nil
}
