package vfs_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/flume-go/flume/internal/vfs"
)

// TestWritevToSlowPipe makes the kernel take less than it is offered, and nothing at times.
func TestWritevToSlowPipe(t *testing.T) {
	name := filepath.Join(t.TempDir(), "pipe")
	must(t, syscall.Mkfifo(name, 0o600))
	r, err := os.OpenFile(name, os.O_RDWR, 0)
	must(t, err)
	defer r.Close()
	w, err := vfs.OS{}.OpenFile(name, os.O_WRONLY, 0)
	must(t, err)

	var bufs [][]byte
	var want []byte
	for i := range 5000 {
		b := bytes.Repeat([]byte{byte(i)}, i%257)
		bufs = append(bufs, b)
		want = append(want, b...)
	}
	result := make(chan error, 1)
	go func() {
		n, err := vfs.Writev(w, bufs)
		if err == nil && n != int64(len(want)) {
			err = io.ErrShortWrite
		}
		result <- errors.Join(err, w.Close())
	}()
	got := make([]byte, len(want))
	for read := 0; read < len(got); {
		n, err := r.Read(got[read:min(read+1000, len(got))])
		must(t, err)
		read += n
	}
	must(t, <-result)
	if !bytes.Equal(got, want) {
		t.Error("the pipe delivered something else")
	}
}

func TestFullDevice(t *testing.T) {
	f, err := vfs.OS{}.OpenFile("/dev/full", os.O_WRONLY, 0)
	must(t, err)
	defer f.Close()
	if n, err := vfs.Writev(f, [][]byte{[]byte("a"), []byte("b")}); n != 0 || !vfs.IsNoSpace(err) {
		t.Errorf("Writev returned %d, %v", n, err)
	}
	if n, err := vfs.WritevAt(f, [][]byte{[]byte("a")}, 7); n != 0 || !vfs.IsNoSpace(err) {
		t.Errorf("WritevAt returned %d, %v", n, err)
	}
}

func TestPreallocateReservesBlocks(t *testing.T) {
	f := openRW(t, vfs.OS{}, filepath.Join(t.TempDir(), "a"))
	defer f.Close()
	const size = 1 << 20
	must(t, vfs.Preallocate(f, size))
	info, err := f.Stat()
	must(t, err)
	if blocks := info.Sys().(*syscall.Stat_t).Blocks; blocks*512 < size {
		t.Errorf("%d bytes are reserved, want %d", blocks*512, size)
	}
}

// TestReserveBehind reserves blocks, where the system has a use for it, and gives them back.
func TestReserveBehind(t *testing.T) {
	f := openRW(t, vfs.OS{}, filepath.Join(t.TempDir(), "a"))
	defer f.Close()
	const written, reserved = 4 << 10, 1 << 20
	writeAt(t, f, make([]byte, written), 0)
	wantBlocks := func(least, most int64) {
		t.Helper()
		info, err := f.Stat()
		must(t, err)
		blocks := info.Sys().(*syscall.Stat_t).Blocks * 512
		if blocks < least || blocks > most || info.Size() != written {
			t.Errorf("%d bytes take %d, want %d bytes that take %d to %d", info.Size(), blocks, written, least, most)
		}
	}
	most := int64(reserved / 2) // whatever the system has for its own accounts
	if err := vfs.ReserveBehind(f, written, reserved); err == nil {
		wantBlocks(reserved, reserved+most)
	} else if !errors.Is(err, errors.ErrUnsupported) {
		t.Fatal(err)
	}
	must(t, f.Truncate(written))
	wantBlocks(0, most)
	if err := vfs.ReserveBehind(f, -1, reserved); err == nil {
		t.Error("a negative offset is accepted")
	}
}

// TestLockAgainstOtherProcess has a second process hold the lock until it is killed.
func TestLockAgainstOtherProcess(t *testing.T) {
	const env = "VFS_TEST_LOCK"
	if name := os.Getenv(env); name != "" {
		_, err := vfs.OS{}.Lock(name)
		must(t, err)
		_, err = os.Stdout.WriteString("locked\n")
		must(t, err)
		_, err = io.Copy(io.Discard, os.Stdin) // until killed
		must(t, err)
		return
	}
	name := filepath.Join(t.TempDir(), "lock")
	cmd := exec.Command(os.Args[0], "-test.run=^TestLockAgainstOtherProcess$")
	cmd.Env = append(os.Environ(), env+"="+name)
	_, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	line := make([]byte, len("locked\n"))
	_, err = io.ReadFull(out, line)
	if err != nil || string(line) != "locked\n" {
		t.Errorf("the other process says %q, %v", line, err)
	}
	if _, err := (vfs.OS{}).Lock(name); !errors.Is(err, vfs.ErrLocked) {
		t.Errorf("locking what another process holds: %v", err)
	}
	must(t, cmd.Process.Kill())
	if err := cmd.Wait(); err == nil {
		t.Error("the other process ended by itself")
	}
	lock, err := vfs.OS{}.Lock(name)
	must(t, err)
	must(t, lock.Close())
}

func BenchmarkOS(b *testing.B) {
	block := make([]byte, 512)
	bufs := make([][]byte, 16)
	for i := range bufs {
		bufs[i] = block
	}
	name := filepath.Join(b.TempDir(), "a")
	plain, err := os.Create(name)
	must(b, err)
	defer plain.Close()
	f := openRW(b, vfs.OS{}, name)
	defer f.Close()
	writeAt(b, f, block, 0)
	for _, bm := range []struct {
		name string
		call func() error
	}{
		{"os.File/WriteAt", func() error { _, err := plain.WriteAt(block, 0); return err }},
		{"vfs.OS/WriteAt", func() error { _, err := f.WriteAt(block, 0); return err }},
		{"os.File/ReadAt", func() error { _, err := plain.ReadAt(block, 0); return err }},
		{"vfs.OS/ReadAt", func() error { _, err := f.ReadAt(block, 0); return err }},
		{"vfs.OS/WritevAt16", func() error { _, err := vfs.WritevAt(f, bufs, 0); return err }},
	} {
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := bm.call(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
