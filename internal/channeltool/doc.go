// Package channeltool looks at what a file channel keeps in its directories: how much there is and since when,
// whether all of it can be read, and the events themselves. It does so for the log of this program and for the
// directories of Apache Flume's own file channel alike; [Find] tells which it is. The two logs of a spillable memory
// channel, of what did not fit and of what was in memory at a stop, are one queue.
//
// Inspect, Verify and Export of a [Queue] change nothing, take no lock that an agent would have to wait for, and work
// while an agent has the channel open. Repair is the exception: it keeps agents away while it works and takes what is
// damaged, or what a validator rejects, out of the agent's way.
package channeltool
