package sourcetest

import (
	"context"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/flume-go/flume/internal/netio"
)

var addressRules = []rule{
	{
		name: "address in use",
		rule: "Run on an address that is in use returns an error that names it; once the address is free Run works.",
		when: listens,
		run: func(r *rig) {
			other, port := r.occupy(0)
			defer other.Close()
			r.make(0, r.h.Listen(host, port))
			r.run()
			if !r.returned(patience) {
				r.fatalf("Run does not return")
			}
			if err := r.s.err; err == nil || !strings.Contains(err.Error(), strconv.Itoa(port)) {
				r.fatalf("port %d is in use, and Run returned %v", port, err)
			}
			r.s.cancel()
			other.Close()
			r.start()
			ids := r.send(r.client(), 3)
			r.awaitStored(ids)
			r.stop(soon)
		},
	},
	{
		name: "address is free again",
		rule: "When Run has returned, its address is free: for others, and for the next Run.",
		when: listens,
		run: func(r *rig) {
			other, port := r.occupy(0)
			other.Close()
			r.make(0, r.h.Listen(host, port))
			for range 2 {
				r.start()
				if want := net.JoinHostPort(host, strconv.Itoa(port)); r.s.Address != want {
					r.fatalf("the source is to listen on %s, and logs %s", want, r.s.Address)
				}
				ids := r.send(r.client(), 3)
				r.awaitStored(ids)
				r.stop(soon)
				other, _ := r.occupy(port)
				other.Close()
			}
		},
	},
}

// occupy listens on a port, 0 being any.
func (r *rig) occupy(port int) (io.Closer, int) {
	r.t.Helper()
	address := net.JoinHostPort(host, strconv.Itoa(port))
	if strings.HasPrefix(r.h.Network, "udp") {
		var lc net.ListenConfig
		pc, err := lc.ListenPacket(context.Background(), r.h.Network, address)
		if err != nil {
			r.fatalf("%v", err)
		}
		return pc, pc.LocalAddr().(*net.UDPAddr).Port
	}
	// As sources do, which knows that the system may take a moment to free it.
	ln, err := netio.Listen(context.Background(), address)
	if err != nil {
		r.fatalf("%v", err)
	}
	return ln, ln.Addr().(*net.TCPAddr).Port
}
