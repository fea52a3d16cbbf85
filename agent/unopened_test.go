package agent

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/vfs"
)

// onDisk is a channel that has events on a disk, which may not be mounted.
type onDisk struct {
	flow.Channel
	log     *slog.Logger
	mounted atomic.Bool
	open    atomic.Bool
}

// Open implements flow.Channel.
func (c *onDisk) Open(context.Context) error {
	if !c.mounted.Load() {
		return errors.New("the disk is not mounted")
	}
	c.open.Store(true)
	c.log.Info("channel is open", "events", 7)
	return nil
}

// Close implements flow.Channel.
func (c *onDisk) Close(context.Context) error {
	c.open.Store(false)
	return nil
}

// Stats implements flow.Channel.
func (c *onDisk) Stats() flow.Stats {
	if c.open.Load() {
		return flow.Stats{Events: 7}
	}
	return flow.Stats{}
}

// Take implements flow.Channel: the events wait for something that never comes.
func (c *onDisk) Take(ctx context.Context, _ int) (flow.Delivery, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// lastOnDisk is the channel of that type that was made last.
var lastOnDisk atomic.Pointer[onDisk]

func init() {
	component.RegisterChannel(component.Info{Type: "testdisk"}, func(_ struct{}, env component.Env) (flow.Channel, error) {
		c := &onDisk{log: env.Log}
		lastOnDisk.Store(c)
		return c, nil
	})
}

// TestStopDoesNotClaimToKnowWhatAChannelHasThatWasNotOpen, and says how much one has that was.
func TestStopDoesNotClaimToKnowWhatAChannelHasThatWasNotOpen(t *testing.T) {
	for name, tt := range map[string]struct {
		mounted bool
		want    string
		not     string
	}{
		"not open": {false, "undelivered_lost=0 undelivered_kept_on_disk=unknown channels_not_open=[c1]", "kept_on_disk=0"},
		"open":     {true, "undelivered_lost=0 undelivered_kept_on_disk=7", "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				a := New(Options{Name: "a1", Log: slog.New(slog.NewTextHandler(&log, nil)), FS: vfs.OS{}, StopLimit: time.Second})
				start(t, a, strings.Replace(simple(t.Name()), "c1.type = memory", "c1.type = testdisk", 1))
				lastOnDisk.Load().mounted.Store(tt.mounted)
				if tt.mounted {
					pass(time.Minute)
				}
				if err := a.Stop(t.Context()); err != nil {
					t.Error(err)
				}
				if text := log.String(); !strings.Contains(text, tt.want) || strings.Contains(text, tt.not) {
					t.Errorf("want %s and not %s in:\n%s", tt.want, tt.not, text)
				}
				opened := 0
				if tt.mounted {
					opened = 1
				}
				if got := strings.Count(log.String(), `msg="channel is open"`); got != opened {
					t.Errorf("the log tells %d times that the channel is open, want %d:\n%s", got, opened, log.String())
				}
			})
		})
	}
}
