//go:build !linux

package roles

import "net"

// poster sends requests on one connection, each after the answer to the one before.
type poster struct {
	*net.TCPConn
	mem []byte
}

// newPoster returns a poster for requests of up to size bytes.
func newPoster(conn *net.TCPConn, size int) (*poster, error) {
	return &poster{conn, make([]byte, size)}, nil
}

func (p *poster) close() error { return nil }

// memory is where requests are to stand.
func (p *poster) memory() []byte { return p.mem }

// send sends the first n bytes of the memory.
func (p *poster) send(n int) error {
	_, err := p.Write(p.mem[:n])
	return err
}
