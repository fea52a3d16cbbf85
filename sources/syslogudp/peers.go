package syslogudp

import (
	"context"
	"net/netip"
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/netio"
	"github.com/flume-go/flume/internal/syslog"
)

const (
	maxPeers = 4096            // senders that are remembered
	peerTime = 5 * time.Minute // and for how long: their names may change
)

// peers knows the senders by name. Not safe for concurrent use.
type peers struct {
	resolver   netio.Resolver
	ipHeader   string
	nameHeader string
	known      map[netip.Addr]*peer
	last       *peer // of the last datagram, most likely of the next
	lastAddr   netip.Addr
}

type peer struct {
	ip, name string
	until    time.Time
}

func newPeers(r netio.Resolver, s syslog.Settings) *peers {
	return &peers{resolver: r, ipHeader: s.ClientIP, nameHeader: s.ClientHostname, known: map[netip.Addr]*peer{}}
}

// headers sets the headers for the sender of e. Values live by themselves: many
// events share them.
func (p *peers) headers(ctx context.Context, b *event.Batch, e *event.Event, from netip.Addr, now time.Time) {
	if p.ipHeader == "" && p.nameHeader == "" {
		return
	}
	if p.last == nil || p.lastAddr != from || now.After(p.last.until) {
		p.last, p.lastAddr = p.find(ctx, from, now), from
	}
	if p.ipHeader != "" {
		b.SetHeader(e, p.ipHeader, p.last.ip)
	}
	if p.nameHeader != "" {
		b.SetHeader(e, p.nameHeader, p.last.name)
	}
}

func (p *peers) find(ctx context.Context, from netip.Addr, now time.Time) *peer {
	if known := p.known[from]; known != nil && !now.After(known.until) {
		return known
	}
	if len(p.known) >= maxPeers {
		clear(p.known) // senders can be made up: memory stays bounded
	}
	found := &peer{ip: netio.AddressText(from), until: now.Add(peerTime)}
	if p.nameHeader != "" {
		found.name = netio.Hostname(ctx, p.resolver, from)
	}
	p.known[from] = found
	return found
}
