//go:build unix

package taildir

import (
	"io/fs"
	"os"
	"syscall"
)

// openFlags keep the source from waiting for a writer if a pipe takes the place of
// a file at the wrong moment.
const openFlags = os.O_RDONLY | syscall.O_NONBLOCK

// idOf returns the device and inode of a file.
func idOf(info fs.FileInfo, _ string) fileID {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fileID{}
	}
	return fileID{dev: uint64(st.Dev), ino: uint64(st.Ino)} //nolint:unconvert // their types differ between systems
}

// linksOf returns the number of names of a file.
func linksOf(info fs.FileInfo) uint64 {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 1
	}
	return uint64(st.Nlink) //nolint:unconvert // its type differs between systems
}
