package taildir

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// rotationWay is one way in which people configure logrotate.
type rotationWay struct {
	name    string
	pattern string // of the files that are followed
	follow  []string

	hold     hold
	nocreate bool // the program makes the new log
	copies   bool // the log is copied and stays
	cuts     bool // and is cut off
	tmp      bool // it is renamed to a temporary name, and that is copied
	olddir   bool
	dated    bool
	inside   bool   // the number stands before the extension
	pack     string // suffix of packed files
	delay    bool   // packed with the next rotation
	keep     int    // older contents that are kept; 0: all, -1: none

	lossy    bool // lines that are written between copying and truncating are in no file
	seen     bool // a content must have been seen before it is rotated
	gone     bool // contents are removed in the end
	immortal bool // the source is not killed, as nothing is left for the next
}

// hold says how a program holds on to its log.
type hold int

const (
	bySignal hold = iota // opens it again when a signal tells it to
	byName               // looks before each write whether the name is still its file
	forEver              // never opens it again
)

// Patterns for names.
const (
	allNames   = `[a-z]+[.]log([-.].*)?`
	firstNames = `[a-z]+[.]log([.]1)?`
	ownName    = `[a-z]+[.]log`
	midNumber  = `[a-z]+([.][0-9]+)?[.]log`
)

var readPacked = []string{"compressedFiles = read"}

var rotationWays = []rotationWay{
	{name: "create", pattern: allNames},
	{name: "nocreate", pattern: allNames, nocreate: true, hold: byName},
	{name: "first name only", pattern: firstNames, seen: true},
	{name: "own name", pattern: ownName, seen: true},
	{name: "copytruncate", pattern: ownName, hold: forEver, copies: true, cuts: true, lossy: true, seen: true},
	{name: "copytruncate all names", pattern: allNames, hold: forEver, copies: true, cuts: true, lossy: true},
	{name: "copytruncate and compress", pattern: allNames, follow: readPacked, hold: forEver, copies: true, cuts: true, lossy: true, pack: ".gz"},
	{name: "copy", pattern: allNames, hold: forEver, copies: true},
	{name: "compress", pattern: allNames, follow: readPacked, pack: ".gz"},
	{name: "compress own name", pattern: ownName, pack: ".gz", seen: true},
	{name: "delaycompress", pattern: allNames, follow: readPacked, nocreate: true, hold: byName, pack: ".gz", delay: true},
	{name: "zstd", pattern: allNames, follow: readPacked, pack: ".zst"},
	{name: "delaycompress, first name", pattern: firstNames, pack: ".zst", delay: true, seen: true},
	{name: "dateext", pattern: allNames, dated: true},
	{name: "olddir", pattern: allNames, olddir: true},
	{name: "renamecopy", pattern: allNames, nocreate: true, tmp: true, olddir: true},
	{name: "removed", pattern: ownName, keep: -1, seen: true, gone: true, immortal: true},
	{name: "few kept", pattern: firstNames, pack: ".gz", delay: true, keep: 2, seen: true, gone: true},
	{name: "extension", pattern: midNumber, inside: true},
}

// rotation returns the steps of a rotation in logrotate's order. A step reports whether it has done something.
func (r *rotating) rotation() (steps []func() bool) {
	add := func(some ...func() bool) { steps = append(steps, some...) }
	for _, l := range r.logs {
		if r.way.pack != "" && r.way.delay {
			add(r.packSteps(r.older(l, 1))...)
		}
		for i := r.figures.rotations - 1; i > 0 && !r.way.dated; i-- {
			for _, suffix := range []string{"", r.way.pack} {
				from, to := r.older(l, i)+suffix, r.older(l, i+1)+suffix
				add(func() bool { return r.move(from, to) })
			}
		}
	}
	for _, l := range r.logs {
		add(r.moveSteps(l)...)
	}
	for _, l := range r.logs {
		if r.way.hold == bySignal {
			add(func() bool { l.reopen(); return true })
		}
	}
	for _, l := range r.logs {
		add(r.finalSteps(l)...)
	}
	return steps
}

