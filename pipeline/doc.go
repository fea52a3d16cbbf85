// Package pipeline joins components into flows: the emitter between a source and
// its channels (interceptors, selector, transactions), the runner of a source,
// and the runner of a sink with its retry loop, dead letters and counters.
//
// It knows the contract of package flow and no component. What is common to all
// components happens here once: a source never counts what it emitted, a sink
// never takes, acknowledges or backs off.
package pipeline
