package pipeline

import (
	"context"
	"errors"
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
				runs := 0
				r := newSourceRunner(t, sourceFunc(func(ctx context.Context, _ flow.Emitter) error {
					if runs++; runs <= 3 {
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
				pass(time.Minute)
				if s := r.Status(); runs != 4 || s.State != StateRunning || !s.Healthy() {
					t.Errorf("after %d runs status %+v", runs, s)
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