// older returns the name of the i-th content before that of a log.
func (r *rotating) older(l *rotatedLog, i int) string {
	name := fmt.Sprintf("%s.%d", l.name, i)
	switch {
	case r.way.dated:
		name = fmt.Sprintf("%s-20240131-%d", l.name, r.figures.rotations+1-i)
	case r.way.inside:
		name = strings.Replace(l.name, ".log", fmt.Sprintf(".%d.log", i), 1)
	}
	if r.way.olddir {
		return "old/" + name
	}
	return "logs/" + name
}

// moveSteps makes room for the new content of a log.
func (r *rotating) moveSteps(l *rotatedLog) []func() bool {
	log, to := "logs/"+l.name, r.older(l, 1)
	switch {
	case r.way.copies && r.way.cuts:
		return append(r.copySteps(log, to), func() bool {
			r.did("cut %s", log)
			r.windows = append(r.windows, l.cut(r.size(to)))
			r.must(os.Truncate(r.path(log), 0))
			r.stamp(r.path(log))
			r.told(log)
			return true
		})
	case r.way.copies:
		return r.copySteps(log, to)
	case r.way.tmp:
		to = log + ".tmp"
	}
	return []func() bool{func() bool { return r.move(log, to) }, func() bool { return !r.way.nocreate && r.touch(log) }}
}

// finalSteps are those behind the signal to the writers.
func (r *rotating) finalSteps(l *rotatedLog) (steps []func() bool) {
	if r.way.tmp {
		tmp := "logs/" + l.name + ".tmp"
		steps = append(r.copySteps(tmp, r.older(l, 1)), func() bool { return r.unlink(tmp) })
	}
	if r.way.pack != "" && !r.way.delay {
		steps = r.packSteps(r.older(l, 1))
	}
	if r.way.keep != 0 {
		name := r.older(l, max(r.way.keep, 0)+1)
		for _, suffix := range []string{"", r.way.pack} {
			steps = append(steps, func() bool { return r.unlink(name + suffix) })
		}
	}
	return steps
}

// move renames a file if there is one.
func (r *rotating) move(from, to string) bool {
	if from == to || !r.exists(from) {
		return false
	}
	r.did("move %s to %s", from, to)
	r.rename(from, to)
	r.told(from, to)
	return true
}

func (r *rotating) exists(name string) bool {
	_, err := os.Stat(r.path(name))
	return err == nil
}

func (r *rotating) size(name string) int {
	info, err := os.Stat(r.path(name))
	r.must(err)
	return int(info.Size())
}

func (r *rotating) touch(name string) bool {
	if r.exists(name) {
		return false
	}
	r.did("create %s", name)
	r.write(name, "")
	r.stamp(r.path(name))
	r.told(name)
	return true
}

func (r *rotating) unlink(name string) bool {
	if !r.exists(name) {
		return false
	}
	r.did("remove %s", name)
	r.remove(name)
	r.told(name)
	return true
}

