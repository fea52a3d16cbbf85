package channeltest

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	_ "github.com/flume-go/flume/channels/file" // the sound channels that are broken here
	_ "github.com/flume-go/flume/channels/memory"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
)

// recorder notes the failure of a rule instead of failing the test.
type recorder struct{ failure string }

// failed is what a recorder's Fatalf panics with.
type failed struct{}

func (*recorder) Helper()                     {}
func (*recorder) Logf(string, ...any)         {}
func (r *recorder) Errorf(f string, a ...any) { r.failure += fmt.Sprintf(f, a...) + "\n" }
func (r *recorder) Fatalf(f string, a ...any) { r.Errorf(f, a...); panic(failed{}) }

// outcome runs one rule and returns its failure, "" if it is kept.
func outcome(t *testing.T, h Harness, name string) string {
	t.Helper()
	for _, rl := range rules() {
		if rl.name != name {
			continue
		}
		rec := &recorder{}
		synctest.Test(t, func(*testing.T) {
			defer func() {
				if p := recover(); p != nil && p != any(failed{}) {
					panic(p)
				}
			}()
			check(rec, &h, rl)
		})
		if rec.failure != "" && !strings.Contains(rec.failure, rl.rule) {
			t.Errorf("the failure does not print the rule %q:\n%s", rl.rule, rec.failure)
		}
		return rec.failure
	}
	t.Fatalf("there is no rule %q", name)
	return ""
}

func memoryHarness(wrap func(flow.Channel) flow.Channel) Harness {
	return Harness{
		Type: "memory",
		Capacity: func(events int) map[string]string {
			n := strconv.Itoa(events)
			return map[string]string{"capacity": n, "transactionCapacity": n}
		},
		KeepAlive: func(seconds int) map[string]string {
			return map[string]string{"keep-alive": strconv.Itoa(seconds)}
		},
		wrap: wrap,
	}
}

// broken is a channel with some of its methods replaced.
type broken struct {
	flow.Channel
	put   func(ctx context.Context, b *event.Batch) error
	take  func(ctx context.Context, limit int) (flow.Delivery, error)
	close func(ctx context.Context) error
	stats func() flow.Stats
}

func (c *broken) Put(ctx context.Context, b *event.Batch) error {
	if c.put != nil {
		return c.put(ctx, b)
	}
	return c.Channel.Put(ctx, b)
}

func (c *broken) Take(ctx context.Context, limit int) (flow.Delivery, error) {
	if c.take != nil {
		return c.take(ctx, limit)
	}
	return c.Channel.Take(ctx, limit)
}

func (c *broken) Close(ctx context.Context) error {
	if c.close != nil {
		return c.close(ctx)
	}
	return c.Channel.Close(ctx)
}

func (c *broken) Stats() flow.Stats {
	if c.stats != nil {
		return c.stats()
	}
	return c.Channel.Stats()
}

// handed is a delivery with Ack or Nack replaced.
type handed struct {
	flow.Delivery
	ack, nack func() error
}

func (d *handed) Ack() error {
	if d.ack != nil {
		return d.ack()
	}
	return d.Delivery.Ack()
}

func (d *handed) Nack() error {
	if d.nack != nil {
		return d.nack()
	}
	return d.Delivery.Nack()
}

