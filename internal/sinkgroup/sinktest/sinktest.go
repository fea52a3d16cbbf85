// Package sinktest has a sink for the tests of sink processors that fails when told to.
package sinktest

import (
	"context"
	"sync"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
)

// Sink records the bodies it is given. Its methods are safe for concurrent use.
type Sink struct {
	mu      sync.Mutex
	fail    error
	noOpen  error
	open    bool
	calls   int
	opens   int
	closes  int
	journal func(name string)
	name    string
}

var (
	_ flow.Sink      = (*Sink)(nil)
	_ flow.Lifecycle = (*Sink)(nil)
)

// New returns sinks of these names. journal, if not nil, is told the name of each
// sink that takes a batch.
func New(journal func(name string), names ...string) (members []flow.Member, byName map[string]*Sink) {
	byName = map[string]*Sink{}
	for _, n := range names {
		s := &Sink{name: n, journal: journal}
		byName[n] = s
		members = append(members, flow.Member{Name: n, Sink: s})
	}
	return members, byName
}

// Fail makes Deliver return err from now on.
func (s *Sink) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

// FailOpen makes Open return err from now on.
func (s *Sink) FailOpen(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noOpen = err
}

// Calls returns how often Deliver was called.
func (s *Sink) Calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// Lives returns how often the sink was opened with success and how often closed.
func (s *Sink) Lives() (opens, closes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opens, s.closes
}

// Deliver implements [flow.Sink].
func (s *Sink) Deliver(context.Context, *event.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if !s.open {
		return flow.ErrClosed
	}
	if s.fail != nil {
		return s.fail
	}
	if s.journal != nil {
		s.journal(s.name)
	}
	return nil
}

// Open implements [flow.Lifecycle].
func (s *Sink) Open(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.noOpen != nil {
		return s.noOpen
	}
	s.open = true
	s.opens++
	return nil
}

// Close implements [flow.Lifecycle].
func (s *Sink) Close(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = false
	s.closes++
	return nil
}
