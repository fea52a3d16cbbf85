// Package sinkgroup is what the sink processors have in common: members that are
// opened and closed with their group, and that are opened again in the background
// when that failed, while the others do the work.
package sinkgroup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
)

const (
	// minReopen and maxReopen bound the growing pause between two tries to
	// open a member.
	minReopen = time.Second
	maxReopen = 5 * time.Second
	// maxPause is the longest that a group without a working member asks its
	// runner to wait: Flume's pause after a failed delivery.
	maxPause = 5 * time.Second
)

// Group is the members of a sink group, in the order of the configuration.
type Group struct {
	Members []*Member
	log     *slog.Logger

	mu      sync.Mutex
	running bool
	ctx     context.Context //nolint:containedctx // of the reopening goroutines, which outlive the call that starts them
	cancel  context.CancelFunc
	wg      sync.WaitGroup
}

var _ flow.Lifecycle = (*Group)(nil)

// Member is a sink of a group. Deliver and TakeFresh are for the one goroutine
// that drives the group.
type Member struct {
	Name string

	sink  flow.Sink
	life  flow.Lifecycle // sink, if it has a life cycle
	group *Group
	open  atomic.Bool
	fresh atomic.Bool
	cause atomic.Value // of error holder: why it is not open
}

type holder struct{ err error }

// New returns a group of these sinks, all closed.
func New(sinks []flow.Member, log *slog.Logger) *Group {
	g := &Group{log: log}
	for _, s := range sinks {
		m := &Member{Name: s.Name, sink: s.Sink, group: g}
		m.life, _ = s.Sink.(flow.Lifecycle)
		m.closed(flow.ErrClosed)
		g.Members = append(g.Members, m)
	}
	return g
}

// Open opens all members. It fails only if none can be opened; those that cannot
// be are tried again in the background.
func (g *Group) Open(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.running {
		return nil
	}
	var failed []*Member
	var errs []error
	for _, m := range g.Members {
		if err := m.openNow(ctx); err != nil {
			failed = append(failed, m)
			errs = append(errs, err)
		}
	}
	if len(failed) == len(g.Members) {
		return fmt.Errorf("opening a group of %d sinks: none can be opened: %w", len(failed), errors.Join(errs...))
	}
	g.running = true
	g.ctx, g.cancel = context.WithCancel(context.WithoutCancel(ctx))
	for i, m := range failed {
		g.log.Warn("a sink of the group cannot be opened; the others go on without it", "sink", m.Name, "error", errs[i])
		g.reopen(m, false)
	}
	return nil
}

// Close ends the background work and closes all members.
func (g *Group) Close(ctx context.Context) error {
	g.mu.Lock()
	if g.cancel != nil {
		g.cancel()
	}
	g.running = false
	g.mu.Unlock()
	g.wg.Wait()
	var errs []error
	for _, m := range g.Members {
		if err := m.closeNow(ctx); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// reopen tries to open m, which is closed first if it was open, until that
// succeeds or the group is closed. g.mu is held.
func (g *Group) reopen(m *Member, wasOpen bool) {
	ctx := g.ctx
	g.wg.Go(func() {
		if wasOpen {
			if err := m.life.Close(ctx); err != nil {
				g.log.Warn("closing a failed sink of the group", "sink", m.Name, "error", err)
			}
		}
		pause := flow.Backoff{Min: minReopen, Max: maxReopen}
		for pause.Wait(ctx, 0) {
			if m.openNow(ctx) == nil {
				m.fresh.Store(true)
				g.log.Info("a sink of the group has been opened again", "sink", m.Name)
				return
			}
		}
	})
}

// renew closes m, which says that it cannot work any more, and opens it again in
// the background.
func (g *Group) renew(m *Member, cause error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.running || m.life == nil {
		return
	}
	m.closed(cause)
	g.reopen(m, true)
}

// AllFailed returns the error of a delivery that no member has taken. errs say
// why, if any was tried; earliest is when the next may be tried again.
func (g *Group) AllFailed(errs []error, earliest time.Time) error {
	pause := min(maxPause, max(0, time.Until(earliest)))
	if len(errs) == 0 {
		return flow.RetryAfter(fmt.Errorf("all %d sinks of the group failed lately and are not tried yet", len(g.Members)), pause)
	}
	err := fmt.Errorf("no sink of the group took the batch: %w", errs[0])
	unknown := flow.ClassOf(errs[0]) == flow.ClassUnknown
	for _, e := range errs[1:] {
		err = fmt.Errorf("%w; %w", err, e)
		unknown = unknown || flow.ClassOf(e) == flow.ClassUnknown
	}
	if unknown {
		return flow.Unknown(err) // a member may have stored the batch: that is not to be forgotten
	}
	return flow.RetryAfter(err, pause)
}

// Settles reports whether err, from Deliver, ends the search for a member that
// takes the batch: it was delivered, or it is not the member's fault that it was
// not.
func Settles(ctx context.Context, err error) bool {
	if err == nil || ctx.Err() != nil {
		return true
	}
	c := flow.ClassOf(err)
	return c == flow.ClassReject || c == flow.ClassShutdown
}

// Works reports whether err, from Deliver, shows that the member works.
func Works(err error) bool { return err == nil || flow.ClassOf(err) == flow.ClassReject }

// Deliver gives b to the sink. A member that is not open fails at once.
func (m *Member) Deliver(ctx context.Context, b *event.Batch) error {
	if !m.open.Load() {
		return flow.Retry(fmt.Errorf("sink %s is not open: %w", m.Name, m.cause.Load().(holder).err))
	}
	err := m.sink.Deliver(ctx, b)
	if err == nil {
		return nil
	}
	if flow.ClassOf(err) == flow.ClassFatal {
		m.group.renew(m, err)
	}
	return fmt.Errorf("sink %s: %w", m.Name, err)
}

// TakeFresh reports, once, that m has been opened in the background: whatever
// kept it out does not count any more.
func (m *Member) TakeFresh() bool { return m.fresh.Swap(false) }

func (m *Member) openNow(ctx context.Context) error {
	if m.open.Load() {
		return nil
	}
	if m.life != nil {
		if err := m.life.Open(ctx); err != nil {
			m.closed(err)
			return fmt.Errorf("opening sink %s: %w", m.Name, err)
		}
	}
	m.open.Store(true)
	return nil
}

func (m *Member) closeNow(ctx context.Context) error {
	m.closed(flow.ErrClosed)
	if m.life == nil {
		return nil
	}
	if err := m.life.Close(ctx); err != nil {
		return fmt.Errorf("closing sink %s: %w", m.Name, err)
	}
	return nil
}

// closed notes that m is not open and why.
func (m *Member) closed(cause error) {
	m.cause.Store(holder{cause})
	m.open.Store(false)
}
