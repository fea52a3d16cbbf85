package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
)

// Branch is one of a source's channels.
type Branch struct {
	Name    string
	Channel flow.Channel
	// Transaction is the most events of one put; 0 means no limit.
	Transaction int
}

// Route is what lies between a source and its channels. Its interceptors are
// opened by whoever makes it and closed by the emitter that drops it.
type Route struct {
	Interceptors []NamedInterceptor
	Selector     flow.Selector
	Branches     []Branch
}

// NamedInterceptor is an interceptor by its configured name.
type NamedInterceptor struct {
	Name string
	flow.Interceptor
}

// liveRoute is a route in use, with the number of emits under way in it.
type liveRoute struct {
	Route
	order   []int // branch indexes by channel name; see reserveAll
	limit   int   // smallest transaction capacity, 0 for none
	users   atomic.Int64
	retired atomic.Bool
	empty   sync.Once
	drained chan struct{} // closed once retired without users
}

func newLiveRoute(r Route) *liveRoute {
	l := &liveRoute{Route: r, drained: make(chan struct{})}
	for i, b := range r.Branches {
		l.order = append(l.order, i)
		if b.Transaction > 0 && (l.limit == 0 || b.Transaction < l.limit) {
			l.limit = b.Transaction
		}
	}
	sort.Slice(l.order, func(i, j int) bool { return r.Branches[l.order[i]].Name < r.Branches[l.order[j]].Name })
	return l
}

// leave ends one use. The last one out of a retired route says so.
func (l *liveRoute) leave() { l.settle(l.users.Add(-1)) }

// retiredBase is added to users when a route retires, so that a count of exactly
// this much means "retired and empty". A late emit that looks in and leaves at
// once may reach it a second time.
const retiredBase = -1 << 40

func (l *liveRoute) retire() {
	if l.retired.CompareAndSwap(false, true) {
		l.settle(l.users.Add(retiredBase))
	}
}

func (l *liveRoute) settle(users int64) {
	if users == retiredBase {
		l.empty.Do(func() { close(l.drained) })
	}
}

// wait waits until a retired route has no users.
func (l *liveRoute) wait(ctx context.Context) error {
	select {
	case <-l.drained:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for batches under way: %w", context.Cause(ctx))
	}
}

func (l *liveRoute) closeInterceptors(ctx context.Context) error {
	var errs []error
	for _, i := range l.Interceptors {
		if c, ok := i.Interceptor.(flow.Lifecycle); ok {
			if err := c.Close(ctx); err != nil {
				errs = append(errs, fmt.Errorf("closing interceptor %s: %w", i.Name, err))
			}
		}
	}
	return errors.Join(errs...)
}

// progress is how far one Emit has come, across a change of routes.
type progress struct {
	event   int    // events before this one are in every required channel
	end     int    // end of the part that rest belongs to
	rest    []rest // what is missing of a part of which some channel has something
	held    []bool // by index in that part: some channel has the event
	patient bool   // once something is stored, wait for the rest
}

// rest is what a channel is still to get of a part. It is kept as it was selected:
// the next route may cut other parts, and its selector need not give the same
// events to the same channels.
type rest struct {
	channel string
	events  *event.Batch // with a reference
	at      []int        // their indexes in the part, rising
}

// has reports whether the event at this index of the part is among them.
func (r *rest) has(index int) bool {
	_, found := slices.BinarySearch(r.at, index)
	return found
}

// begun reports whether failing now would make the source send again what some
// channel holds already: then waiting beats failing.
func (p *progress) begun() bool { return len(p.rest) > 0 || (p.patient && p.event > 0) }

// keep notes that part is stored but for what shares give to the missing branches.
// The events at the indexes done were stored by one of these before it failed; it
// is not among their shares any more.
func (p *progress) keep(branches []Branch, part *event.Batch, shares []flow.Share, missing, done []int) {
	p.held = make([]bool, part.Len())
	for _, n := range done {
		p.held[n] = true
	}
	for i := range shares {
		switch {
		case shares[i].Empty():
		case slices.Contains(missing, i):
			at := slices.Clone(indexesOf(part, &shares[i]))
			p.rest = append(p.rest, rest{branches[i].Name, share(part, &shares[i]), at})
		default:
			for _, n := range indexesOf(part, &shares[i]) {
				p.held[n] = true
			}
		}
	}
	p.end = p.event + part.Len()
}

func indexesOf(part *event.Batch, s *flow.Share) []int {
	if !s.All {
		return s.Indexes
	}
	return from(0, part.Len())
}

// stored notes that the channel of the first rest has what is not in missing,
// which are indexes in that rest.
func (p *progress) stored(missing []int) {
	r := &p.rest[0]
	left, done := split(r.at, missing)
	for _, n := range done {
		p.held[n] = true
	}
	p.reduce(left, missing)
}

// drop forgets the first rest.
func (p *progress) drop() { p.reduce(nil, nil) }

