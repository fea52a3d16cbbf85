package vfs_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/flume-go/flume/internal/vfs"
)

// TestCrashProperty does random operations on a few files and compares what a crash leaves
// with an oracle that knows nothing of Mem: for each file all contents it had since its last
// sync, for each name all files it named since the last SyncDir.
func TestCrashProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(t, rapid.Uint64().Draw(t, "seed"))
		t.Repeat(map[string]func(*rapid.T){
			"write":    m.write,
			"gather":   m.gather,
			"truncate": m.truncate,
			"sync":     m.sync,
			"create":   m.create,
			"rename":   m.rename,
			"remove":   m.remove,
			"syncdir":  m.syncDir,
			"crash":    m.crash,
			"":         func(t *rapid.T) { m.checkLive(t); m.checkCrashes(t) },
		})
	})
}

var modelNames = []string{"a", "b", "c"}

// maxModelFile spans a few sectors, the last one in part.
const maxModelFile = 4*vfs.SectorSize + 100

// modelFile is a file and its contents since the last sync, oldest first.
type modelFile struct {
	handle   vfs.File
	contents [][]byte
}

func (f *modelFile) live() []byte { return f.contents[len(f.contents)-1] }

func (f *modelFile) edit(change func([]byte) []byte) {
	f.contents = append(f.contents, change(bytes.Clone(f.live())))
}

type model struct {
	fs    *vfs.Mem
	names map[string][]*modelFile // since the last SyncDir; nil for absent; the last is now
	stamp byte                    // makes every write differ
}

func newModel(t *rapid.T, seed uint64) *model {
	m := &model{fs: vfs.NewMem(seed), names: make(map[string][]*modelFile)}
	for _, name := range modelNames {
		m.names[name] = []*modelFile{nil}
	}
	return m
}

func (m *model) now(name string) *modelFile {
	all := m.names[name]
	return all[len(all)-1]
}

func (m *model) set(name string, f *modelFile) { m.names[name] = append(m.names[name], f) }

// draw picks a name and its file, which is nil if there is none; the step then does nothing.
func (m *model) draw(t *rapid.T) (string, *modelFile) {
	name := rapid.SampledFrom(modelNames).Draw(t, "name")
	return name, m.now(name)
}

func (m *model) bytes(t *rapid.T, off int) []byte {
	m.stamp++
	n := rapid.IntRange(0, maxModelFile-off).Draw(t, "length")
	return bytes.Repeat([]byte{m.stamp}, n)
}

func (m *model) write(t *rapid.T) {
	_, f := m.draw(t)
	if f == nil {
		return
	}
	off := rapid.IntRange(0, maxModelFile).Draw(t, "offset")
	p := m.bytes(t, off)
	if n, err := f.handle.WriteAt(p, int64(off)); n != len(p) || err != nil {
		t.Fatalf("writing: %d, %v", n, err)
	}
	f.edit(func(b []byte) []byte { return overwrite(b, p, off) })
}

func (m *model) gather(t *rapid.T) {
	_, f := m.draw(t)
	if f == nil {
		return
	}
	off := rapid.IntRange(0, maxModelFile).Draw(t, "offset")
	p := m.bytes(t, off)
	cut := rapid.IntRange(0, len(p)).Draw(t, "cut")
	if n, err := vfs.WritevAt(f.handle, [][]byte{p[:cut], nil, p[cut:]}, int64(off)); n != int64(len(p)) || err != nil {
		t.Fatalf("gathering: %d, %v", n, err)
	}
	// Each slice may end up on its own; the first is a state in between.
	f.edit(func(b []byte) []byte { return overwrite(b, p[:cut], off) })
	f.edit(func(b []byte) []byte { return overwrite(b, p[cut:], off+cut) })
}

func overwrite(b, p []byte, off int) []byte {
	if len(p) == 0 {
		return b
	}
	if grow := off + len(p) - len(b); grow > 0 {
		b = append(b, make([]byte, grow)...)
	}
	copy(b[off:], p)
	return b
}

func (m *model) truncate(t *rapid.T) {
	_, f := m.draw(t)
	if f == nil {
		return
	}
	size := rapid.IntRange(0, maxModelFile).Draw(t, "size")
	if err := f.handle.Truncate(int64(size)); err != nil {
		t.Fatal(err)
	}
	f.edit(func(b []byte) []byte {
		b = b[:min(size, len(b))]
		return append(b, make([]byte, size-len(b))...)
	})
}

func (m *model) sync(t *rapid.T) {
	_, f := m.draw(t)
	if f == nil {
		return
	}
	if err := f.handle.Sync(); err != nil {
		t.Fatal(err)
	}
	f.contents = [][]byte{f.live()}
}

func (m *model) create(t *rapid.T) {
	name, f := m.draw(t)
	if f != nil {
		return
	}
	h, err := m.fs.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	m.set(name, &modelFile{handle: h, contents: [][]byte{nil}})
}

