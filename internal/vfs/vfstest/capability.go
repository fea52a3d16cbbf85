package vfstest

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/flume-go/flume/internal/vfs"
)

var capabilityCases = []testCase{
	{"Sync", "Sync and SyncData leave what programs see as it is", func(e *env) {
		f := e.create("a", "abc")
		e.ok(f.Sync())
		_, err := f.Write([]byte("d"))
		e.ok(err)
		e.ok(vfs.SyncData(f))
		e.wantContent("a", "abcd")
	}},
	{"Preallocate", "Preallocate extends with zeros, keeps content and position, and never cuts", func(e *env) {
		f := e.create("a", "abc")
		const size = 200_000
		e.ok(vfs.Preallocate(f, size))
		e.wantSize(f, size)
		e.wantContent("a", "abc"+strings.Repeat("\x00", size-3))
		e.ok(vfs.Preallocate(f, 10))
		e.ok(vfs.Preallocate(f, -1))
		e.wantSize(f, size)
		_, err := f.Write([]byte("d"))
		e.ok(err)
		if got := e.readAt(f, 0, 4); got != "abcd" {
			e.broken("holds %q, want abcd", got)
		}
	}},
	{"ReserveBehind", "ReserveBehind keeps length, content and position, or reports errors.ErrUnsupported", func(e *env) {
		f := e.create("a", "abc")
		const size = 1 << 20
		if err := vfs.ReserveBehind(f, 3, size); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			e.broken("%v", err)
		}
		e.wantSize(f, 3)
		e.ok(f.Truncate(3))
		e.wantSize(f, 3)
		_, err := f.Write([]byte("d"))
		e.ok(err)
		e.wantContent("a", "abcd")
	}},
	{"WriteZeros", "WriteZeros overwrites its range and nothing else", func(e *env) {
		f := e.create("a", strings.Repeat("x", 200_000))
		e.ok(vfs.WriteZeros(f, 10, 150_000))
		e.wantContent("a", strings.Repeat("x", 10)+strings.Repeat("\x00", 150_000)+strings.Repeat("x", 49_990))
	}},
	{"Writev", "Writev writes all slices in order at the position and moves it", func(e *env) {
		f := e.create("a", "<")
		bufs, want := manySlices(3000)
		n, err := vfs.Writev(f, bufs)
		e.ok(err)
		if n != int64(len(want)) {
			e.broken("wrote %d bytes, want %d", n, len(want))
		}
		_, err = f.Write([]byte(">"))
		e.ok(err)
		e.wantContent("a", "<"+want+">")
	}},
	{"WritevAt", "WritevAt writes all slices in order at the offset and leaves the position", func(e *env) {
		f := e.create("a", "<")
		bufs, want := manySlices(3000)
		n, err := vfs.WritevAt(f, bufs, 2)
		e.ok(err)
		if n != int64(len(want)) {
			e.broken("wrote %d bytes, want %d", n, len(want))
		}
		_, err = f.Write([]byte("="))
		e.ok(err)
		e.wantContent("a", "<="+want)
		_, err = vfs.WritevAt(f, bufs, -1)
		e.failed("WritevAt at -1", err)
	}},
	{"WritevNothing", "writing no slices, or empty ones, writes nothing", func(e *env) {
		f := e.create("a", "x")
		for _, bufs := range [][][]byte{nil, {}, {nil}, {{}, nil, {}}} {
			n, err := vfs.Writev(f, bufs)
			if n != 0 || err != nil {
				e.broken("Writev returned %d, %v", n, err)
			}
			n, err = vfs.WritevAt(f, bufs, 100)
			if n != 0 || err != nil {
				e.broken("WritevAt returned %d, %v", n, err)
			}
		}
		e.wantContent("a", "x")
	}},
	{"WritevKeepsArguments", "the gathering writes do not change the slices they are given", func(e *env) {
		f := e.create("a", "")
		bufs, want := manySlices(1500)
		for range 2 {
			_, err := vfs.Writev(f, bufs)
			e.ok(err)
		}
		e.wantContent("a", want+want)
	}},
	{"DiskFree", "DiskFree is a plausible number, or errors.ErrUnsupported", func(e *env) {
		free, err := vfs.DiskFree(e.FS, e.dir)
		if errors.Is(err, errors.ErrUnsupported) {
			return
		}
		e.ok(err)
		if free == 0 {
			e.broken("no space is free, yet the suite runs")
		}
		_, err = vfs.DiskFree(e.FS, e.path("missing"))
		e.failed("DiskFree of a missing directory", err)
	}},
}

var concurrencyCases = []testCase{
	{"ConcurrentFiles", "different goroutines may create, write, rename and remove at once", func(e *env) {
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() { e.churn(fmt.Sprintf("f%d", i)) })
		}
		wg.Wait()
		e.wantNames(e.dir, "f0.1", "f1.1", "f2.1", "f3.1", "f4.1", "f5.1", "f6.1", "f7.1")
	}},
	{"ConcurrentWriteAt", "one file takes WriteAt, WritevAt and ReadAt from several goroutines", func(e *env) {
		f := e.create("a", strings.Repeat("\x00", 8*100))
		var wg sync.WaitGroup
		for i := range int64(8) {
			wg.Go(func() {
				b := []byte(strings.Repeat(string(rune('a'+i)), 50))
				_, err1 := f.WriteAt(b, i*100)
				_, err2 := vfs.WritevAt(f, [][]byte{b[:20], b[20:]}, i*100+50)
				_, err3 := f.ReadAt(make([]byte, 100), i*100)
				if err := errors.Join(err1, err2, err3, vfs.SyncData(f)); err != nil {
					e.Errorf("goroutine %d: %v", i, err)
				}
			})
		}
		wg.Wait()
		var want strings.Builder
		for i := range 8 {
			want.WriteString(strings.Repeat(string(rune('a'+i)), 100))
		}
		e.wantContent("a", want.String())
	}},
	{"ConcurrentLock", "of many that try at once, one gets the lock", func(e *env) {
		var mu sync.Mutex
		var held []func() error
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				lock, err := e.Lock(e.path("lock"))
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					held = append(held, lock.Close)
				} else if !errors.Is(err, vfs.ErrLocked) {
					e.Errorf("locking: %v", err)
				}
			})
		}
		wg.Wait()
		if len(held) != 1 {
			e.broken("%d got the lock", len(held))
		}
		e.ok(held[0]())
	}},
}

// manySlices returns slices of various lengths, some empty, and what they hold together.
func manySlices(n int) ([][]byte, string) {
	var all strings.Builder
	bufs := make([][]byte, n)
	for i := range bufs {
		bufs[i] = []byte(strings.Repeat(string(rune('a'+i%26)), i%7))
		all.Write(bufs[i])
	}
	return bufs, all.String()
}

// churn works on files of one name, from a goroutine that must not end the test.
func (e *env) churn(name string) {
	for range 20 {
		f, err := e.OpenFile(e.path(name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			e.Errorf("creating %s: %v", name, err)
			return
		}
		_, err = f.Write([]byte(name))
		err = errors.Join(err, f.Sync(), f.Close(),
			e.Rename(e.path(name), e.path(name+".1")), e.SyncDir(e.dir))
		if _, listErr := e.ReadDir(e.dir); err != nil || listErr != nil {
			e.Errorf("working on %s: %v", name, errors.Join(err, listErr))
			return
		}
	}
}
