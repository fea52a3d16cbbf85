//go:build !unix

package udp

import (
	"net"
	"time"

	"github.com/flume-go/flume/event"
)

// reader reads one datagram at a time: here is no portable way to ask whether
// another is waiting. Not safe for concurrent use.
type reader struct {
	conn *net.UDPConn
	buf  [MaxDatagram]byte
	one  [1]Packet
}

func newReader(conn *net.UDPConn, _ bool) (*reader, error) { return &reader{conn: conn}, nil }

// read waits for a datagram and returns it in memory of a batch without events
// that is the caller's. The packets are valid until the next call.
func (r *reader) read() (*event.Batch, []Packet, error) {
	n, from, err := r.conn.ReadFromUDPAddrPort(r.buf[:])
	if err != nil {
		return nil, nil, err
	}
	b := event.NewBatch()
	r.one[0] = Packet{b.Copy(r.buf[:n]), from}
	return b, r.one[:], nil
}

// waitingTime is how long it is waited for a datagram that has arrived.
const waitingTime = 20 * time.Millisecond

// readWaiting is read for a datagram that has arrived. It returns no batch if there
// is none. It sets the deadline of the connection.
func (r *reader) readWaiting() (*event.Batch, []Packet) {
	if err := r.conn.SetReadDeadline(time.Now().Add(waitingTime)); err != nil {
		return nil, nil
	}
	b, packets, err := r.read()
	if err != nil {
		return nil, nil
	}
	return b, packets
}
