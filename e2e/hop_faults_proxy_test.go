//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// hop is the way from one agent to the next: a relay, which cuts at exact moments, and behind it a proxy of toxiproxy's,
// whose toxics come and go while connections live.
//
//	avro sink → relay → proxy → avro source
//
// Safe for concurrent use.
type hop struct {
	host  string
	to    string // the next agent
	ln    net.Listener
	first int // so many pieces of a connection's answers belong to handshakes

	mu     sync.Mutex
	proxy  *toxiproxy.Proxy
	at     string // address of the proxy, which keeps it
	links  map[*link]bool
	flight int  // most events that the sinks that connect now have under way, each
	ended  bool // no more links
	armed  bool // an answer is to be cut
	pass   int  // so many answers before it
	keep   int  // bytes of it that pass
	holds  bool // no answer passes
	totals hopTotals
}

// hopTotals is what has happened on a hop.
type hopTotals struct {
	conns   int // connections
	exposed int // events that may have been under way when connections ended
	cuts    int // answers to requests that never arrived
	stuck   int // proxies that were given up
}

// link is one connection.
type link struct {
	sender, receiver net.Conn
	answers          int // pieces of answers so far
}

func (l *link) close() {
	l.sender.Close()
	l.receiver.Close()
}

// newHop returns a hop to a port of a host, which the hop is on, too. It lives as long as the test.
func newHop(t *testing.T, host string, port int, cover hopCover) *hop {
	t.Helper()
	ln, err := net.Listen("tcp", host+":0")
	if err != nil {
		t.Fatal(err)
	}
	h := &hop{host: host, to: fmt.Sprintf("%s:%d", host, port), ln: ln, first: 1, links: make(map[*link]bool)}
	if cover.tls {
		h.first = 2
	}
	if err := h.newProxy(); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { h.relay(conn) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		h.mu.Lock()
		h.ended = true
		proxy := h.proxy
		h.mu.Unlock()
		h.breakLinks()
		_ = guarded(proxy.Stop) // a stuck one is left alone
		wg.Wait()
	})
	return h
}

func (h *hop) port() int { return h.ln.Addr().(*net.TCPAddr).Port }

// newProxy starts a proxy on a port of its own. One that there was is left alone.
func (h *hop) newProxy() error {
	p := toxiproxy.NewProxy(toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()), "hop", h.host+":0", h.to)
	if err := p.Start(); err != nil {
		return fmt.Errorf("starting a proxy to %s: %w", h.to, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.proxy, h.at = p, p.Listen
	return nil
}

// relay passes one connection on.
func (h *hop) relay(sender net.Conn) {
	defer sender.Close()
	h.mu.Lock()
	address := h.at
	h.totals.conns++
	h.totals.exposed += h.flight
	h.mu.Unlock()
	receiver, err := net.Dial("tcp", address)
	if err != nil {
		return // the proxy is down
	}
	defer receiver.Close()
	l := &link{sender: sender, receiver: receiver}
	h.mu.Lock()
	if h.ended {
		h.mu.Unlock()
		return
	}
	h.links[l] = true
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.links, l)
	}()
	var wg sync.WaitGroup
	wg.Go(func() {
		defer l.close()
		_, _ = io.Copy(receiver, sender) // how a connection ends does not matter
	})
	h.answers(l)
	l.close()
	wg.Wait()
}

// answers passes the receiver's answers until the connection ends.
func (h *hop) answers(l *link) {
	buf := make([]byte, 4096)
	for {
		n, err := l.receiver.Read(buf)
		if n > 0 {
			pass, cut := h.judge(l, n)
			if _, err := l.sender.Write(buf[:pass]); err != nil || cut {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// judge decides how much of a piece of an answer passes, and whether the connection is cut behind it. An answer that is here has
// been given: whatever it answers is stored.
func (h *hop) judge(l *link, n int) (pass int, cut bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l.answers++
	switch {
	case l.answers <= h.first:
		return n, false
	case h.holds:
		h.totals.cuts++
		return 0, false
	case !h.armed:
		return n, false
	case h.pass > 0:
		h.pass--
		return n, false
	}
	h.armed = false
	h.totals.cuts++
	return min(h.keep, n-1), true
}

// cutAnswer makes one of the next answers the last of its connection: pass answers go before it, and keep bytes of it pass.
func (h *hop) cutAnswer(pass, keep int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.armed, h.pass, h.keep = true, pass, keep
}

// isArmed reports whether the cut is still to come.
func (h *hop) isArmed() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.armed
}

// hold keeps all answers back. Those kept back never arrive.
func (h *hop) hold() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.holds = true
}

// breakLinks ends all connections.
func (h *hop) breakLinks() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for l := range h.links {
		l.close()
	}
}

// heal ends everything that is wrong. Connections on which an answer was kept back end.
func (h *hop) heal() error {
	h.mu.Lock()
	held := h.holds
	h.armed, h.holds = false, false
	h.mu.Unlock()
	if held {
		h.breakLinks()
	}
	p := h.present()
	return h.change(func() error {
		p.Toxics.ResetToxics(context.Background())
		if p.Enabled {
			return nil
		}
		return p.Start() // it was down
	})
}

// down ends all connections and refuses others.
func (h *hop) down() error {
	p := h.present()
	return h.change(func() error { p.Stop(); return nil })
}

func (h *hop) present() *toxiproxy.Proxy {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.proxy
}

// toxic adds a toxic, in the form of toxiproxy's API.
func (h *hop) toxic(json string) error {
	p := h.present()
	return h.change(func() error {
		_, err := p.Toxics.AddToxicJson(strings.NewReader(json))
		return err
	})
}

// errStuck is what guarded returns of something that does not end.
var errStuck = errors.New("does not end")

// guarded runs f, but does not wait for it longer than two seconds.
func guarded(f func()) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
		return nil
	case <-time.After(2 * time.Second):
		return errStuck
	}
}

// change changes the proxy. One in which a toxic waits for a connection that is gone cannot be changed any more, and one that was down
// may find its port taken: such a proxy is left alone, and another one takes its place.
func (h *hop) change(f func() error) error {
	failed := make(chan error, 1)
	if guarded(func() { failed <- f() }) == nil {
		var taken *net.OpError
		if err := <-failed; !errors.As(err, &taken) {
			return err
		}
	}
	if err := h.newProxy(); err != nil {
		return err
	}
	h.mu.Lock()
	h.totals.stuck++
	h.mu.Unlock()
	h.breakLinks()
	return nil
}

// connectsWith says how many events the sinks that connect from now on have under way at most, each.
func (h *hop) connectsWith(flight int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.flight = flight
}

// sum returns what has happened so far.
func (h *hop) sum() hopTotals {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.totals
}
