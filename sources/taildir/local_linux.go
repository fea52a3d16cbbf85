package taildir

import (
	"errors"
	"syscall"
)

// Types of file systems, as statfs tells them, that no other machine writes to and
// nobody but this kernel: it tells of each write that goes through a file's name.
const (
	typeExt   = 0xEF53
	typeXFS   = 0x58465342
	typeBtrfs = 0x9123683E
	typeF2FS  = 0xF2F52010
	typeZFS   = 0x2FC12FC1
	typeTmpfs = 0x01021994
)

// isLocal reports whether a directory is on such a file system. Others, those of
// networks and of containers (overlay), have to show that notifications come.
func isLocal(dir string) bool {
	var st syscall.Statfs_t
	err := syscall.Statfs(dir, &st)
	for errors.Is(err, syscall.EINTR) {
		err = syscall.Statfs(dir, &st)
	}
	if err != nil {
		return false
	}
	switch uint32(st.Type) { //nolint:gosec // the numbers have 32 bits; the field is wider on some systems
	case typeExt, typeXFS, typeBtrfs, typeF2FS, typeZFS, typeTmpfs:
		return true
	default:
		return false
	}
}