// reduce leaves of the first rest the events at these indexes in it.
func (p *progress) reduce(at, indexes []int) {
	r := &p.rest[0]
	whole := r.events
	if len(indexes) > 0 {
		r.events, r.at = share(whole, &flow.Share{Indexes: indexes}), at
	} else {
		p.rest = p.rest[1:]
	}
	whole.Release()
}

// uncovered returns the indexes, in the first rest, of the events that no channel
// has and no other rest is to bring to one.
func (p *progress) uncovered() (indexes []int) {
	for i, n := range p.rest[0].at {
		if !p.held[n] && !slices.ContainsFunc(p.rest[1:], func(r rest) bool { return r.has(n) }) {
			indexes = append(indexes, i)
		}
	}
	return indexes
}

// release gives up what is kept.
func (p *progress) release() {
	for _, r := range p.rest {
		r.events.Release()
	}
	p.rest = nil
}

// intercept runs the interceptors over b.
func (l *liveRoute) intercept(b *event.Batch) error {
	for _, i := range l.Interceptors {
		if b.Len() == 0 {
			return nil
		}
		if err := i.Intercept(b); err != nil {
			return fmt.Errorf("interceptor %s: %w", i.Name, err)
		}
	}
	return nil
}

// store puts b into its channels, part by part, no part larger than any of the
// channels takes in one transaction.
func (l *liveRoute) store(ctx context.Context, e *Emitter, b *event.Batch, p *progress) error {
	if err := l.storeRest(ctx, e, p); err != nil {
		return err
	}
	for p.event < b.Len() {
		end := b.Len()
		if l.limit > 0 {
			end = min(end, p.event+l.limit)
		}
		part := b
		if p.event > 0 || end < b.Len() {
			part = b.View(p.event, end)
		}
		err := l.storePart(ctx, e, part, p)
		if part != b {
			part.Release()
		}
		if err != nil {
			return err
		}
		p.event = end
	}
	return nil
}

// storeRest stores what the route before could not store of a part.
func (l *liveRoute) storeRest(ctx context.Context, e *Emitter, p *progress) error {
	if len(p.rest) == 0 {
		return nil
	}
	for len(p.rest) > 0 {
		r := p.rest[0]
		i := slices.IndexFunc(l.Branches, func(b Branch) bool { return b.Name == r.channel })
		if i < 0 {
			if err := l.selectAgain(e, p); err != nil {
				return err
			}
			continue
		}
		n := r.events.Len()
		if limit := l.Branches[i].Transaction; limit > 0 {
			n = min(n, limit)
		}
		head := r.events.View(0, n)
		missing, err := l.put(ctx, e, l.Branches[i], head, true)
		head.Release()
		p.stored(append(missing, from(n, r.events.Len())...))
		if err != nil {
			return err
		}
	}
	p.event = p.end
	return nil
}

// selectAgain finds other channels for the first rest, whose channel is gone. What
// another channel has, or is to get, is not missed.
func (l *liveRoute) selectAgain(e *Emitter, p *progress) error {
	r := p.rest[0]
	indexes := p.uncovered()
	if len(indexes) == 0 {
		p.drop()
		return nil
	}
	plan, _ := e.plans.Get().(*flow.Plan)
	defer e.plans.Put(plan)
	plan.Reset(len(l.Branches))
	events := share(r.events, &flow.Share{Indexes: indexes})
	defer events.Release()
	if err := l.Selector.Select(events, plan); err != nil {
		return fmt.Errorf("selecting channels: %w", err)
	}
	lost, _ := split(r.at, indexes)
	for i, s := range plan.Required() {
		if !s.Empty() {
			at, _ := split(lost, indexesOf(events, &s))
			p.rest = append(p.rest, rest{l.Branches[i].Name, share(events, &s), at})
		}
	}
	l.putOptional(e, events, plan.Optional())
	p.drop()
	return nil
}

// storePart asks the selector and puts one part into all channels it names.
func (l *liveRoute) storePart(ctx context.Context, e *Emitter, part *event.Batch, p *progress) error {
	plan, _ := e.plans.Get().(*flow.Plan)
	defer e.plans.Put(plan)
	plan.Reset(len(l.Branches))
	if err := l.Selector.Select(part, plan); err != nil {
		return fmt.Errorf("selecting channels: %w", err)
	}
	err := l.putRequired(ctx, e, part, plan.Required(), p)
	if err == nil || len(p.rest) > 0 {
		l.putOptional(e, part, plan.Optional()) // the part does not come here again
	}
	return err
}

func (l *liveRoute) putRequired(ctx context.Context, e *Emitter, part *event.Batch, shares []flow.Share, p *progress) error {
	wanted := 0
	for i := range shares {
		if !shares[i].Empty() {
			wanted++
		}
	}
	begun := p.begun()
	if wanted > 1 && !begun {
		if done, err := l.reserveAll(ctx, part, shares, p); done || err != nil {
			return err
		}
	}
	stored := false
	for i := range shares {
		if shares[i].Empty() {
			continue
		}
		b := share(part, &shares[i])
		missing, err := l.put(ctx, e, l.Branches[i], b, begun || stored)
		partly := err != nil && len(missing) < b.Len()
		b.Release()
		if err != nil {
			if stored || partly {
				wanted, done := split(indexesOf(part, &shares[i]), missing)
				shares[i] = flow.Share{Indexes: wanted}
				p.keep(l.Branches, part, shares, from(i, len(shares)), done)
			}
			return err
		}
		stored = true
	}
	return nil
}

