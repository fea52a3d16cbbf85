package vfs

import (
	"maps"
	"math/rand/v2"
	"slices"
)

const (
	// maxVersions bounds what is remembered of a sector rewritten between two syncs;
	// beyond it the oldest unsynced version can no longer be found after a crash.
	maxVersions = 4
	// maxSizes does the same for a file's length.
	maxSizes = 64
)

// zeroSector is the version of every sector that a truncation removed.
var zeroSector [SectorSize]byte

// content is a file as programs see it and as the disk may hold it. The lock of [Mem]
// guards it.
type content struct {
	live   []byte
	stable []byte // on disk for certain
	dirty  map[int64]*sector
	sizes  []int64 // lengths since the last sync, oldest first
}

// sector is one that changed since the last sync.
type sector struct {
	versions [][]byte // oldest first, SectorSize each, never changed
	// abandoned marks what was dirty when a sync failed. The system takes it for clean
	// from then on, so no later sync writes it.
	abandoned bool
}

// resize cuts b or extends it with zeros.
func resize(b []byte, size int64) []byte {
	old := int64(len(b))
	if size <= old {
		return b[:size]
	}
	b = slices.Grow(b, int(size-old))[:size]
	clear(b[old:])
	return b
}

// write stores p at off, which may lie beyond the end.
func (c *content) write(p []byte, off int64) {
	if len(p) == 0 {
		return
	}
	end := off + int64(len(p))
	if end > int64(len(c.live)) {
		c.live = resize(c.live, end)
		c.recordSize(end)
	}
	copy(c.live[off:], p)
	c.recordSectors(off, end)
}

// truncate sets the length.
func (c *content) truncate(size int64) {
	old := int64(len(c.live))
	if size == old {
		return
	}
	c.live = resize(c.live, size)
	c.recordSize(size)
	if size < old {
		c.recordSectors(size, old)
	}
}

// recordSectors remembers what the sectors of [from, to) have become.
func (c *content) recordSectors(from, to int64) {
	if c.dirty == nil {
		c.dirty = make(map[int64]*sector)
	}
	for i := from / SectorSize; i*SectorSize < to; i++ {
		s := c.dirty[i]
		if s == nil {
			s = new(sector)
			c.dirty[i] = s
		}
		if len(s.versions) == maxVersions {
			s.versions = slices.Delete(s.versions, 0, 1)
		}
		s.versions = append(s.versions, c.snapshot(i))
		s.abandoned = false
	}
}

// snapshot copies a sector, filled up with zeros past the end of the file.
func (c *content) snapshot(i int64) []byte {
	start := i * SectorSize
	if start >= int64(len(c.live)) {
		return zeroSector[:]
	}
	b := make([]byte, SectorSize)
	copy(b, c.live[start:])
	return b
}

func (c *content) recordSize(size int64) {
	if len(c.sizes) == maxSizes {
		c.sizes = slices.Delete(c.sizes, 0, 1)
	}
	c.sizes = append(c.sizes, size)
}

// sync brings the disk up to date, but for what an earlier failed sync dropped.
func (c *content) sync() {
	c.stable = resize(c.stable, int64(len(c.live)))
	for i, s := range c.dirty {
		if s.abandoned {
			continue
		}
		if start := i * SectorSize; start < int64(len(c.live)) {
			end := min(start+SectorSize, int64(len(c.live)))
			copy(c.stable[start:end], c.live[start:end])
		}
		delete(c.dirty, i)
	}
	c.sizes = nil
}

// failSync marks everything unsynced as dropped by the system.
func (c *content) failSync() {
	for _, s := range c.dirty {
		s.abandoned = true
	}
}

// afterCrash returns a content that a power cut could leave, in memory of its own.
func (c *content) afterCrash(rng *rand.Rand, p Survival) []byte {
	share := p.share(rng)
	b := make([]byte, c.sizeAfterCrash(rng, share))
	copy(b, c.stable)
	for _, i := range slices.Sorted(maps.Keys(c.dirty)) {
		v := pick(rng, share, len(c.dirty[i].versions))
		if start := i * SectorSize; v > 0 && start < int64(len(b)) {
			copy(b[start:], c.dirty[i].versions[v-1])
		}
	}
	return b
}

func (c *content) sizeAfterCrash(rng *rand.Rand, share float64) int64 {
	stable := int64(len(c.stable))
	v := pick(rng, share, len(c.sizes))
	if v == 0 {
		return stable
	}
	size, before := c.sizes[v-1], stable
	if v > 1 {
		before = c.sizes[v-2]
	}
	if share < 1 && size > before && rng.IntN(2) == 0 {
		// The write that grew the file got to some sector boundary only.
		boundaries := (size-1)/SectorSize - before/SectorSize
		if boundaries > 0 {
			return (before/SectorSize + 1 + rng.Int64N(boundaries)) * SectorSize
		}
	}
	return size
}

// pick chooses among the durable state, which is 0, and n later ones: the last with
// probability share, else one of the others.
func pick(rng *rand.Rand, share float64, n int) int {
	switch {
	case n == 0 || share <= 0:
		return 0
	case share >= 1 || rng.Float64() < share:
		return n
	}
	return rng.IntN(n)
}
