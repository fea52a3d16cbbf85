package javachannel

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/flume-go/flume/internal/vfs"
)

const (
	ringStart         = 1029     // words before the ring in a checkpoint file
	maxCheckpointMeta = 16 << 20 // a pair of numbers for each log with staged events
	wordSize          = 8
	backupMark        = "backupComplete"
)

// checkpoint is the queue at some moment.
type checkpoint struct {
	version int
	order   int64 // write-order number: what the logs say up to it is contained
	queue   queue

	// puts are of transactions that were open, takes those whose events are no longer in queue.
	puts, takes map[int64][]pointer
}

// badCheckpointError says why a checkpoint cannot be used. Any other error means that it is not known
// whether it could.
type badCheckpointError struct{ reason string }

func (e *badCheckpointError) Error() string { return e.reason }

func bad(format string, args ...any) error {
	return &badCheckpointError{fmt.Sprintf(format, args...)}
}

// loadCheckpoint reads the checkpoint in a directory. It returns nil if there is none at all.
func loadCheckpoint(fsys vfs.FS, dir string) (*checkpoint, error) {
	name := filepath.Join(dir, "checkpoint")
	meta, err := readSmall(fsys, name+".meta", maxCheckpointMeta)
	hasMeta := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, malformedIsBad("checkpoint.meta", err)
	}
	t, err := openTable(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		if hasMeta {
			return nil, bad("checkpoint.meta is there and checkpoint is not")
		}
		return nil, nil
	}
	if err != nil {
		return nil, malformedIsBad("checkpoint", err)
	}
	c := new(checkpoint)
	size, head, err := c.examine(t, meta, hasMeta)
	if err != nil {
		return nil, err
	}
	if err := c.fill(t, size, head); err != nil {
		return nil, malformedIsBad("checkpoint", err)
	}
	if c.puts, err = loadInflight(fsys, filepath.Join(dir, "inflightputs")); err != nil {
		return nil, err
	}
	if c.takes, err = loadInflight(fsys, filepath.Join(dir, "inflighttakes")); err != nil {
		return nil, err
	}
	return c, nil
}

// malformedIsBad makes what is wrong with the content of a file, as opposed to its storage, the
// checkpoint's fault.
func malformedIsBad(file string, err error) error {
	if errors.Is(err, errMalformed) || errors.Is(err, errSnappy) {
		return bad("%s: %v", file, err)
	}
	return fmt.Errorf("reading the checkpoint: %w", err)
}

// examine checks the table's head and finds the queue in its ring.
func (c *checkpoint) examine(t *table, meta []byte, hasMeta bool) (size, head int64, err error) {
	switch {
	case t.version == version2 && !hasMeta:
		c.version, c.order = version2, t.order
		size, head = t.sizeV2, t.headV2
	case !hasMeta:
		return 0, 0, bad("checkpoint is of version %d and checkpoint.meta is missing", t.version)
	case t.version != version3:
		return 0, 0, bad("checkpoint is of version %d, expected %d", t.version, version3)
	default:
		m, err := parseCheckpointMeta(meta)
		if err != nil {
			return 0, 0, bad("checkpoint.meta: %v", err)
		}
		if m.version != version3 {
			return 0, 0, bad("checkpoint.meta is of version %d, expected %d", m.version, version3)
		}
		if m.order != t.order {
			return 0, 0, bad("checkpoint is number %d and checkpoint.meta number %d", t.order, m.order)
		}
		c.version, c.order = version3, m.order
		size, head = int64(m.size), int64(m.head)
	}
	switch {
	case t.marker != 0:
		return 0, 0, bad("checkpoint was not completed: Flume stopped while it was writing")
	case size < 0 || size > t.capacity || head < 0 || head >= t.capacity:
		return 0, 0, bad("queue of %d events at %d does not fit into a capacity of %d", size, head, t.capacity)
	}
	return size, head, nil
}

// fill reads the queue: from head to the end of the ring and on from its beginning.
func (c *checkpoint) fill(t *table, size, head int64) error {
	first := min(size, t.capacity-head)
	if err := t.words(ringStart+head, first, c.pushWord); err != nil {
		return err
	}
	return t.words(ringStart, size-first, c.pushWord)
}

func (c *checkpoint) pushWord(w uint64) error {
	p := pointer(w)
	if !p.valid() {
		return fmt.Errorf("%w: pointer %#x", errMalformed, w)
	}
	c.queue.push(p)
	return nil
}

// table is a checkpoint file: 64-bit words, compressed in a backup on demand.
type table struct {
	fs     vfs.FS
	name   string
	packed bool

	capacity              int64
	version               int64
	order, sizeV2, headV2 int64
	marker                int64
}

// openTable reads the head of a checkpoint file or of its compressed form.
func openTable(fsys vfs.FS, name string) (*table, error) {
	t := &table{fs: fsys, name: name}
	info, err := fsys.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		t.name, t.packed = name+".snappy", true
		info, err = fsys.Stat(t.name)
	}
	if err != nil {
		return nil, err
	}
	size := info.Size()
	if t.packed {
		if size, err = t.clearSize(); err != nil {
			return nil, err
		}
	}
	if size == 0 {
		return nil, fmt.Errorf("%w: it is empty", errMalformed)
	}
	t.capacity = size/wordSize - ringStart
	if size%wordSize != 0 || t.capacity < 1 {
		return nil, fmt.Errorf("%w: no capacity has a checkpoint of %d bytes", errMalformed, size)
	}
	var head []int64
	err = t.words(0, 5, func(w uint64) error {
		head = append(head, int64(w))
		return nil
	})
	if err != nil {
		return nil, err
	}
	t.version, t.order, t.sizeV2, t.headV2, t.marker = head[0], head[1], head[2], head[3], head[4]
	return t, nil
}

// clearSize decompresses the file to learn how long it is.
func (t *table) clearSize() (size int64, err error) {
	f, err := t.fs.OpenFile(t.name, os.O_RDONLY, 0)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return io.Copy(io.Discard, &snappyReader{src: bufio.NewReader(f)})
}

// words calls fn with n words from the given one on.
func (t *table) words(from, n int64, fn func(uint64) error) error {
	if n == 0 {
		return nil
	}
	f, err := t.fs.OpenFile(t.name, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	src := io.Reader(f)
	if t.packed {
		src = &snappyReader{src: bufio.NewReader(f)}
		_, err = io.CopyN(io.Discard, src, from*wordSize)
	} else {
		_, err = f.Seek(from*wordSize, io.SeekStart)
	}
	if err != nil {
		return err
	}
	buffered := bufio.NewReaderSize(src, 64<<10)
	var word [wordSize]byte
	for range n {
		if _, err := io.ReadFull(buffered, word[:]); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return fmt.Errorf("%w: it is cut short", errMalformed)
			}
			return err
		}
		if err := fn(binary.BigEndian.Uint64(word[:])); err != nil {
			return err
		}
	}
	return nil
}

// loadInflight reads an inflight file. One that is missing is empty.
func loadInflight(fsys vfs.FS, name string) (map[int64][]pointer, error) {
	data, err := readSmall(fsys, name, maxInflight)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, malformedIsBad(filepath.Base(name), err)
	}
	open, err := parseInflight(data)
	if err != nil {
		return nil, bad("%s: %v", filepath.Base(name), err)
	}
	return open, nil
}

// backupComplete says whether a directory holds a whole copy of a checkpoint.
func backupComplete(fsys vfs.FS, dir string) (bool, error) {
	if dir == "" {
		return false, nil
	}
	_, err := fsys.Stat(filepath.Join(dir, backupMark))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
