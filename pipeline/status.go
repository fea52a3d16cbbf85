package pipeline

import (
	"sync"
	"time"
)

// State is where a component stands in its life.
type State string

// The states.
const (
	StateStarting State = "starting"
	StateRunning  State = "running"
	StateRetrying State = "retrying" // failed, tried again after a pause
	StateFailed   State = "failed"   // cannot work as configured; tried again slowly
	StateDone     State = "done"     // a source that has nothing more to do
	StateStopped  State = "stopped"
)

// Status is a component's state with what led to it.
type Status struct {
	State    State
	Since    time.Time
	Error    error     // last failure; kept after recovery
	ErrorAt  time.Time // when it happened
	Failures int       // in a row
}

// Healthy reports whether the component works.
func (s Status) Healthy() bool { return s.State == StateRunning || s.State == StateDone }

// Tracker holds a Status. It reports changes of state, so that a log has one
// line for each and not one for each failure. The zero value is ready; safe for
// concurrent use.
type Tracker struct {
	mu sync.Mutex
	s  Status
}

// Get returns the status at this moment.
func (t *Tracker) Get() Status {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.s
}

// Set enters a state and reports whether it is a new one.
func (t *Tracker) Set(state State) (changed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if state == StateRunning {
		t.s.Failures = 0
	}
	if t.s.State == state {
		return false
	}
	t.s.State, t.s.Since = state, time.Now()
	return true
}

// Fail enters a failed state and reports whether the state or the error's text
// is a new one.
func (t *Tracker) Fail(state State, err error) (changed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	changed = t.s.State != state || t.s.Error == nil || t.s.Error.Error() != err.Error()
	if t.s.State != state {
		t.s.State, t.s.Since = state, now
	}
	t.s.Error, t.s.ErrorAt = err, now
	t.s.Failures++
	return changed
}
