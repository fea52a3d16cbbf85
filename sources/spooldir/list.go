package spooldir

import (
	"cmp"
	"container/heap"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/flume-go/flume/internal/vfs"
)

const (
	mostQueued = 256 << 10 // files that are kept of a listing
	mostSpared = 1024      // files that cannot be read, within a pass
	listChunk  = 1024      // entries of a directory in memory

	relistFactor = 10          // a listing is good for so many times what it cost
	racyTime     = time.Second // a directory that has changed so shortly before its listing may have changed again
	mostStill    = time.Minute // the longest time without a listing
	mostWatched  = 1000        // directories of whose changes listings depend
)

// candidate is a file that waits.
type candidate struct {
	key int64  // what comes first has the smallest
	rel string // path below the spool directory, with slashes
}

func (c candidate) compare(d candidate) int {
	return cmp.Or(cmp.Compare(c.key, d.key), strings.Compare(baseOf(c.rel), baseOf(d.rel)), strings.Compare(c.rel, d.rel))
}

func baseOf(rel string) string { return rel[strings.LastIndexByte(rel, '/')+1:] }

// worstFirst is a heap with the candidate on top that comes last.
type worstFirst []candidate

func (h worstFirst) Len() int           { return len(h) }
func (h worstFirst) Less(i, j int) bool { return h[i].compare(h[j]) > 0 }
func (h worstFirst) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *worstFirst) Push(x any)        { *h = append(*h, x.(candidate)) }
func (h *worstFirst) Pop() any {
	last := len(*h) - 1
	c := (*h)[last]
	*h = (*h)[:last]
	return c
}

// lister finds files, pass by pass. In a pass every file that waits comes up once, and its memory does not grow with their number: of a
// listing only the first are kept, and when they are used up the next ones are looked for.
type lister struct {
	s    *source
	seed maphash.Seed

	stopped func() bool // whether the source is told to stop, which ends a listing

	queue  []candidate // what comes next is last
	more   bool        // the listing had more than fit
	last   candidate   // the last of the queue, in the order of files
	spared map[string]bool
	listed time.Time
	cost   time.Duration

	stamps []stamp // of the directories of the last listing; nil if it does not depend on them alone
	found  int     // files in it
	failed bool    // it did not come to its end
	told   string  // how
}

// stamp is the time of a directory's last change.
type stamp struct {
	place
	modified time.Time
}

func newLister(s *source) *lister {
	return &lister{s: s, seed: maphash.MakeSeed(), spared: map[string]bool{}, stopped: func() bool { return false }}
}

// begin begins a pass. It reports whether there is anything in it.
func (l *lister) begin() bool {
	clear(l.spared)
	if l.still() {
		return false
	}
	l.list(nil)
	return len(l.queue) > 0
}

// next returns the next file of the pass.
func (l *lister) next() (candidate, bool) {
	switch {
	case len(l.queue) == 0 && l.more:
		after := l.last
		l.list(&after)
	case len(l.queue) > 0 && !l.more && l.s.cfg.ConsumeOrder != random && len(l.spared) < mostSpared && time.Since(l.listed) > relistFactor*l.cost:
		l.list(nil) // there may be one that comes before
	}
	n := len(l.queue) - 1
	if n < 0 {
		return candidate{}, false
	}
	c := l.queue[n]
	l.queue = l.queue[:n]
	return c, true
}

// spare says that a file cannot be read: it comes up in the next pass.
func (l *lister) spare(c candidate) {
	if len(l.spared) < mostSpared {
		l.spared[c.rel] = true
	}
	l.stamps = nil // what makes it readable may not change its directory
}

// still reports whether there is nothing to be found: there was nothing last time, and no directory has changed.
func (l *lister) still() bool {
	if l.found > 0 || l.failed || len(l.stamps) == 0 || time.Since(l.listed) > mostStill {
		return false
	}
	for _, d := range l.stamps {
		info, err := d.fs.Stat(d.dir)
		if err != nil || !info.ModTime().Equal(d.modified) || l.listed.Sub(d.modified) < racyTime {
			return false
		}
	}
	return true
}

