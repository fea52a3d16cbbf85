// Package bench is the home of Flume's benchmarks.
//
// Two kinds live here. The ordinary Go benchmarks of this package run parts of
// the agent in process. The program in cmd/flumebench measures whole agents:
// it starts the built binary as its own process, feeds it over the network and
// watches its output, and does the same with a bare program that performs the
// same input and output with nothing between. What it reports first is the
// ratio of the two, because a ratio taken in one run on one machine is worth
// more than a rate.
//
// The library parts of that program are the folders beside this file:
//
//	lines      the numbered lines that load is made of, and the proof that all arrived
//	stats      medians and spreads
//	proc       child processes: starting, stopping, their time and memory
//	roles      what the program does when it starts itself: load generators, bare programs, users of the log
//	scenario   one file for each piece of work that is measured
//	report     the table and the JSON
package bench
