package http

import (
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// maxClients bounds the table of clients. When it is full, clients that have been
// quiet are forgotten, or else any: a forgotten one may send a burst once more.
const maxClients = 10_000

// clients limits how often each client may ask: a bucket of tokens per address, of
// which each request takes one. Safe for concurrent use.
type clients struct {
	rate  float64 // tokens per second; 0: no limit
	burst float64 // size of a bucket

	mu      sync.Mutex
	buckets map[netip.Prefix]bucket
}

// bucket had that many tokens at that time.
type bucket struct {
	tokens float64
	at     time.Time
}

func newClients(rate, burst int) *clients {
	return &clients{rate: float64(rate), burst: float64(max(burst, 1)), buckets: map[netip.Prefix]bucket{}}
}

// admit takes a token of the client at address, or says when there will be one.
func (c *clients) admit(address string, now time.Time) error {
	if c.rate == 0 {
		return nil
	}
	who := clientOf(address)
	c.mu.Lock()
	defer c.mu.Unlock()
	b, known := c.buckets[who]
	if !known {
		if len(c.buckets) >= maxClients {
			c.forget(now)
		}
		b = bucket{tokens: c.burst, at: now}
	}
	b = c.filled(b, now)
	var err error
	if b.tokens >= 1 {
		b.tokens--
	} else {
		wait := time.Duration((1 - b.tokens) / c.rate * float64(time.Second))
		err = &refusal{
			status: http.StatusTooManyRequests, retry: max(wait, time.Second), closes: true, limited: true,
			message: "The client sends more requests than the property maxClientRate allows.",
		}
	}
	c.buckets[who] = b
	return err
}

func (c *clients) filled(b bucket, now time.Time) bucket {
	b.tokens = min(c.burst, b.tokens+now.Sub(b.at).Seconds()*c.rate)
	b.at = now
	return b
}

// forget makes room: of full buckets, or a tenth of all.
func (c *clients) forget(now time.Time) {
	for who, b := range c.buckets {
		if c.filled(b, now).tokens >= c.burst {
			delete(c.buckets, who)
		}
	}
	for who := range c.buckets {
		if len(c.buckets) < maxClients*9/10 {
			return
		}
		delete(c.buckets, who)
	}
}

// clientOf returns the address without the port. An IPv6 client has a whole /64 to
// itself.
func clientOf(address string) netip.Prefix {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return netip.Prefix{}
	}
	ip := at.Addr().Unmap().WithZone("")
	bits := ip.BitLen()
	if ip.Is6() {
		bits = 64
	}
	prefix, err := ip.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return prefix
}
