package taildir

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/flume-go/flume/internal/vfs"
)

// The journal is a text file beside the position file. It knows what Flume's
// format has no room for (Flume refuses a position file with members that it does
// not know) and is as fresh as the last batch. Each line is a record:
//
//	<crc> f <number> <device> <inode> <position> <head> <anchor> <state> <since> <path> <label>
//	<crc> p <number> <position> <anchor>
//	<crc> d <number>
//	<crc> h <hash>
//
// f describes a file, p moves its position, d forgets it, h tells the hash of the
// position file that is about to be written. A mark is <bytes>:<hash>, texts are
// quoted as in Go, <crc> is the CRC-32C of the rest of the line in hexadecimal. The
// journal begins with a line that names the format. A line that does not check ends
// it: the process was killed while writing it.
const journalTitle = "flume taildir journal 1"

// journalSuffix makes the name of the journal of that of the position file.
const journalSuffix = ".journal"

// rewriteSize is the least size at which the journal is written anew.
const rewriteSize = 1 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// saved is what is kept of one file.
type saved struct {
	no    int
	id    fileID
	place place
	older [oldAnchors]place // not in the record: they are what the position moved from
	state fileState
	since int64 // of a file that is missing, the second since when; of a copy, the number of its twin
	path  string
	label string
}

// fileState says what a saved file was.
type fileState int

const (
	stateLinked   fileState = iota // its path matches a group
	stateDetached                  // its path is another's, or matches no group; not read to its end yet
	stateMissing                   // nowhere to be found
	stateCopy                      // a copy of a file that is being read; its position is its length
)

// appendRecord appends a line with what text appends to it.
func appendRecord(dst []byte, text func([]byte) []byte) []byte {
	start := len(dst)
	dst = append(dst, "00000000 "...)
	dst = text(dst)
	sum := crc32.Checksum(dst[start+9:], castagnoli)
	const digits = "0123456789abcdef"
	for i := range 8 {
		dst[start+7-i] = digits[sum>>(4*i)&15]
	}
	return append(dst, '\n')
}

func appendFile(dst []byte, s *saved) []byte {
	return appendRecord(dst, func(dst []byte) []byte {
		dst = fmt.Appendf(dst, "f %d %d %d %d ", s.no, s.id.dev, s.id.ino, s.place.pos)
		dst = appendMark(dst, s.place.head)
		dst = append(dst, ' ')
		dst = appendMark(dst, s.place.anchor)
		return fmt.Appendf(dst, " %d %d %s %s", s.state, s.since, strconv.Quote(s.path), strconv.Quote(s.label))
	})
}

func appendMove(dst []byte, no int, pos int64, anchor mark) []byte {
	return appendRecord(dst, func(dst []byte) []byte {
		dst = append(dst, "p "...)
		dst = strconv.AppendInt(dst, int64(no), 10)
		dst = append(dst, ' ')
		dst = strconv.AppendInt(dst, pos, 10)
		dst = append(dst, ' ')
		return appendMark(dst, anchor)
	})
}

func appendForget(dst []byte, no int) []byte {
	return appendRecord(dst, func(dst []byte) []byte { return fmt.Appendf(dst, "d %d", no) })
}

func appendHash(dst []byte, hash string) []byte {
	return appendRecord(dst, func(dst []byte) []byte { return append(append(dst, "h "...), hash...) })
}

func appendMark(dst []byte, m mark) []byte {
	dst = strconv.AppendInt(dst, int64(m.n), 10)
	dst = append(dst, ':')
	return m.appendHex(dst)
}

// history is what a journal tells.
type history struct {
	files  map[int]*saved
	hashes []string // of the last position files, at most two; the last may not have been written
	torn   bool     // it ends in a line that does not check
}

// parseJournal reads a journal as far as it is good. It is an error if it is not a
// journal.
func parseJournal(data []byte) (*history, error) {
	h := &history{files: map[int]*saved{}}
	title, rest, ok := bytes.Cut(data, []byte("\n"))
	if string(title) != journalTitle || !ok {
		return h, errors.New("the file is not a journal of a taildir source")
	}
	for len(rest) > 0 {
		var line []byte
		line, rest, ok = bytes.Cut(rest, []byte("\n"))
		if !ok || !h.record(line) {
			h.torn = true
			break
		}
	}
	return h, nil
}

// record takes in one line and reports whether it is good.
func (h *history) record(line []byte) bool {
	if len(line) < 10 || line[8] != ' ' {
		return false
	}
	sum, err := strconv.ParseUint(string(line[:8]), 16, 32)
	if err != nil || uint32(sum) != crc32.Checksum(line[9:], castagnoli) {
		return false
	}
	text := string(line[9:])
	kind, text, _ := strings.Cut(text, " ")
	switch kind {
	case "f":
		return h.file(text)
	case "p":
		return h.move(text)
	case "d":
		no, err := strconv.Atoi(text)
		delete(h.files, no)
		return err == nil
	case "h":
		h.hashes = append(h.hashes, text)
		if len(h.hashes) > 2 {
			h.hashes = h.hashes[1:]
		}
		return true
	default:
		return false
	}
}

