//go:build unix

package udp

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"

	"github.com/flume-go/flume/event"
)

const (
	blockSize = 256 << 10 // of the arena of a batch
	maxBatch  = 4096      // datagrams, in case they are tiny
)

// reader reads all datagrams that are waiting. Not safe for concurrent use.
type reader struct {
	raw     syscall.RawConn
	senders bool                  // who sends is wanted
	try     func(fd uintptr) bool // r.tryRead, made once

	batch   *event.Batch
	packets []Packet
	err     error
}

func newReader(conn *net.UDPConn, senders bool) (*reader, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	r := &reader{raw: raw, senders: senders}
	r.try = r.tryRead
	return r, nil
}

// read waits for datagrams and returns those that are there, in memory of a batch
// without events that is the caller's; it may do so besides an error. The packets
// are valid until the next call.
func (r *reader) read() (*event.Batch, []Packet, error) {
	r.batch, r.packets, r.err = nil, r.packets[:0], nil
	if err := r.raw.Read(r.try); err != nil {
		return nil, nil, err
	}
	return r.batch, r.packets, r.err
}

// readWaiting is read without waiting and whatever the deadline of the connection:
// it returns no batch if nothing is there, or an error is.
func (r *reader) readWaiting() (*event.Batch, []Packet) {
	r.batch, r.packets, r.err = nil, r.packets[:0], nil
	// Control fails on a closed connection, on which nothing is waiting.
	if err := r.raw.Control(func(fd uintptr) { r.tryRead(fd) }); err != nil {
		return nil, nil
	}
	return r.batch, r.packets
}

// tryRead fills a batch without waiting. It reports false if nothing was there.
func (r *reader) tryRead(fd uintptr) bool {
	b := event.NewBatch()
	free := len(b.Reserve(blockSize - 1))
	for free >= MaxDatagram && len(r.packets) < maxBatch {
		n, from, err := r.receive(int(fd), b.Reserve(MaxDatagram))
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			if !errors.Is(err, syscall.EAGAIN) {
				r.err = os.NewSyscallError("recvfrom", err)
			}
			break
		}
		r.packets = append(r.packets, Packet{b.Commit(n), from})
		free = len(b.Reserve(0))
	}
	if len(r.packets) == 0 {
		b.Release()
		return r.err != nil
	}
	r.batch = b
	return true
}

// receive reads one datagram. Its sender is asked for only if it is wanted: the
// standard library allocates for it.
func (r *reader) receive(fd int, p []byte) (n int, from netip.AddrPort, err error) {
	if !r.senders {
		n, err = syscall.Read(fd, p)
		return n, from, err
	}
	n, sa, err := syscall.Recvfrom(fd, p, 0)
	return n, addrOf(sa), err
}

func addrOf(sa syscall.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *syscall.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *syscall.SockaddrInet6:
		addr := netip.AddrFrom16(sa.Addr)
		if sa.ZoneId != 0 {
			addr = addr.WithZone(zoneName(int(sa.ZoneId)))
		}
		return netip.AddrPortFrom(addr, uint16(sa.Port))
	default:
		return netip.AddrPort{}
	}
}

func zoneName(index int) string {
	if i, err := net.InterfaceByIndex(index); err == nil {
		return i.Name
	}
	return strconv.Itoa(index)
}
