package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// memFlags are the flags of OpenFile that Mem knows.
const memFlags = os.O_RDONLY | os.O_WRONLY | os.O_RDWR |
	os.O_CREATE | os.O_EXCL | os.O_TRUNC | os.O_APPEND

// Mem is a file system in memory that can lose power. The package comment states what it
// models. Beyond that: it keeps permissions but does not enforce them, it has no links, all
// names start at its root, a file has at most 1 GiB, and its length, holes included, counts
// against the capacity until it is removed and its last handle closed.
//
// It is meant for tests and holds each file twice, plus the last few versions of each sector
// since its last sync and each change of a name since the last SyncDir.
type Mem struct {
	mu       sync.Mutex
	root     *node
	pending  []change // of names, oldest first
	capacity int64    // negative: unlimited
	used     int64
	seed     uint64
	clones   uint64 // made so far; each gets randomness of its own
	crashed  bool
}

// node is a file or a directory. The lock of its Mem guards it.
type node struct {
	mode    fs.FileMode
	modTime time.Time

	entries map[string]*node // of a directory, as programs see it
	stable  map[string]*node // and on disk for certain

	content content // of a file
	linked  bool    // has a name
	handles int     // open files
	locked  bool
}

var (
	_ FS            = (*Mem)(nil)
	_ SpaceReporter = (*Mem)(nil)
)

// NewMem returns an empty file system of unlimited capacity. The seed decides what crashes
// leave.
func NewMem(seed uint64) *Mem {
	return &Mem{root: newDir(0o755), capacity: -1, seed: seed}
}

func newDir(perm fs.FileMode) *node {
	return &node{
		mode:    fs.ModeDir | perm.Perm(),
		modTime: time.Now(),
		entries: make(map[string]*node),
		stable:  make(map[string]*node),
		linked:  true,
	}
}

// SetCapacity limits the bytes that files may hold; a negative number lifts the limit. A
// limit below what is used already stops growth and nothing else.
func (m *Mem) SetCapacity(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.capacity = bytes
}

// Used returns the bytes that files hold.
func (m *Mem) Used() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used
}

// room returns by how many bytes files may grow.
func (m *Mem) room() int64 {
	if m.capacity < 0 {
		return math.MaxInt64
	}
	return max(m.capacity-m.used, 0)
}

// DiskFree implements [SpaceReporter].
func (m *Mem) DiskFree(dir string) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.dir("diskfree", dir); err != nil {
		return 0, err
	}
	return uint64(m.room()), nil
}

// OpenFile implements [FS]. Unlike the operating system's it opens no directories, and it
// refuses flags it does not know.
func (m *Mem) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.open(name, flag, perm)
	if err != nil {
		return nil, err
	}
	n.handles++
	return &memFile{mem: m, node: n, name: name, flag: flag}, nil
}

func (m *Mem) open(name string, flag int, perm fs.FileMode) (*node, error) {
	if flag&^memFlags != 0 {
		return nil, pathError("open", name, fmt.Errorf("flags %#x: %w", flag&^memFlags, syscall.EINVAL))
	}
	parent, base, err := m.parent("open", name)
	if err != nil {
		return nil, err
	}
	n := parent.entries[base]
	switch {
	case base == "" || n != nil && n.mode.IsDir():
		return nil, pathError("open", name, syscall.EISDIR)
	case n == nil && flag&os.O_CREATE == 0:
		return nil, pathError("open", name, syscall.ENOENT)
	case n == nil:
		n = &node{mode: perm.Perm(), modTime: time.Now(), linked: true}
		m.change(change{node: n, toDir: parent, toName: base})
		return n, nil
	case flag&os.O_CREATE != 0 && flag&os.O_EXCL != 0:
		return nil, pathError("open", name, syscall.EEXIST)
	}
	if flag&os.O_TRUNC != 0 && flag&(os.O_WRONLY|os.O_RDWR) != 0 {
		m.truncate(n, 0)
	}
	return n, nil
}

// change does a change of names, durable only later.
func (m *Mem) change(c change) {
	if c.toDir == nil {
		m.unlink(c.node)
	} else if old := c.toDir.entries[c.toName]; old != nil {
		m.unlink(old)
	}
	now := time.Now()
	for _, dir := range []*node{c.fromDir, c.toDir} {
		if dir != nil {
			dir.modTime = now
		}
	}
	c.apply(func(dir *node) map[string]*node { return dir.entries })
	m.pending = append(m.pending, c)
}

// unlink takes the name from a node and, if nobody has it open, its space.
func (m *Mem) unlink(n *node) {
	n.linked = false
	m.release(n)
}

// release frees the space of a file that can no longer be reached.
func (m *Mem) release(n *node) {
	if !n.linked && n.handles == 0 {
		m.used -= int64(len(n.content.live))
	}
}

// truncate sets a file's length; the caller has checked the room.
func (m *Mem) truncate(n *node, size int64) {
	m.used += size - int64(len(n.content.live))
	n.content.truncate(size)
	n.modTime = time.Now()
}

// MkdirAll implements [FS].
func (m *Mem) MkdirAll(dir string, perm fs.FileMode) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.crashed {
		return pathError("mkdir", dir, ErrCrashed)
	}
	n := m.root
	for _, part := range split(dir) {
		next := n.entries[part]
		if next == nil {
			next = newDir(perm)
			m.change(change{node: next, toDir: n, toName: part})
		}
		if !next.mode.IsDir() {
			return pathError("mkdir", dir, syscall.ENOTDIR)
		}
		n = next
	}
	return nil
}