// copySteps copies a file in pieces, to its end at the moment of the last one.
func (r *rotating) copySteps(from, to string) (steps []func() bool) {
	var in, out *os.File
	begin := func() bool {
		var err error
		in, err = os.Open(r.path(from))
		if err != nil {
			return false
		}
		out, err = os.OpenFile(r.path(to), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		r.must(err)
		r.did("copy %s to %s", from, to)
		r.told(to)
		return true
	}
	piece := func(all bool) func() bool {
		return func() bool {
			if in == nil {
				return false
			}
			size := int64(1 << 40)
			if !all {
				size = r.dice.Int64N(2000)
			}
			n, err := io.Copy(out, io.LimitReader(in, size))
			r.must(err)
			r.stamp(r.path(to))
			r.told(to)
			if all {
				in.Close()
				out.Close()
			}
			r.did("copied %d bytes to %s", n, to)
			return true
		}
	}
	return []func() bool{begin, piece(false), piece(false), piece(true)}
}

// packSteps compresses a file and removes it.
func (r *rotating) packSteps(from string) []func() bool {
	to := from + r.way.pack
	var packed []byte
	var out *os.File
	write := func(n int) {
		_, err := out.Write(packed[:n])
		r.must(err)
		packed = packed[n:]
		r.stamp(r.path(to))
		r.told(to)
	}
	return []func() bool{
		func() bool {
			if !r.exists(from) {
				return false
			}
			var err error
			out, err = os.OpenFile(r.path(to), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
			r.must(err)
			r.stamp(r.path(to))
			r.did("compress %s", from)
			r.told(to)
			return true
		},
		func() bool {
			if out == nil {
				return false
			}
			text, err := os.ReadFile(r.path(from))
			r.must(err)
			packed = packText(text, r.way.pack == ".gz")
			write(r.dice.IntN(len(packed)))
			return true
		},
		func() bool {
			if out == nil {
				return false
			}
			write(len(packed))
			out.Close()
			info, err := os.Stat(r.path(from))
			r.must(err)
			r.must(os.Chtimes(r.path(to), info.ModTime(), info.ModTime())) // as logrotate does
			r.did("compressed %s", from)
			return true
		},
		func() bool { return out != nil && r.unlink(from) },
	}
}

// rotatedLog is a program that writes a log.
type rotatedLog struct {
	r      *rotating
	name   string
	bursts int
	long   int
	file   *os.File
	text   bytes.Buffer
	lines  []string
	first  int // line that was written behind the latest rotation
	begun  int // line that the file begins with; known if the log is cut
}

// cut returns what a copy of this size has and has not of the log, which begins anew.
func (l *rotatedLog) cut(size int) (w window) {
	n := l.begun
	for ; n < len(l.lines) && size >= len(l.lines[n])+1; n++ {
		size -= len(l.lines[n]) + 1
	}
	w.copied, w.gone = l.lines[l.begun:n], l.lines[n:]
	l.begun = len(l.lines)
	return w
}

// reopen opens the log as it is named now.
func (l *rotatedLog) reopen() {
	l.close()
	path := l.r.path(filepath.Join("logs", l.name))
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	l.r.must(err)
	l.file = f
	if l.r.size("logs/"+l.name) == 0 {
		l.r.stamp(path)
	}
	l.r.did("open %s", l.name)
	l.r.told("logs/" + l.name)
}

func (l *rotatedLog) close() {
	if l.file != nil {
		l.flush(0)
		l.file.Close()
		l.file = nil
	}
}

// append writes n lines; programs with a buffer, not all of them to the end.
func (l *rotatedLog) append(n int) {
	if l.r.way.hold == byName && l.lostName() {
		l.reopen()
	}
	for range n {
		size := l.r.dice.IntN(l.long)
		if l.r.dice.IntN(40) == 0 {
			size = l.r.dice.IntN(3000)
		}
		line := fmt.Sprintf("%s %05d %s", l.name, len(l.lines), strings.Repeat(string(rune('a'+len(l.lines)%26)), size))
		l.lines = append(l.lines, line)
		l.text.WriteString(line + "\n")
	}
	block := 0
	if l.r.way.hold != forEver && l.bursts > 1 {
		block = 100 * l.bursts
	}
	l.flush(block)
}

// flush writes blocks of this size, or everything.
func (l *rotatedLog) flush(block int) {
	n := l.text.Len()
	if block > 0 {
		n -= n % block
	}
	if n == 0 || l.file == nil {
		return
	}
	_, err := l.file.Write(l.text.Next(n))
	l.r.must(err)
	l.r.stamp(fmt.Sprintf("/proc/self/fd/%d", l.file.Fd()))
	l.r.did("wrote %d bytes to what was opened as %s, up to line %d", n, l.name, len(l.lines)-1)
	l.r.told(l.currentName())
}

// currentName returns the name of the file that is open, which the system's notification has.
func (l *rotatedLog) currentName() string {
	mine, err := l.file.Stat()
	l.r.must(err)
	for _, dir := range []string{"logs", "old"} {
		entries, err := os.ReadDir(l.r.path(dir))
		l.r.must(err)
		for _, e := range entries {
			if info, err := e.Info(); err == nil && os.SameFile(info, mine) {
				return dir + "/" + e.Name()
			}
		}
	}
	return "logs/nowhere"
}

// lostName reports whether the log has another name now.
func (l *rotatedLog) lostName() bool {
	mine, err := l.file.Stat()
	l.r.must(err)
	named, err := os.Stat(l.r.path("logs/" + l.name))
	return err != nil || !os.SameFile(mine, named)
}
