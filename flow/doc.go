// Package flow is the contract between the parts of an agent.
//
//	Source ── Emit(batch) ─▶ interceptors ─▶ selector ─▶ Channel.Put … Channel.Take ─▶ processor ─▶ Sink.Deliver
//	       ◀── nil: every required channel holds it                         Ack ◀── nil: the destination holds it
//
// The folders of the project stand in the order of that line: sources,
// interceptors, selectors, channels, processors, sinks. Package pipeline joins
// them: the source runner and the emitter on the left, the sink runner on the
// right. Everything is a batch (package event); an acknowledgement is the return
// of a call that said what is true by then.
//
// # Errors
//
// A component says what an error means where it knows it, with Retry, RetryAfter,
// Unknown, Reject or Fatal; the runner alone reads the class and decides what
// happens next. A plain error means Retry.
package flow