// Remove implements [FS].
func (m *Mem) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	parent, base, err := m.parent("remove", name)
	if err != nil {
		return err
	}
	n := parent.entries[base]
	switch {
	case base == "":
		return pathError("remove", name, syscall.EBUSY)
	case n == nil:
		return pathError("remove", name, syscall.ENOENT)
	case len(n.entries) > 0:
		return pathError("remove", name, syscall.ENOTEMPTY)
	}
	m.change(change{node: n, fromDir: parent, fromName: base})
	return nil
}

// Rename implements [FS].
func (m *Mem) Rename(oldname, newname string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.rename(oldname, newname); err != nil {
		return &os.LinkError{Op: "rename", Old: oldname, New: newname, Err: err}
	}
	return nil
}

func (m *Mem) rename(oldname, newname string) error {
	fromDir, fromName, err := m.parent("rename", oldname)
	if err != nil {
		return errors.Unwrap(err)
	}
	toDir, toName, err := m.parent("rename", newname)
	if err != nil {
		return errors.Unwrap(err)
	}
	n, old := fromDir.entries[fromName], toDir.entries[toName]
	switch {
	case fromName == "" || toName == "":
		return syscall.EBUSY
	case n == nil:
		return syscall.ENOENT
	case n == old:
		return nil
	case n.mode.IsDir() && isBelow(newname, oldname):
		return syscall.EINVAL
	case old != nil && old.mode.IsDir():
		return syscall.EEXIST
	case old != nil && n.mode.IsDir():
		return syscall.ENOTDIR
	}
	m.change(change{node: n, fromDir: fromDir, fromName: fromName, toDir: toDir, toName: toName})
	return nil
}

// Stat implements [FS].
func (m *Mem) Stat(name string) (fs.FileInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find("stat", name)
	if err != nil {
		return nil, err
	}
	return n.info(name), nil
}

// ReadDir implements [FS].
func (m *Mem) ReadDir(dir string) ([]fs.DirEntry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.dir("readdir", dir)
	if err != nil {
		return nil, err
	}
	list := make([]fs.DirEntry, 0, len(n.entries))
	for _, name := range slices.Sorted(maps.Keys(n.entries)) {
		list = append(list, fs.FileInfoToDirEntry(n.entries[name].info(name)))
	}
	return list, nil
}

// SyncDir implements [FS].
func (m *Mem) SyncDir(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.dir("sync", dir)
	if err != nil {
		return err
	}
	m.syncDir(n)
	return nil
}

// Lock implements [FS].
func (m *Mem) Lock(name string) (io.Closer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.open(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if n.locked {
		return nil, pathError("lock", name, ErrLocked)
	}
	n.locked = true
	n.handles++
	return &memFile{mem: m, node: n, name: name, locks: true}, nil
}

// find returns the node of a name.
func (m *Mem) find(op, name string) (*node, error) {
	parent, base, err := m.parent(op, name)
	if err != nil {
		return nil, err
	}
	if base == "" {
		return m.root, nil
	}
	n := parent.entries[base]
	if n == nil {
		return nil, pathError(op, name, syscall.ENOENT)
	}
	return n, nil
}

// dir returns the node of a directory.
func (m *Mem) dir(op, name string) (*node, error) {
	n, err := m.find(op, name)
	if err == nil && !n.mode.IsDir() {
		err = pathError(op, name, syscall.ENOTDIR)
	}
	if err != nil {
		return nil, err
	}
	return n, nil
}

// parent returns the directory that holds or would hold name, and the last part of the name,
// which is empty for the root. Its errors are *fs.PathError.
func (m *Mem) parent(op, name string) (*node, string, error) {
	if m.crashed {
		return nil, "", pathError(op, name, ErrCrashed)
	}
	if name == "" {
		return nil, "", pathError(op, name, syscall.ENOENT)
	}
	parts := split(name)
	if len(parts) == 0 {
		return m.root, "", nil
	}
	dir := m.root
	for _, part := range parts[:len(parts)-1] {
		dir = dir.entries[part]
		switch {
		case dir == nil:
			return nil, "", pathError(op, name, syscall.ENOENT)
		case !dir.mode.IsDir():
			return nil, "", pathError(op, name, syscall.ENOTDIR)
		}
	}
	return dir, parts[len(parts)-1], nil
}

// split returns the parts of a name, counted from the root.
func split(name string) []string {
	return strings.FieldsFunc(filepath.ToSlash(filepath.Clean("/"+name)), func(r rune) bool {
		return r == '/'
	})
}

// isBelow reports whether name is inside dir.
func isBelow(name, dir string) bool {
	n, d := split(name), split(dir)
	return len(n) > len(d) && slices.Equal(n[:len(d)], d)
}

func pathError(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// info describes the node at this moment.
func (n *node) info(name string) fs.FileInfo {
	return memInfo{filepath.Base(name), int64(len(n.content.live)), n.mode, n.modTime}
}

// memInfo is what Stat returns.
type memInfo struct {
	name    string
	size    int64
	mode    fs.FileMode
	modTime time.Time
}

func (i memInfo) Name() string       { return i.name }
func (i memInfo) Size() int64        { return i.size }
func (i memInfo) Mode() fs.FileMode  { return i.mode }
func (i memInfo) ModTime() time.Time { return i.modTime }
func (i memInfo) IsDir() bool        { return i.mode.IsDir() }
func (i memInfo) Sys() any           { return nil }
