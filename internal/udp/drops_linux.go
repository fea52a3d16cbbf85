package udp

import (
	"net"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// dropCounter follows the kernel's count of the datagrams that it has dropped at
// a socket.
//
// It asks for the count (SO_MEMINFO) instead of having it come with datagrams
// (SO_RXQ_OVFL): that would leave the end of a burst untold until the next one.
type dropCounter struct {
	raw  syscall.RawConn // nil: not to be asked
	told uint32          // of the kernel's count, which begins at 0 and wraps
}

func newDropCounter(conn *net.UDPConn) *dropCounter {
	raw, err := conn.SyscallConn()
	if err != nil {
		return new(dropCounter)
	}
	return &dropCounter{raw: raw}
}

// take returns how many datagrams were dropped since the last call: 0 if the
// kernel, older than 4.12, does not tell.
func (d *dropCounter) take() int {
	if d.raw == nil {
		return 0
	}
	count, ok := uint32(0), false
	if err := d.raw.Control(func(fd uintptr) { count, ok = droppedAt(fd) }); err != nil || !ok {
		d.raw = nil
		return 0
	}
	n := count - d.told
	d.told = count
	return int(n)
}

// droppedAt reads the kernel's count. Package unix has no call for an array of
// numbers.
func droppedAt(fd uintptr) (n uint32, ok bool) {
	var info [unix.SK_MEMINFO_VARS]uint32
	size := uint32(unsafe.Sizeof(info))
	_, _, failed := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	return info[unix.SK_MEMINFO_DROPS], failed == 0 && size == uint32(unsafe.Sizeof(info))
}
