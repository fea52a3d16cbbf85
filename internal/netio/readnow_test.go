//go:build unix

package netio

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestReadNowFillsWhatItIsGiven reads more than one call may, and the end. A file always has all of it there.
func TestReadNowFillsWhatItIsGiven(t *testing.T) {
	want := bytes.Repeat([]byte("0123456789abcdef"), 64<<10+1)
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, want, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got := make([]byte, 1<<20)
	for _, n := range []int{1 << 20, 16, 0} {
		read, err := readNow(f.Fd(), got)
		if read != n || err != nil || !bytes.Equal(got[:n], want[:n]) {
			t.Fatalf("read %d bytes, %v, want %d", read, err, n)
		}
		want = want[n:]
	}
}