// list fills the queue with the first files, or the first behind one.
func (l *lister) list(after *candidate) {
	l.listed = time.Now()
	l.stamps, l.found, l.failed, l.more = l.stamps[:0], 0, false, false
	best := worstFirst(l.queue[:0])
	watch := true
	for dirs := []string{""}; len(dirs) > 0 && !l.stopped(); {
		dir := dirs[len(dirs)-1]
		dirs = dirs[:len(dirs)-1]
		if watch = watch && l.stamp(dir); !watch {
			l.stamps = nil
		}
		err := l.entries(dir, func(e fs.DirEntry) {
			rel := dir + e.Name()
			if e.IsDir() {
				if l.s.enters(e.Name()) {
					dirs = append(dirs, rel+"/")
				}
				return
			}
			c, ok := l.candidate(e, rel)
			if !ok || l.spared[rel] || after != nil && c.compare(*after) <= 0 {
				return
			}
			l.found++
			l.keep(&best, c)
		})
		l.check(dir, err)
	}
	l.queue = best
	slices.SortFunc(l.queue, func(a, b candidate) int { return b.compare(a) })
	if len(l.queue) > 0 {
		l.last = l.queue[0]
	}
	l.cost = time.Since(l.listed)
}

// keep adds c to the best if it is one of them.
func (l *lister) keep(best *worstFirst, c candidate) {
	switch {
	case len(*best) < mostQueued:
		heap.Push(best, c)
	case c.compare((*best)[0]) < 0:
		(*best)[0] = c
		heap.Fix(best, 0)
		l.more = true
	default:
		l.more = true
	}
}

// stamp takes note of when dir was changed. It reports whether changes of the directories are all that a listing depends on.
func (l *lister) stamp(dir string) bool {
	places := []place{{l.s.files, l.s.pathOf(dir)}}
	if l.s.cfg.notes() {
		if l.s.cfg.Recursive {
			return false
		}
		places = append(places, place{l.s.fs, l.s.cfg.tracker()})
	}
	for _, at := range places {
		info, err := at.fs.Stat(at.dir)
		if err != nil || len(l.stamps) >= mostWatched {
			return false
		}
		l.stamps = append(l.stamps, stamp{at, info.ModTime()})
	}
	return true
}

// entries calls fn with each entry of dir.
func (l *lister) entries(dir string, fn func(fs.DirEntry)) error {
	path := l.s.pathOf(dir)
	if _, system := l.s.files.(vfs.OS); !system {
		all, err := l.s.files.ReadDir(path)
		for _, e := range all {
			fn(e)
		}
		return err
	}
	// A directory may have more entries than there is memory for.
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for !l.stopped() {
		some, err := f.ReadDir(listChunk)
		for _, e := range some {
			fn(e)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// check takes note of a directory that could not be listed. Those that vanished meanwhile are none of them.
func (l *lister) check(dir string, err error) {
	if err == nil || dir != "" && errors.Is(err, fs.ErrNotExist) {
		if dir == "" && err == nil && l.told != "" {
			l.told = ""
			l.s.log.Info("the spool directory can be listed again", "directory", l.s.cfg.SpoolDir)
		}
		return
	}
	l.failed = true
	if text := err.Error(); l.told != text {
		l.told = text
		l.s.count.otherFail.Add(1)
		l.s.log.Error("a directory cannot be listed; what was found is read", "directory", l.s.pathOf(dir), "error", err)
	}
}

// candidate returns what e is, and whether it is a file to be read.
func (l *lister) candidate(e fs.DirEntry, rel string) (candidate, bool) {
	if !l.s.wants(e.Name()) {
		return candidate{}, false
	}
	if l.s.noted(rel) {
		return candidate{}, false
	}
	if t := e.Type(); t != 0 && t != fs.ModeSymlink {
		l.s.complain(rel, fmt.Errorf("%w but %s", errNotAFile, kindOf(t)))
		return candidate{}, false
	}
	c := candidate{rel: rel}
	if l.s.cfg.ConsumeOrder == random {
		c.key = int64(maphash.String(l.seed, rel)) //nolint:gosec // any number does
		return c, true
	}
	info, err := l.s.files.Stat(l.s.pathOf(rel))
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) || e.Type() == fs.ModeSymlink {
			l.s.complain(rel, err)
		}
		return candidate{}, false
	}
	// Flume compares milliseconds, and then names.
	if c.key = milliseconds(info.ModTime()); l.s.cfg.ConsumeOrder == youngest {
		c.key = -c.key
	}
	return c, true
}

// noted reports whether the tracker directory says that a file is done with.
func (s *source) noted(rel string) bool {
	if !s.cfg.notes() {
		return false
	}
	for _, suffix := range []string{s.cfg.FileSuffix, s.cfg.FailedSuffix} {
		if _, err := s.fs.Stat(filepath.Join(s.cfg.tracker(), filepath.FromSlash(rel)) + suffix); err == nil {
			return true
		}
	}
	return false
}