// Each way to break a sound channel is found by the rule it breaks.
func TestBrokenChannelsAreFound(t *testing.T) {
	for _, c := range []struct {
		name  string
		rule  string
		wreck func(c *broken, sound flow.Channel)
	}{
		{"reverses batches", "order", func(c *broken, sound flow.Channel) {
			c.put = func(ctx context.Context, b *event.Batch) error {
				r := event.NewBatch()
				defer r.Release()
				for i := b.Len() - 1; i >= 0; i-- {
					r.AppendEvent(b.At(i))
				}
				return sound.Put(ctx, r)
			}
		}},
		{"stores twice", "order", func(c *broken, sound flow.Channel) {
			c.put = func(ctx context.Context, b *event.Batch) error {
				if err := sound.Put(ctx, b); err != nil {
					return err
				}
				return sound.Put(ctx, b)
			}
		}},
		{"gives more than asked for", "order", func(c *broken, sound flow.Channel) {
			c.take = func(ctx context.Context, limit int) (flow.Delivery, error) { return sound.Take(ctx, limit*2) }
		}},
		{"takes without a live context", "take with an ended context", func(c *broken, sound flow.Channel) {
			c.take = func(ctx context.Context, limit int) (flow.Delivery, error) {
				if sound.Stats().Events > 0 {
					ctx = context.WithoutCancel(ctx)
				}
				return sound.Take(ctx, limit)
			}
		}},
		{"forgets what is given back", "give back in order", func(c *broken, sound flow.Channel) {
			c.take = func(ctx context.Context, limit int) (flow.Delivery, error) {
				d, err := sound.Take(ctx, limit)
				if err != nil {
					return nil, err
				}
				return &handed{Delivery: d, nack: d.Ack}, nil
			}
		}},
		{"gives back to the tail", "give back in order", func(c *broken, sound flow.Channel) {
			c.take = func(ctx context.Context, limit int) (flow.Delivery, error) {
				d, err := sound.Take(ctx, limit)
				if err != nil {
					return nil, err
				}
				return &handed{Delivery: d, nack: func() error {
					b := d.Batch().Retain()
					defer b.Release()
					if err := d.Ack(); err != nil {
						return err
					}
					return sound.Put(context.Background(), b)
				}}, nil
			}
		}},
		{"settles as often as one likes", "settle once", func(c *broken, sound flow.Channel) {
			c.take = func(ctx context.Context, limit int) (flow.Delivery, error) {
				d, err := sound.Take(ctx, limit)
				if err != nil {
					return nil, err
				}
				return &handed{Delivery: d, ack: func() error { _ = d.Ack(); return nil }}, nil
			}
		}},
		{"stores what fits", "all or nothing", func(c *broken, sound flow.Channel) {
			c.put = func(ctx context.Context, b *event.Batch) error {
				for i := range b.Len() {
					one := b.View(i, i+1)
					err := sound.Put(ctx, one)
					one.Release()
					if err != nil {
						return err
					}
				}
				return nil
			}
		}},
		{"frees space with the take", "space comes from Ack", func(c *broken, sound flow.Channel) {
			c.take = func(ctx context.Context, limit int) (flow.Delivery, error) {
				d, err := sound.Take(ctx, limit)
				if err != nil {
					return nil, err
				}
				b := d.Batch().Retain()
				return &loose{b}, d.Ack()
			}
		}},
		{"does not wait for space", "cancelled put", func(c *broken, sound flow.Channel) {
			c.put = func(ctx context.Context, b *event.Batch) error {
				if s := sound.Stats(); s.Events+b.Len() > s.Capacity {
					return flow.ErrFull
				}
				return sound.Put(ctx, b)
			}
		}},
		{"waits too long", "full", func(c *broken, sound flow.Channel) {
			c.put = func(ctx context.Context, b *event.Batch) error {
				_ = sound.Put(ctx, b)
				return sound.Put(ctx, b)
			}
		}},
		{"takes any batch when empty", "transaction capacity", func(c *broken, sound flow.Channel) {
			c.put = func(ctx context.Context, b *event.Batch) error {
				if b.Len() > 4 {
					b = b.View(0, 4)
					defer b.Release()
				}
				return sound.Put(ctx, b)
			}
		}},
		{"accepts when closed", "closed", func(c *broken, sound flow.Channel) {
			c.put = func(ctx context.Context, b *event.Batch) error { _ = sound.Put(ctx, b); return nil }
		}},
		{"loses its content on Close", "close keeps events", func(c *broken, sound flow.Channel) {
			c.close = func(ctx context.Context) error {
				for s := sound.Stats(); s.Events > s.InFlight; s = sound.Stats() {
					d, err := sound.Take(ctx, 100)
					if err != nil {
						break
					}
					_ = d.Ack()
				}
				return sound.Close(ctx)
			}
		}},
		{"says an acknowledgement was in time", "late acknowledgement", func(c *broken, sound flow.Channel) {
			c.take = func(ctx context.Context, limit int) (flow.Delivery, error) {
				d, err := sound.Take(ctx, limit)
				if err != nil {
					return nil, err
				}
				return &handed{Delivery: d, ack: func() error { _ = d.Ack(); return nil }}, nil
			}
		}},
		{"has no stats", "stats", func(c *broken, sound flow.Channel) { c.stats = func() flow.Stats { return flow.Stats{} } }},
		{"drops headers", "content", func(c *broken, sound flow.Channel) {
			c.put = func(ctx context.Context, b *event.Batch) error {
				bare := event.NewBatch()
				defer bare.Release()
				for i := range b.Len() {
					bare.AppendCopy(b.At(i).Body)
				}
				return sound.Put(ctx, bare)
			}
		}},
		{"can less than it says", "declared abilities", func(c *broken, sound flow.Channel) {}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := memoryHarness(func(sound flow.Channel) flow.Channel {
				b := &broken{Channel: sound}
				c.wreck(b, sound)
				return b
			})
			h.Reserves = c.rule == "declared abilities"
			if outcome(t, h, c.rule) == "" {
				t.Errorf("rule %q does not notice", c.rule)
			}
			h.wrap, h.Reserves, h.Inherits, h.Volatile = nil, true, true, true
			if failure := outcome(t, h, c.rule); failure != "" {
				t.Errorf("rule %q is broken by the sound channel:\n%s", c.rule, failure)
			}
		})
	}
}

