package wal

import "github.com/flume-go/flume/event"

// cache holds recent batches for the reader: what was appended behind its position, without a
// hole, as far as the budget goes. What comes after it was full is read from the disk, as the
// reader needs what is oldest first. Log.mu guards it.
type cache struct {
	entries []cached
	bytes   int64
	broken  bool // something behind the last entry is not here
}

// cached is one batch, of which the cache has a reference.
type cached struct {
	batch *event.Batch
	first uint64
	at    int64 // when it was appended
	seg   *segment
	end   int64 // of its record
	size  int64
}

// push adds a batch whose record ends at end.
func (c *cache) push(r *request, seg *segment, end, budget int64) {
	size := r.put.size
	if c.broken || c.bytes+size > budget {
		c.broken = true
		return
	}
	b := r.batch
	if b.Sparse() {
		b = b.Compact()
	} else {
		b.Retain()
	}
	c.entries = append(c.entries, cached{b, r.first, r.at, seg, end, size})
	c.bytes += size
}

// pop returns the first entry if it starts no later than event expect; its reference goes to the caller.
func (c *cache) pop(expect uint64) (cached, bool) {
	if len(c.entries) == 0 || c.entries[0].first > expect {
		return cached{}, false
	}
	e := c.entries[0]
	c.entries[0] = cached{}
	c.bytes -= e.size
	if c.entries = c.entries[1:]; len(c.entries) == 0 {
		c.entries = nil
	}
	return e, true
}

// dropUntil releases what starts before event next: the reader has had it from the disk.
func (c *cache) dropUntil(next uint64) {
	for {
		e, ok := c.pop(next - 1)
		if !ok {
			return
		}
		e.batch.Release()
	}
}

func (c *cache) clear() {
	for i := range c.entries {
		c.entries[i].batch.Release()
	}
	*c = cache{broken: true}
}
