// Package javachannel reads the directories of Apache Flume's own file channel: logs of version 3, written
// by Flume 1.3 to 1.11, and of version 2, written before. [Open] finds out which events are staged there,
// as Flume itself would at its next start, and [Dir.Read] yields them in queue order, each once. Neither
// changes anything. [Repair] is the exception: it disables damaged records in place, as Flume's integrity
// tool does.
//
// # How a directory is understood
//
// The logs hold puts, takes, commits and rollbacks, each with a write-order number. A checkpoint is the
// queue, as pointers to puts, up to some write-order number. The queue of today is the checkpoint's, changed
// by what the logs say after it: replay merges all logs by write-order number (replay.go). Without a good
// checkpoint its backup serves, and without that all logs from their beginning.
//
// # Not obvious
//
//   - Flume deletes logs by number, across directories. With several directories the take of an event may
//     thus be gone while its put is still there, so a replay without checkpoint can bring back events that
//     were delivered. That is why a good checkpoint comes first, here as there.
//   - An unreadable last record of a log is what a crash leaves behind and ends the log. Flume refuses to
//     start on one. Damage elsewhere is skipped and told; Flume refuses to start on that, too.
//   - Events that a sink had taken but not acknowledged return to the head of the queue. Flume puts them there
//     in no particular order; here they keep that of their puts.
//   - Memory is for pointers: eight bytes for each staged event, and more only for transactions in
//     flight and for takes that overtook others. Bodies are read when they are yielded.
package javachannel