func (h *history) file(text string) bool {
	fields := strings.SplitN(text, " ", 9)
	if len(fields) < 9 {
		return false
	}
	path, err := strconv.QuotedPrefix(fields[8])
	if err != nil {
		return false
	}
	var s saved
	var errs [7]error
	s.no, errs[0] = strconv.Atoi(fields[0])
	s.id.dev, errs[1] = strconv.ParseUint(fields[1], 10, 64)
	s.id.ino, errs[2] = strconv.ParseUint(fields[2], 10, 64)
	s.place.pos, errs[3] = strconv.ParseInt(fields[3], 10, 64)
	state, stateErr := strconv.Atoi(fields[6])
	s.since, errs[4] = strconv.ParseInt(fields[7], 10, 64)
	s.path, errs[5] = strconv.Unquote(path)
	s.label, errs[6] = strconv.Unquote(strings.TrimPrefix(fields[8][len(path):], " "))
	head, okHead := markOfText(fields[4])
	anchor, okAnchor := markOfText(fields[5])
	s.place.head, s.place.anchor, s.state = head, anchor, fileState(state)
	if errors.Join(errs[:]...) != nil || stateErr != nil || !okHead || !okAnchor || !s.place.sound() ||
		s.state < stateLinked || s.state > stateCopy {
		return false
	}
	h.files[s.no] = &s
	return true
}

func (h *history) move(text string) bool {
	fields := strings.Split(text, " ")
	if len(fields) != 3 {
		return false
	}
	no, err := strconv.Atoi(fields[0])
	pos, posErr := strconv.ParseInt(fields[1], 10, 64)
	anchor, ok := markOfText(fields[2])
	if err != nil || posErr != nil || !ok {
		return false
	}
	s := h.files[no]
	if s == nil {
		return true // of no interest
	}
	moved := place{pos: pos, head: s.place.head, anchor: anchor}
	if !moved.sound() {
		return false
	}
	copy(s.older[1:], s.older[:])
	s.older[0] = place{pos: s.place.pos, anchor: s.place.anchor}
	s.place = moved
	return true
}

// sound reports whether the anchor is of bytes before the position.
func (p place) sound() bool {
	return p.pos >= 0 && int64(p.anchor.n) <= p.pos && p.anchor.n <= anchorBytes
}

func markOfText(text string) (mark, bool) {
	n, hash, ok := strings.Cut(text, ":")
	size, err := strconv.Atoi(n)
	if !ok || err != nil {
		return mark{}, false
	}
	return parseMark(size, hash)
}

// inOrder returns the files by number.
func (h *history) inOrder() []*saved {
	all := make([]*saved, 0, len(h.files))
	for _, s := range h.files {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *saved) int { return a.no - b.no })
	return all
}

// journal appends records to the journal's file. Not safe for concurrent use.
type journal struct {
	fs    vfs.FS
	name  string
	file  vfs.File
	buf   []byte // records not written yet
	size  int64
	first int64 // size when it was written anew
	dirty bool  // something was written since the last sync

	// broken says that a write failed and may have left a part of a record: no
	// more is written until the journal has been written anew.
	broken bool
}

// startJournal replaces the journal by one that begins with these records.
func startJournal(fsys vfs.FS, name string, records []byte) (*journal, error) {
	j := &journal{fs: fsys, name: name}
	if err := j.rewrite(records); err != nil {
		return nil, err
	}
	return j, nil
}

func (j *journal) rewrite(records []byte) error {
	text := append([]byte(journalTitle+"\n"), records...)
	if err := vfs.ReplaceFile(j.fs, j.name, text, 0o644); err != nil {
		return fmt.Errorf("writing the journal of the positions: %w", err)
	}
	f, err := j.fs.OpenFile(j.name, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return fmt.Errorf("opening the journal of the positions: %w", err)
	}
	old := j.file
	j.file, j.buf, j.dirty, j.broken = f, j.buf[:0], false, false
	j.size = int64(len(text))
	j.first = j.size
	if old != nil {
		if err := old.Close(); err != nil && !errors.Is(err, fs.ErrClosed) {
			return fmt.Errorf("closing the former journal of the positions: %w", err)
		}
	}
	return nil
}

// grown reports whether the journal should be written anew.
func (j *journal) grown() bool { return j.broken || j.size > 4*j.first+rewriteSize }

// flush writes the records: they survive the end of the process.
func (j *journal) flush() error {
	buf := j.buf
	j.buf = j.buf[:0]
	if len(buf) == 0 || j.broken {
		return nil
	}
	n, err := j.file.Write(buf)
	j.size += int64(n)
	if err != nil {
		j.broken = true
		return fmt.Errorf("writing the journal of the positions: %w", err)
	}
	j.dirty = true
	return nil
}

// sync makes what was written survive a power cut.
func (j *journal) sync() error {
	if !j.dirty {
		return nil
	}
	if err := vfs.SyncData(j.file); err != nil {
		return fmt.Errorf("syncing the journal of the positions: %w", err)
	}
	j.dirty = false
	return nil
}

func (j *journal) close() error { return j.file.Close() }