func fileHarness(settings map[string]string, wrap func(flow.Channel) flow.Channel) Harness {
	h := memoryHarness(wrap)
	h.Type, h.Durable = "file", true
	h.Settings = merge(map[string]string{
		"checkpointDir": "/checkpoint", "dataDirs": "/data", "maxFileSize": "65536", "minimumRequiredSpace": "1048576",
	}, settings)
	return h
}

// Channels that lose or invent events when the power fails are found.
func TestChannelsThatDoNotLastAreFound(t *testing.T) {
	takesForGood := func(sound flow.Channel) flow.Channel {
		c := &broken{Channel: sound}
		c.take = func(ctx context.Context, limit int) (flow.Delivery, error) {
			d, err := sound.Take(ctx, limit)
			if err != nil {
				return nil, err
			}
			return &loose{d.Batch().Retain()}, d.Ack()
		}
		return c
	}
	acknowledgesLightly := func(sound flow.Channel) flow.Channel {
		c := &broken{Channel: sound}
		c.take = func(ctx context.Context, limit int) (flow.Delivery, error) {
			d, err := sound.Take(ctx, limit)
			if err != nil {
				return nil, err
			}
			return &handed{Delivery: d, ack: func() error { return nil }}, nil
		}
		return c
	}
	answersEarly := map[string]string{"fsyncPerTransaction": "false", "fsyncInterval": "3600"}
	for _, c := range []struct {
		name     string
		rule     string
		settings map[string]string
		wrap     func(flow.Channel) flow.Channel
	}{
		{"answers before the sync", "power cut at any moment", answersEarly, nil},
		{"answers before the sync", "power cut", answersEarly, nil},
		{"forgets what is taken", "power cut at any moment", nil, takesForGood},
		{"forgets what is taken", "durable acknowledgements", nil, takesForGood},
		{"forgets acknowledgements", "durable acknowledgements", nil, acknowledgesLightly},
		{"forgets acknowledgements", "power cut", nil, acknowledgesLightly},
	} {
		t.Run(c.name+", "+c.rule, func(t *testing.T) {
			if outcome(t, fileHarness(c.settings, c.wrap), c.rule) == "" {
				t.Errorf("rule %q does not notice", c.rule)
			}
		})
	}
}

// loose is a delivery that the channel has forgotten.
type loose struct{ batch *event.Batch }

func (d *loose) Batch() *event.Batch { return d.batch }
func (d *loose) Ack() error          { d.batch.Release(); return nil }
func (d *loose) Nack() error         { d.batch.Release(); return nil }

// A channel that stores is not an end-to-end channel.
func TestEndToEndIsChecked(t *testing.T) {
	h := memoryHarness(nil)
	h.Capacity = nil
	h.EndToEnd = true
	if outcome(t, h, "end to end") == "" {
		t.Error("a channel that acknowledges at once passes as end to end")
	}
	if outcome(t, h, "unknown outcome") == "" {
		t.Error("a put that succeeded passes as one of unknown outcome")
	}
}

func TestRuleNamesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, rl := range rules() {
		if seen[rl.name] {
			t.Errorf("two rules are called %q", rl.name)
		}
		seen[rl.name] = true
		if !strings.HasSuffix(rl.rule, ".") {
			t.Errorf("the rule %q is not a sentence: %s", rl.name, rl.rule)
		}
	}
}
