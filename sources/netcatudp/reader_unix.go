//go:build unix

package netcatudp

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"

	"github.com/flume-go/flume/event"
)

// reader reads all datagrams that are waiting. Not safe for concurrent use.
type reader struct {
	raw    syscall.RawConn
	header string
	try    func(fd uintptr) bool // r.tryRead, made once

	batch *event.Batch
	err   error
}

func newReader(conn *net.UDPConn, header string) (*reader, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	r := &reader{raw: raw, header: header}
	r.try = r.tryRead
	return r, nil
}

// read waits for datagrams and returns those that are there, as a batch that is
// the caller's; it may do so besides an error.
func (r *reader) read() (*event.Batch, error) {
	r.batch, r.err = nil, nil
	if err := r.raw.Read(r.try); err != nil {
		return nil, err
	}
	return r.batch, r.err
}

// tryRead fills a batch without waiting. It reports false if nothing was there.
func (r *reader) tryRead(fd uintptr) bool {
	b := event.NewBatch()
	free := len(b.Reserve(blockSize - 1))
	for free >= maxDatagram && b.Len() < maxBatch {
		n, from, err := receive(int(fd), b.Reserve(maxDatagram), r.header != "")
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			if !errors.Is(err, syscall.EAGAIN) {
				r.err = os.NewSyscallError("recvfrom", err)
			}
			break
		}
		add(b, b.Commit(n), r.header, from)
		free = len(b.Reserve(0))
	}
	if b.Len() == 0 {
		b.Release()
		return r.err != nil
	}
	r.batch = b
	return true
}

// receive reads one datagram. Its sender is asked for only if it is wanted: the
// standard library allocates for it.
func receive(fd int, p []byte, wanted bool) (n int, from netip.AddrPort, err error) {
	if !wanted {
		n, err = syscall.Read(fd, p)
		return n, from, err
	}
	n, sa, err := syscall.Recvfrom(fd, p, 0)
	switch sa := sa.(type) {
	case *syscall.SockaddrInet4:
		from = netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *syscall.SockaddrInet6:
		addr := netip.AddrFrom16(sa.Addr)
		if sa.ZoneId != 0 {
			addr = addr.WithZone(zoneName(int(sa.ZoneId)))
		}
		from = netip.AddrPortFrom(addr, uint16(sa.Port))
	}
	return n, from, err
}

func zoneName(index int) string {
	if i, err := net.InterfaceByIndex(index); err == nil {
		return i.Name
	}
	return strconv.Itoa(index)
}
