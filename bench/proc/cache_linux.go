//go:build linux && (amd64 || arm64 || riscv64 || loong64)

package proc

import (
	"os"
	"syscall"
)

// forget advises the system that the file's pages will not be needed (POSIX_FADV_DONTNEED). On the
// architectures above the call takes its arguments in registers of 64 bits.
func forget(f *os.File) error {
	const dontNeed = 4
	_, _, errno := syscall.Syscall6(syscall.SYS_FADVISE64, f.Fd(), 0, 0, dontNeed, 0, 0)
	if errno != 0 {
		return &os.PathError{Op: "fadvise", Path: f.Name(), Err: errno}
	}
	return nil
}