func (m *model) rename(t *rapid.T) {
	from, f := m.draw(t)
	if f == nil {
		return
	}
	to := rapid.SampledFrom(modelNames).Draw(t, "to")
	if err := m.fs.Rename(from, to); err != nil {
		t.Fatal(err)
	}
	if from != to {
		m.set(from, nil)
		m.set(to, f)
	}
}

func (m *model) remove(t *rapid.T) {
	name, f := m.draw(t)
	if f == nil {
		return
	}
	if err := m.fs.Remove(name); err != nil {
		t.Fatal(err)
	}
	m.set(name, nil)
}

func (m *model) syncDir(t *rapid.T) {
	if err := m.fs.SyncDir("/"); err != nil {
		t.Fatal(err)
	}
	for name := range m.names {
		m.names[name] = []*modelFile{m.now(name)}
	}
}

// checkLive holds after every step: programs see the last of everything.
func (m *model) checkLive(t *rapid.T) {
	for _, name := range modelNames {
		got, err := vfs.ReadFile(m.fs, name)
		switch f := m.now(name); {
		case f == nil && !errors.Is(err, fs.ErrNotExist):
			t.Fatalf("%s was removed, but reading it gives %v", name, err)
		case f != nil && (err != nil || !bytes.Equal(got, f.live())):
			t.Fatalf("%s reads %d bytes, %v; want %d bytes", name, len(got), err, len(f.live()))
		}
	}
}

// policies are what crashes are tried with after each step.
var policies = []vfs.CrashPolicy{
	loseAll, keepAll, random,
	{Data: 0.5, Entries: 0.5},
	{Data: vfs.Mixed, Entries: vfs.None},
	{Data: vfs.None, Entries: vfs.All},
}

// checkCrashes holds after every step: whatever a crash now leaves is possible.
func (m *model) checkCrashes(t *rapid.T) {
	for _, p := range policies {
		m.find(t, m.fs.CrashClone(p), p)
	}
}

// crash goes on with what one of the crashes leaves.
func (m *model) crash(t *rapid.T) {
	p := rapid.SampledFrom(policies).Draw(t, "policy")
	m.fs = m.fs.Crash(p)
	found := m.find(t, m.fs, p)
	for _, name := range modelNames {
		content, ok := found[name]
		if !ok {
			m.names[name] = []*modelFile{nil}
			continue
		}
		h, err := m.fs.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		m.names[name] = []*modelFile{{handle: h, contents: [][]byte{content}}}
	}
}

// find returns the content of each name that is there after a crash, if all of it is possible.
func (m *model) find(t *rapid.T, c *vfs.Mem, p vfs.CrashPolicy) map[string][]byte {
	found := make(map[string][]byte)
	for _, name := range modelNames {
		content, err := vfs.ReadFile(c, name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		var why []error
		candidates := survivors(m.names[name], p.Entries)
		for _, f := range candidates {
			why = append(why, f.possible(content, err == nil, p.Data))
		}
		if !slices.Contains(why, nil) {
			t.Fatalf("%+v: %s is none of the %d things it can be: %v", p, name, len(why), errors.Join(why...))
		}
		if err == nil {
			found[name] = content
		}
	}
	return found
}

// survivors returns which states, oldest first, may be found after a crash.
func survivors[T any](states []T, s vfs.Survival) []T {
	switch s {
	case vfs.None:
		return states[:1]
	case vfs.All:
		return states[len(states)-1:]
	}
	return states
}

// possible says why a crash cannot leave got of the file; there is none if f is nil.
func (f *modelFile) possible(got []byte, exists bool, s vfs.Survival) error {
	if f == nil || !exists {
		if f == nil && !exists {
			return nil
		}
		return fmt.Errorf("exists: %v, want %v", exists, f != nil)
	}
	contents := survivors(f.contents, s)
	if err := possibleSize(contents, len(got)); err != nil {
		return err
	}
	for start := 0; start < len(got); start += vfs.SectorSize {
		end := min(start+vfs.SectorSize, len(got))
		if !slices.ContainsFunc(contents, func(c []byte) bool {
			return bytes.Equal(got[start:end], padded(c, start, end))
		}) {
			return fmt.Errorf("the sector at %d is none of the %d it can be", start, len(contents))
		}
	}
	return nil
}

// possibleSize accepts the lengths that the file had and sector boundaries on the way.
func possibleSize(contents [][]byte, size int) error {
	before := len(contents[0])
	for _, c := range contents {
		between := size > before && size < len(c) && size%vfs.SectorSize == 0
		if size == len(c) || between {
			return nil
		}
		before = len(c)
	}
	return fmt.Errorf("length %d is none that the file had", size)
}

// padded is a part of c, with zeros past its end.
func padded(c []byte, start, end int) []byte {
	b := make([]byte, end-start)
	if start < len(c) {
		copy(b, c[start:min(end, len(c))])
	}
	return b
}
