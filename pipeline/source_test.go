package pipeline

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/metrics"
)

type sourceFunc func(context.Context, flow.Emitter) error

func (f sourceFunc) Run(ctx context.Context, out flow.Emitter) error { return f(ctx, out) }

func newSourceRunner(t *testing.T, s flow.Source) *SourceRunner {
	t.Helper()
	set := metrics.NewSet(metrics.KindSource, "r")
	r := &SourceRunner{Name: "r", Source: s, Out: NewEmitter(discard, set), Log: discard, Metrics: set}
	t.Cleanup(func() { _ = r.Stop(context.Background()) })
	return r
}

func TestSourceThatFailsIsRunAgain(t *testing.T) {
	for name, fail := range map[string]func() error{
		"error": func() error { return errScripted },
		"fatal": func() error { return flow.Fatal(errScripted) },
		"panic": func() error { panic("boom") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var runs atomic.Int32
				r := newSourceRunner(t, sourceFunc(func(ctx context.Context, _ flow.Emitter) error {
					if runs.Add(1) <= 3 {
						return fail()
					}
					<-ctx.Done()
					return nil
				}))
				r.Start()
				synctest.Wait()
				want := StateRetrying
				if name == "fatal" {
					want = StateFailed
				}
				if s := r.Status(); s.State != want || s.Error == nil {
					t.Errorf("status %+v", s)
				}
				if name == "fatal" {
					pass(fatalPause - time.Second)
					if n := runs.Load(); n != 1 {
						t.Errorf("%d runs within the long pause", n)
					}
				}
				pass(2 * time.Minute)
				if s := r.Status(); runs.Load() != 4 || s.State != StateRunning || !s.Healthy() {
					t.Errorf("after %d runs status %+v", runs.Load(), s)
				}
				if err := r.Stop(t.Context()); err != nil {
					t.Error(err)
				}
				if s := r.Status(); s.State != StateStopped {
					t.Errorf("after the stop %+v", s)
				}
			})
		})
	}
}

func TestSourceThatIsDoneStaysDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runs := 0
		r := newSourceRunner(t, sourceFunc(func(context.Context, flow.Emitter) error { runs++; return nil }))
		r.Start()
		pass(time.Hour)
		if s := r.Status(); runs != 1 || s.State != StateDone || !s.Healthy() {
			t.Errorf("after %d runs status %+v", runs, s)
		}
	})
}

func TestStopSaysWhichSourceHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		r := newSourceRunner(t, sourceFunc(func(context.Context, flow.Emitter) error { <-release; return nil }))
		r.Start()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := r.Stop(ctx)
		if err == nil || !errors.Is(err, context.DeadlineExceeded) || err.Error() != "source r has not stopped: context deadline exceeded" {
			t.Errorf("stopping said %v", err)
		}
		close(release)
	})
}

// TestStopGivesASourceTheMomentItNeeds: the time is over before it is told.
func TestStopGivesASourceTheMomentItNeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newSourceRunner(t, sourceFunc(func(ctx context.Context, _ flow.Emitter) error { <-ctx.Done(); return nil }))
		over, cancel := context.WithCancel(t.Context())
		cancel()
		for range 20 {
			r.Start()
			synctest.Wait()
			if err := r.Stop(over); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestSourceThatFailsAfterAWhileIsNotRunningInBetween: health would go up and down,
// with two lines in the log each time.
func TestSourceThatFailsAfterAWhileIsNotRunningInBetween(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var works atomic.Bool
		r := newSourceRunner(t, sourceFunc(func(ctx context.Context, _ flow.Emitter) error {
			if !works.Load() {
				flow.Sleep(ctx, 5*time.Second) // a connection that times out
				return errScripted
			}
			<-ctx.Done()
			return nil
		}))
		r.Start()
		pass(time.Second)
		if s := r.Status(); s.State != StateRunning {
			t.Errorf("at first %+v", s)
		}
		pass(5 * time.Second)
		for range 100 {
			if s := r.Status(); s.State != StateRetrying {
				t.Fatalf("after %d failures %+v", s.Failures, s)
			}
			pass(time.Second)
		}
		works.Store(true)
		pass(settled)
		if s := r.Status(); s.State != StateRunning {
			t.Errorf("after it has worked for a while %+v", s)
		}
	})
}

// TestSourceThatFailsJustWhenItWouldCountAsRunning: the failure counts.
func TestSourceThatFailsJustWhenItWouldCountAsRunning(t *testing.T) {
	for range 200 {
		synctest.Test(t, func(t *testing.T) {
			r := newSourceRunner(t, sourceFunc(func(ctx context.Context, _ flow.Emitter) error {
				flow.Sleep(ctx, startGrace)
				return errScripted
			}))
			r.Start()
			pass(startGrace)
			if s := r.Status(); s.State != StateRetrying {
				t.Fatalf("status %+v", s)
			}
			_ = r.Stop(t.Context())
		})
	}
}

// TestSourceIsClosedAfterAStopWhileItOpens: closing has a context that is not over.
func TestSourceIsClosedAfterAStopWhileItOpens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slowOpener{}
		r := newSourceRunner(t, s)
		r.Start()
		synctest.Wait()
		if err := r.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if !s.closed || s.closing != nil {
			t.Errorf("closed: %v, with a context that says %v", s.closed, s.closing)
		}
	})
}

// slowOpener waits in Open until it is stopped.
type slowOpener struct {
	sourceFunc
	closed  bool
	closing error // of the context that Close got
}

func (s *slowOpener) Open(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
func (s *slowOpener) Close(ctx context.Context) error {
	s.closed, s.closing = true, ctx.Err()
	return nil
}

// lifecycleSource counts how it is opened and closed.
type lifecycleSource struct {
	sourceFunc
	opens, closes int
}

func (s *lifecycleSource) Open(context.Context) error {
	if s.opens++; s.opens == 1 {
		return errScripted
	}
	return nil
}
func (s *lifecycleSource) Close(context.Context) error { s.closes++; return nil }

func TestSourceIsOpenedAndClosedAroundEachRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runs := 0
		s := &lifecycleSource{sourceFunc: func(ctx context.Context, _ flow.Emitter) error {
			if runs++; runs == 1 {
				return errScripted
			}
			<-ctx.Done()
			return nil
		}}
		r := newSourceRunner(t, s)
		r.Start()
		pass(time.Minute)
		if err := r.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if runs != 2 || s.opens != 3 || s.closes != 3 {
			t.Errorf("%d runs, %d opens, %d closes; want 2, 3, 3", runs, s.opens, s.closes)
		}
	})
}
