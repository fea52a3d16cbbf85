//go:build e2e && linux

package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flume-go/flume/e2e/harness"
)

// diskSize is the size of the file systems that are filled.
const diskSize = 64 << 20

// mounts are the small file systems, by name: each mounts one on dir. It takes the rights of root; a test without them
// fails and says so, and can be left out with -skip FileChannelFullDisk.
var mounts = map[string]func(t *testing.T, dir string){
	"tmpfs": func(t *testing.T, dir string) {
		mount(t, dir, "-t", "tmpfs", "-o", fmt.Sprintf("size=%d", diskSize), "tmpfs", dir)
	},
	"ext4": func(t *testing.T, dir string) {
		image := filepath.Join(t.TempDir(), "image")
		harness.WriteFile(t, image, "")
		if err := os.Truncate(image, diskSize); err != nil {
			t.Fatal(err)
		}
		command(t, "mkfs.ext4", "-q", "-F", "-m", "0", image)
		mount(t, dir, "-t", "ext4", "-o", "loop", image, dir)
	},
}

// mount mounts a file system until the test ends.
func mount(t *testing.T, dir string, args ...string) {
	t.Helper()
	command(t, "mount", args...)
	t.Cleanup(func() { command(t, "umount", dir) })
}

// command runs a program that must succeed.
func command(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := harness.RunChild(exec.Command(name, args...)); err != nil {
		t.Fatalf("%s %s: %v\n%s(mounting a file system takes root's rights; without them run the tests with -skip FileChannelFullDisk)",
			name, strings.Join(args, " "), err, out)
	}
}

// TestFileChannelFullDisk fills the disk of a file channel for good: first its own events do, as the sinks are blocked, then
// somebody else takes what is left. Puts must stop and say why, takes and acknowledgements go on, also after kill -9
// and a start on the full disk; puts must go on by themselves when the sinks have made room, and nothing may be lost.
func TestFileChannelFullDisk(t *testing.T) {
	for name, mount := range mounts {
		t.Run(name, func(t *testing.T) {
			d := &diskWorld{world: newWorld(t, 1), disk: t.TempDir()}
			mount(t, d.disk)
			d.run(t)
			t.Log(d.report)
		})
	}
}

// diskWorld is a world whose channel is on a disk of its own.
type diskWorld struct {
	*world
	disk string
}

func (w *diskWorld) run(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	wait := load{book: w.book, addr: w.addr(w.source), bursts: 200, pause: 2 * time.Millisecond}.run(ctx, 3)
	defer wait()
	defer cancel()

	v, l := w.start(t)
	defer func() { v.kill() }()
	w.awaitRefusal(t, v)
	w.expectTold(t, v)
	foreign := filepath.Join(w.disk, "foreign")
	fill(t, foreign)
	w.awaitRefusal(t, v)
	w.killNow(t, v, l)

	v, l = w.start(t) // on a disk without a free byte
	w.awaitRefusal(t, v)
	w.unblock(t, l)
	w.awaitPuts(t, v)
	w.killNow(t, v, l)

	v, l = w.start(t)
	w.unblock(t, l)
	w.awaitPuts(t, v)
	if err := os.Remove(foreign); err != nil {
		t.Fatal(err)
	}
	w.awaitPuts(t, v)
	cancel()
	wait()
	w.empty(t, v)
	v.stop(t)
	w.finish(t)
}

// start starts an agent whose sinks are blocked: their directories are missing.
func (w *diskWorld) start(t *testing.T) (*victim, *life) {
	l := &life{batch: 100}
	var c topology
	c.source("s", "c", "type = netcat", "bind = 127.0.0.1", fmt.Sprintf("port = %d", w.source), fmt.Sprintf("max-line-length = %d", longLine))
	c.channel("c", "type = file",
		"checkpointDir = "+filepath.Join(w.disk, "checkpoint"), "dataDirs = "+filepath.Join(w.disk, "data"),
		"capacity = 10000000", "maxFileSize = 1048576", "checkpointInterval = 1000", "minimumRequiredSpace = 1048576", "keep-alive = 0")
	for i := range 2 {
		dir := filepath.Join(w.root, "out", fmt.Sprintf("%04d-%d", len(w.lives), i))
		c.sink(fmt.Sprintf("k%d", i), "c", "type = file_roll", "sink.directory = "+dir, "sink.rollInterval = 0", fmt.Sprintf("sink.batchSize = %d", l.batch))
		l.sinks = append(l.sinks, dir)
	}
	w.lives = append(w.lives, l)
	v := startVictim(t, w.root, c.String(), w.metric)
	return v, l
}

// unblock makes the sinks' directories.
func (w *diskWorld) unblock(t *testing.T, l *life) {
	for _, dir := range l.sinks {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func (w *diskWorld) killNow(t *testing.T, v *victim, l *life) {
	l.killed = time.Now()
	if !v.kill() {
		t.Fatalf("the agent ended by itself:\n%s", v.log.String())
	}
	w.report.kills++
}

// awaitRefusal waits until clients are refused for a second without one line being stored.
func (w *diskWorld) awaitRefusal(t *testing.T, v *victim) {
	t.Helper()
	stored, refused, since := -1, 0, time.Now()
	if !harness.Poll(drainLimit, func() bool {
		now := w.book.tally()
		if now.oks != stored {
			stored, refused, since = now.oks, now.refused, time.Now()
		}
		return now.refused > refused+10 && time.Since(since) > time.Second
	}) {
		t.Fatalf("puts do not stop, %d bytes of disk are free, the answers so far: %+v\n%s", w.free(t), w.book.tally(), v.log.String())
	}
	if !strings.Contains(w.book.tally().latest, "disk") {
		t.Errorf("clients are refused with %q, which does not speak of the disk", w.book.tally().latest)
	}
}

// awaitPuts waits until many more lines are acknowledged.
func (w *diskWorld) awaitPuts(t *testing.T, v *victim) {
	t.Helper()
	before := w.book.tally().oks
	if !harness.Poll(drainLimit, func() bool { return w.book.tally().oks > before+20_000 }) {
		size, _ := metric(w.addr(w.metric), "CHANNEL.c", "ChannelSize")
		t.Fatalf("puts do not go on, the channel holds %d events, %d bytes of disk are free, the answers so far: %+v\n%s",
			size, w.free(t), w.book.tally(), v.log.String())
	}
}

// expectTold requires that the log and the page for operators say what is wrong.
func (w *diskWorld) expectTold(t *testing.T, v *victim) {
	t.Helper()
	if !v.log.contains("disk is full") {
		t.Errorf("the log does not tell of the full disk:\n%s", v.log.String())
	}
	if status, body := health(t, w.addr(w.metric), "/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "disk") {
		t.Errorf("the full disk does not make the agent unready: /readyz answers %d\n%s", status, body)
	}
}

// health asks for a page of the agent's.
func health(t *testing.T, addr, path string) (status int, body string) {
	t.Helper()
	answer, err := http.Get("http://" + addr + path) //nolint:noctx // ends with the agent
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// fill writes a file until the disk has not one byte left.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(make([]byte, size)); err == nil {
			continue
		} else if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
		size /= 2
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
}

// free returns the bytes that are free on the disk.
func (w *diskWorld) free(t *testing.T) int64 {
	t.Helper()
	var s syscall.Statfs_t
	if err := syscall.Statfs(w.disk, &s); err != nil {
		t.Fatal(err)
	}
	return int64(s.Bavail) * s.Bsize
}
