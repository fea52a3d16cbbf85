package vfs

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// Survival is how much of what was not synced a crash leaves: a probability for each sector
// or change of a name, or [Mixed].
type Survival float64

const (
	// None loses everything that was not synced.
	None Survival = 0
	// All keeps everything, as when the process is killed and the system lives on.
	All Survival = 1
	// Mixed draws, for each file and for the names, none, all or a probability in
	// between: so runs see whole writes kept and lost as well as torn ones.
	Mixed Survival = -1
)

// share is the probability to use for one file.
func (s Survival) share(rng *rand.Rand) float64 {
	if s != Mixed {
		return float64(s)
	}
	switch rng.IntN(4) {
	case 0:
		return 0
	case 1:
		return 1
	default:
		return rng.Float64()
	}
}

// CrashPolicy says what a crash leaves of what was not synced. The zero value leaves nothing.
type CrashPolicy struct {
	Data    Survival // sectors and lengths of files
	Entries Survival // names created, removed and renamed
}

// Crash cuts the power. It returns what the disk holds, as [Mem.CrashClone] does; from then
// on every operation on m, its open files and its locks fails with [ErrCrashed]. A second
// crash of the same Mem returns another state of the same moment.
func (m *Mem) Crash(p CrashPolicy) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.crashClone(p)
	m.crashed = true
	return c
}

// CrashClone returns a file system with a state that a power cut at this moment could leave,
// durable and without locks; m goes on. The state depends on the seed, the operations so far
// and how many clones were taken before. The clone has m's capacity.
func (m *Mem) CrashClone(p CrashPolicy) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.crashClone(p)
}

func (m *Mem) crashClone(p CrashPolicy) *Mem {
	m.clones++
	rng := rand.New(rand.NewPCG(m.seed, m.clones))
	clone := NewMem(rng.Uint64())
	clone.capacity = m.capacity
	dirs := m.entriesAfterCrash(rng, p.Entries)
	clone.copyDir(clone.root, m.root, dirs, rng, p.Data)
	return clone
}

// entriesAfterCrash returns a lookup of what each directory holds on the disk.
func (m *Mem) entriesAfterCrash(rng *rand.Rand, p Survival) func(*node) map[string]*node {
	view := make(map[*node]map[string]*node)
	lookup := func(dir *node) map[string]*node {
		if view[dir] == nil {
			view[dir] = maps.Clone(dir.stable)
		}
		return view[dir]
	}
	share := p.share(rng)
	for _, ch := range m.pending {
		if pick(rng, share, 1) == 1 {
			ch.apply(lookup)
		}
	}
	return lookup
}

// copyDir fills dst, of m, with what src holds. A directory cannot be met twice: a change
// moves it or does not.
func (m *Mem) copyDir(dst, src *node, entries func(*node) map[string]*node, rng *rand.Rand, p Survival) {
	held := entries(src)
	for _, name := range slices.Sorted(maps.Keys(held)) {
		from := held[name]
		to := &node{mode: from.mode, modTime: from.modTime, linked: true}
		dst.entries[name] = to
		dst.stable[name] = to
		if from.mode.IsDir() {
			to.entries = make(map[string]*node)
			to.stable = make(map[string]*node)
			m.copyDir(to, from, entries, rng, p)
			continue
		}
		to.content.live = from.content.afterCrash(rng, p)
		to.content.stable = slices.Clone(to.content.live)
		m.used += int64(len(to.content.live))
	}
}

// change is one change of names that no SyncDir has made durable: a creation has no source,
// a removal no target.
type change struct {
	node     *node
	fromDir  *node
	fromName string
	toDir    *node
	toName   string
}

func (c *change) touches(dirs map[*node]bool) bool {
	return c.fromDir != nil && dirs[c.fromDir] || c.toDir != nil && dirs[c.toDir]
}

// apply makes the change in the directories that lookup returns. It does nothing if the
// source is not there, because the change that put it there was lost.
func (c *change) apply(lookup func(*node) map[string]*node) {
	if c.fromDir != nil {
		from := lookup(c.fromDir)
		if from[c.fromName] != c.node {
			return
		}
		delete(from, c.fromName)
	}
	if c.toDir != nil {
		lookup(c.toDir)[c.toName] = c.node
	}
}

// syncDir makes the pending changes of dir durable. A rename into it from another directory
// takes along what happened to that one before, on which it may depend.
func (m *Mem) syncDir(dir *node) {
	dirs := map[*node]bool{dir: true}
	durable := make([]bool, len(m.pending))
	for i := len(m.pending) - 1; i >= 0; i-- {
		ch := &m.pending[i]
		if !ch.touches(dirs) {
			continue
		}
		durable[i] = true
		if ch.fromDir != nil && ch.toDir != nil {
			dirs[ch.fromDir], dirs[ch.toDir] = true, true
		}
	}
	rest := m.pending[:0]
	for i, ch := range m.pending {
		if durable[i] {
			ch.apply(func(d *node) map[string]*node { return d.stable })
		} else {
			rest = append(rest, ch)
		}
	}
	clear(m.pending[len(rest):])
	m.pending = rest
}
