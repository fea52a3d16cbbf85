package pace

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// rig is a pacer with its lock.
type rig struct {
	sync.Mutex
	Pacer
}

// hold starts a Hold; the channel gets how long it took.
func (r *rig) hold(ready int64) <-chan time.Duration {
	done := make(chan time.Duration, 1)
	go func() {
		r.Lock()
		defer r.Unlock()
		begin := time.Now()
		r.Hold(&r.Mutex, ready)
		done <- time.Since(begin)
	}()
	synctest.Wait()
	return done
}

func (r *rig) took(ready int64) {
	r.Lock()
	r.Took(ready)
	r.Unlock()
	synctest.Wait()
}

func TestLittleIsNotHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if d := <-new(rig).hold(holdAbove); d != 0 {
			t.Errorf("held for %v", d)
		}
	})
}

func TestHeldUntilTheSinkHasTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := new(rig)
		one, two := r.hold(holdAbove+1), r.hold(holdAbove+100)
		r.took(letGoAt + 1)
		if len(one)+len(two) > 0 {
			t.Fatal("let go while much is ready")
		}
		r.took(letGoAt)
		if a, b := <-one, <-two; a != 0 || b != 0 {
			t.Errorf("held for %v and %v though the sink took at once", a, b)
		}
	})
}

// TestSlowSink: a sink that does not take costs a moment once, not each put one.
func TestSlowSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := new(rig)
		one, two := r.hold(holdAbove+1), r.hold(holdAbove+100)
		if a, b := <-one, <-two; a != limit || b != limit {
			t.Errorf("held for %v and %v, not for %v", a, b, limit)
		}
		if d := <-r.hold(holdAbove + 200); d != 0 {
			t.Errorf("held for %v after the sink had its moment", d)
		}
		r.took(holdAbove + 100)
		if d := <-r.hold(holdAbove + 200); d != limit {
			t.Errorf("held for %v, not for %v, after the sink took again", d, limit)
		}
	})
}

func TestEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := new(rig)
		held := r.hold(holdAbove + 1)
		r.Lock()
		r.End()
		r.Unlock()
		if d := <-held; d != 0 {
			t.Errorf("held for %v after the end", d)
		}
	})
}
