//go:build !unix

package syslogudp

import (
	"net"
	"net/netip"

	"github.com/flume-go/flume/event"
)

// packet is one datagram, in memory of its batch.
type packet struct {
	data []byte
	from netip.Addr
}

// reader reads one datagram at a time: here is no portable way to ask whether
// another is waiting. Not safe for concurrent use.
type reader struct {
	conn   *net.UDPConn
	buf    [maxDatagram]byte
	packet [1]packet
}

func newReader(conn *net.UDPConn, _ bool) (*reader, error) { return &reader{conn: conn}, nil }

// read waits for a datagram and returns it in memory of a batch without events
// that is the caller's. The packets are valid until the next call.
func (r *reader) read() (*event.Batch, []packet, error) {
	n, from, err := r.conn.ReadFromUDPAddrPort(r.buf[:])
	if err != nil {
		return nil, nil, err
	}
	b := event.NewBatch()
	r.packet[0] = packet{b.Copy(r.buf[:n]), from.Addr()}
	return b, r.packet[:], nil
}
