package flow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flume-go/flume/event"
)

// An empty list would say that all other events, so all, are delivered.
func TestRejectWithAnEmptyListNamesNoEvent(t *testing.T) {
	for _, err := range []error{Reject(io.EOF), Reject(io.EOF, []int{}...)} {
		if got := Rejected(err); got != nil {
			t.Errorf("rejected are %v, want nil", got)
		}
	}
	if got := Rejected(Reject(io.EOF, 2, 1)); !slices.Equal(got, []int{2, 1}) {
		t.Errorf("rejected are %v", got)
	}
}

func TestClassOf(t *testing.T) {
	base := errors.New("base")
	for _, c := range []struct {
		err  error
		want Class
	}{
		{base, ClassRetry},
		{Retry(base), ClassRetry},
		{RetryAfter(base, time.Second), ClassRetry},
		{Unknown(base), ClassUnknown},
		{Reject(base, 1, 2), ClassReject},
		{Fatal(base), ClassFatal},
		{context.Canceled, ClassShutdown},
		{context.DeadlineExceeded, ClassRetry}, // a destination that took too long
		{ErrFull, ClassRetry},
		{fmt.Errorf("channel c1: %w", ErrClosed), ClassShutdown},
		{fmt.Errorf("sink: %w", Fatal(base)), ClassFatal},
		{Retry(fmt.Errorf("again: %w", Fatal(base))), ClassRetry}, // the outermost counts
		{errors.Join(base, Reject(io.EOF)), ClassReject},
	} {
		if got := ClassOf(c.err); got != c.want {
			t.Errorf("ClassOf(%v) = %v, want %v", c.err, got, c.want)
		}
		if !errors.Is(c.err, base) && errors.Is(c.err, io.EOF) && ClassOf(c.err) != ClassReject {
			t.Errorf("%v lost its cause", c.err)
		}
	}
	if got := Rejected(fmt.Errorf("w: %w", Reject(base, 3, 5))); !slices.Equal(got, []int{3, 5}) {
		t.Errorf("Rejected = %v", got)
	}
	if Rejected(base) != nil || Rejected(Reject(base)) != nil || Rejected(Fatal(base)) != nil {
		t.Error("indexes out of nowhere")
	}
	if Pause(fmt.Errorf("w: %w", RetryAfter(base, time.Second))) != time.Second || Pause(base) != 0 {
		t.Error("the pause got lost")
	}
	for c := ClassRetry; c <= ClassShutdown; c++ {
		if c.String() == "" {
			t.Errorf("class %d has no name", c)
		}
	}
}

func TestBackoffGrowsToItsLimit(t *testing.T) {
	b := Backoff{Min: 10 * time.Millisecond, Max: 60 * time.Millisecond}
	var got []time.Duration
	for range 5 {
		got = append(got, b.Next()/time.Millisecond)
	}
	if !slices.Equal(got, []time.Duration{10, 20, 40, 60, 60}) {
		t.Errorf("pauses %v ms", got)
	}
	b.Reset()
	if b.Next() != 10*time.Millisecond {
		t.Error("Reset did not")
	}
	var zero Backoff
	if zero.Next() != 100*time.Millisecond {
		t.Error("the zero value has no pause")
	}
}

func TestSleepEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if !Sleep(t.Context(), time.Hour) {
			t.Error("an undisturbed sleep says it was disturbed")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if Sleep(ctx, time.Hour) || time.Since(start) != time.Second {
			t.Errorf("slept %v", time.Since(start))
		}
	})
}

// scriptedEmitter returns one error after the other, then nil.
type scriptedEmitter struct {
	errs  []error
	calls int
}

func (e *scriptedEmitter) Emit(context.Context, *event.Batch) error {
	e.calls++
	if e.calls <= len(e.errs) {
		return e.errs[e.calls-1]
	}
	return nil
}

func TestEmitUntilStored(t *testing.T) {
	base := errors.New("base")
	for _, c := range []struct {
		name  string
		errs  []error
		calls int
		want  error
	}{
		{"at once", nil, 1, nil},
		{"after a while", []error{ErrFull, base, Unknown(base)}, 4, nil},
		{"rejected", []error{ErrFull, Reject(base)}, 2, base},
		{"fatal", []error{Fatal(base)}, 1, base},
		{"closed", []error{ErrClosed}, 1, ErrClosed},
	} {
		synctest.Test(t, func(t *testing.T) {
			e, told := &scriptedEmitter{errs: c.errs}, 0
			b := event.NewBatch()
			defer b.Release()
			err := EmitUntilStored(t.Context(), e, b, func(error) { told++ })
			if !errors.Is(err, c.want) || (c.want == nil && err != nil) {
				t.Errorf("%s: error %v, want %v", c.name, err, c.want)
			}
			if e.calls != c.calls || told > c.calls {
				t.Errorf("%s: %d calls, want %d", c.name, e.calls, c.calls)
			}
		})
	}
}

func TestEmitUntilStoredEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		always := make([]error, 10000)
		for i := range always {
			always[i] = ErrFull
		}
		b := event.NewBatch()
		defer b.Release()
		if err := EmitUntilStored(ctx, &scriptedEmitter{errs: always}, b, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
	})
}

func TestPlanIsReusedClean(t *testing.T) {
	var p Plan
	p.Reset(2)
	p.All(0)
	p.Add(1, 7)
	p.AddOptional(0, 3)
	p.AllOptional(1)
	p.Reset(3)
	for i := range 3 {
		if !p.Required()[i].Empty() || !p.Optional()[i].Empty() {
			t.Errorf("channel %d has a share left over", i)
		}
	}
}
