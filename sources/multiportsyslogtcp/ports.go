package multiportsyslogtcp

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"

	"github.com/flume-go/flume/flow"
)

// Run implements flow.Source. Without any port it returns an error; a part of
// the ports is served while the others are tried again and again.
func (s *source) Run(ctx context.Context, out flow.Emitter) error {
	secure, err := s.ports[0].tcp.TLS() // the same for all
	if err != nil {
		return err
	}
	listeners, err := s.listen(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	var wg sync.WaitGroup
	for i := range s.ports {
		wg.Go(func() { s.ports[i].serve(ctx, s, listeners[i], secure, out) })
	}
	wg.Wait()
	return nil
}

// listen opens what it can of the ports; the listener of another is nil. It
// fails if it can open none.
func (s *source) listen(ctx context.Context) ([]net.Listener, error) {
	listeners := make([]net.Listener, len(s.ports))
	var failures []error
	for i := range s.ports {
		var err error
		if listeners[i], err = s.ports[i].listen(ctx, s.host); err != nil {
			failures = append(failures, err)
		}
	}
	if len(failures) == len(s.ports) {
		return nil, errors.Join(failures...)
	}
	for _, err := range failures {
		s.log.Error("a port cannot be listened on; trying again, while the others are served", "error", err)
	}
	return listeners, nil
}

func (p *port) listen(ctx context.Context, host string) (net.Listener, error) {
	return p.tcp.Listen(ctx, host, p.number, "ports")
}

// serve serves the port until ctx ends, and listens again when it has to. ln may
// be nil.
func (p *port) serve(ctx context.Context, s *source, ln net.Listener, secure *tls.Config, out flow.Emitter) {
	var pause flow.Backoff
	for {
		if ln != nil {
			pause.Reset()
			if err := p.tcp.Serve(ctx, ln, secure, out); err != nil {
				s.log.Error("a port is not served any more; listening again", "port", p.number, "error", err)
			}
		}
		if !pause.Wait(ctx, 0) {
			return
		}
		// Why it fails was logged when it failed first.
		ln, _ = p.listen(ctx, s.host) //nolint:errcheck // see above
	}
}
