// Package agent builds a topology, runs it, replaces it by another while it runs,
// and stops it.
//
// # Order
//
// Start: channels, then sinks, then sources. Stop: sources stop accepting and
// finish what they have; channels that would not survive the process are drained
// to their sinks within a limit; sinks finish and close; channels close. What was
// not delivered is in the last line of the log.
//
// # Reload
//
// The new topology is decoded, checked and constructed before the running one is
// touched. Then only what differs is exchanged; see reload.go. An error leaves
// the running topology as it was.
package agent
