package config

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/property"
)

// crossCheck finds what is wrong between components that are right by themselves.
func (b *builder) crossCheck() {
	b.checkBatches()
	b.checkFlow()
	b.checkClaims()
	if len(b.Sources) == 0 {
		b.problem(property.Advice, b.agent.At, b.Agent+".sources", "the agent has no sources", "list at least one, unless only what its channels hold is to be drained")
	}
	if len(b.Sinks) == 0 {
		b.problem(property.Advice, b.agent.At, b.Agent+".sinks", "the agent has no sinks", "list at least one, or its channels will fill")
	}
}

// checkBatches finds batches that do not fit into one transaction of a channel.
// Flume removes such a component. We cut batches, so that a large batch only
// means less than what was asked for.
func (b *builder) checkBatches() {
	for _, s := range b.Sources {
		for _, c := range s.Channels {
			b.checkBatch(s.Decoded, c)
		}
	}
	for _, s := range b.Sinks {
		b.checkBatch(s.Decoded, s.Channel)
	}
}

func (b *builder) checkBatch(d *component.Decoded, channel string) {
	c := b.Channel(channel)
	if d == nil || d.Failed() || c == nil || c.Transaction == 0 {
		return
	}
	n, key, ok := d.BatchSize(false)
	if !ok || n <= c.Transaction {
		return
	}
	_, txKey, _ := c.Decoded.BatchSize(true)
	b.problem(property.Error, d.At(key), d.Scope.Prefix+key,
		fmt.Sprintf("a batch of %d does not fit channel %s, whose %s is %d", n, channel, txKey, c.Transaction),
		fmt.Sprintf("lower it, or set %s%s = %d", c.Decoded.Scope.Prefix, txKey, n))
}

// checkFlow finds channels that nobody fills or drains.
func (b *builder) checkFlow() {
	for _, c := range b.Channels {
		filled := slices.ContainsFunc(b.Sources, func(s *Source) bool { return slices.Contains(s.Channels, c.Name) }) ||
			slices.ContainsFunc(b.Sinks, func(s *Sink) bool { return s.DeadLetter == c.Name })
		drained := slices.ContainsFunc(b.Sinks, func(s *Sink) bool { return s.Channel == c.Name })
		key := b.Agent + ".channels." + c.Name
		at := b.agent.find(sectionChannels, c.Name).At
		switch {
		case !filled && !drained:
			b.problem(property.Warning, at, key, "no source and no sink is connected to it", "connect it or remove it from "+b.Agent+".channels")
		case !drained:
			b.problem(property.Warning, at, key, "no sink takes from it: it will fill up and then hold up its sources", "set the channel of a sink to "+c.Name)
		case !filled:
			b.problem(property.Advice, at, key, "no source writes to it", "only what it holds already is delivered")
		}
	}
}

// checkClaims finds two components that want the same port or directory.
func (b *builder) checkClaims() {
	type claimed struct {
		component.Claim
		prefix string
		at     property.Position
	}
	var all []claimed
	check := func(d *component.Decoded) {
		if d == nil || d.Failed() {
			return
		}
		cl, ok := d.Config.(component.Claimer)
		if !ok {
			return
		}
		for _, c := range cl.Claims() {
			at := d.At(c.Key)
			for _, o := range all {
				if o.What == c.What && o.ID == c.ID && overlap(o.Host, c.Host) {
					b.problem(property.Error, at, d.Scope.Prefix+c.Key,
						fmt.Sprintf("%s %s is also used by %s (%s)", c.What, c.ID, strings.TrimSuffix(o.prefix, "."), o.at), "give each its own")
				}
			}
			all = append(all, claimed{c, d.Scope.Prefix, at})
		}
	}
	for _, c := range b.Channels {
		check(c.Decoded)
	}
	for _, s := range b.Sources {
		check(s.Decoded)
	}
	for _, s := range b.Sinks {
		check(s.Decoded)
	}
}

// overlap reports whether two addresses to listen on can collide. Names are not
// looked up, since what they mean depends on the machine and the moment; only
// localhost means the same everywhere.
func overlap(a, b string) bool {
	return same(a, b) || wildcard(a) || wildcard(b) || local(a, b) || local(b, a)
}

// same reports whether a and b are one name or one address, however it is written.
func same(a, b string) bool {
	x, y := net.ParseIP(a), net.ParseIP(b)
	return strings.EqualFold(a, b) || x != nil && y != nil && x.Equal(y)
}

// local reports whether name is localhost and address what it stands for: the
// machine decides which of the two it is.
func local(name, address string) bool {
	return strings.EqualFold(name, "localhost") && (same(address, "127.0.0.1") || same(address, "::1"))
}

func wildcard(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || (ip != nil && ip.IsUnspecified())
}