// split returns the elements of list at the positions at, which rise, and the others.
func split(list, at []int) (chosen, others []int) {
	for i, v := range list {
		if len(at) > 0 && at[0] == i {
			chosen, at = append(chosen, v), at[1:]
		} else {
			others = append(others, v)
		}
	}
	return chosen, others
}

// put stores b in one channel. Once begun, which it is when the channel has taken a
// part, a full channel is waited for until ctx ends. missing are the indexes of the
// events that are not stored after an error.
func (l *liveRoute) put(ctx context.Context, e *Emitter, br Branch, b *event.Batch, begun bool) (missing []int, err error) {
	err = br.Channel.Put(ctx, b)
	if err == nil {
		return nil, nil
	}
	left := b.Retain()
	defer func() { left.Release() }()
	missing = from(0, b.Len())
	var pause flow.Backoff
	for {
		passing := flow.ClassOf(err) == flow.ClassRetry
		if some, ok := errors.AsType[flow.Partial](err); ok {
			missing, _ = split(missing, some.Missing())
			rest := share(left, &flow.Share{Indexes: some.Missing()})
			left.Release()
			left = rest
			begun, passing = true, !errors.Is(err, flow.ErrClosed)
		}
		err = fmt.Errorf("channel %s: %w", br.Name, err)
		if !begun || !passing || ctx.Err() != nil {
			return missing, err
		}
		e.writeFail.Add(1)
		if !pause.Wait(ctx, flow.Pause(err)) {
			return missing, err
		}
		if err = br.Channel.Put(ctx, left); err == nil {
			return nil, nil
		}
	}
}

// reserveAll takes space in every required channel and then commits to all, so
// that a full second channel leaves no duplicate in the first. done is false when
// some channel cannot reserve; then nothing has happened.
//
// Channels are reserved in the order of their names: two sources that share
// channels cannot wait for each other.
func (l *liveRoute) reserveAll(ctx context.Context, part *event.Batch, shares []flow.Share, p *progress) (done bool, err error) {
	for i := range shares {
		if _, ok := l.Branches[i].Channel.(flow.Reserver); !ok && !shares[i].Empty() {
			return false, nil
		}
	}
	type held struct {
		branch int
		r      flow.Reservation
	}
	reserved := make([]held, 0, len(shares))
	defer func() {
		for _, h := range reserved {
			h.r.Cancel()
		}
	}()
	for _, i := range l.order {
		if shares[i].Empty() {
			continue
		}
		b := share(part, &shares[i])
		r, err := l.Branches[i].Channel.(flow.Reserver).Reserve(ctx, b)
		b.Release()
		if err != nil {
			return false, fmt.Errorf("channel %s: %w", l.Branches[i].Name, err)
		}
		reserved = append(reserved, held{i, r})
	}
	for n, h := range reserved {
		if err := h.r.Commit(); err != nil {
			if n > 0 {
				// Those that could have taken their share get it with the next route, too.
				var missing []int
				for _, m := range reserved[n:] {
					missing = append(missing, m.branch)
				}
				p.keep(l.Branches, part, shares, missing, nil)
			}
			reserved = reserved[n+1:]
			return false, fmt.Errorf("channel %s: %w", l.Branches[h.branch].Name, err)
		}
	}
	reserved = nil
	return true, nil
}

// from returns the numbers from first to n-1.
func from(first, n int) (numbers []int) {
	for i := first; i < n; i++ {
		numbers = append(numbers, i)
	}
	return numbers
}

// putOptional offers shares to optional channels. None is waited for.
func (l *liveRoute) putOptional(e *Emitter, part *event.Batch, shares []flow.Share) {
	for i := range shares {
		if shares[i].Empty() {
			continue
		}
		b := share(part, &shares[i])
		if err := l.Branches[i].Channel.Put(noWait, b); err != nil {
			e.optionalRefused(l.Branches[i].Name, b.Len(), err)
		}
		b.Release()
	}
}

// share returns the events of s as a batch of its own, with a reference for the caller.
func share(part *event.Batch, s *flow.Share) *event.Batch {
	if s.All || len(s.Indexes) == part.Len() {
		return part.Retain()
	}
	b := event.NewBatch()
	for from := 0; from < len(s.Indexes); {
		to := from + 1
		for to < len(s.Indexes) && s.Indexes[to] == s.Indexes[to-1]+1 {
			to++
		}
		b.AppendShared(part, s.Indexes[from], s.Indexes[to-1]+1)
		from = to
	}
	return b
}

// noWait is a ctx that has ended: a channel stores at once or not at all.
var noWait = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()
