//go:build !unix

package netcatudp

import (
	"net"

	"github.com/flume-go/flume/event"
)

// reader reads one datagram at a time: here is no portable way to ask whether
// another is waiting. Not safe for concurrent use.
type reader struct {
	conn   *net.UDPConn
	header string
	buf    [maxDatagram]byte
}

func newReader(conn *net.UDPConn, header string) (*reader, error) {
	return &reader{conn: conn, header: header}, nil
}

// read waits for a datagram and returns it as a batch that is the caller's.
func (r *reader) read() (*event.Batch, error) {
	n, from, err := r.conn.ReadFromUDPAddrPort(r.buf[:])
	if err != nil {
		return nil, err
	}
	b := event.NewBatch()
	add(b, b.Copy(r.buf[:n]), r.header, from)
	return b, nil
}
