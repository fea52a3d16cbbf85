// Package wal is a durable first-in-first-out log of event batches: appended with group
// commit, read in order by one reader, acknowledged in any order, kept in segments that are
// recycled. It is the part of a file channel that knows about disks.
//
// README.md beside this file has the format byte by byte, the crash cases, what is assumed of
// file systems, the recovery algorithm and the order of locks. The code follows it.
//
// # Not obvious
//
//   - A record says up to where its segment was durable when it was written. That alone
//     tells a torn tail (normal, silent) from damage in the middle (told).
//   - Every segment begins with a snapshot of the whole state. The checkpoint file is a newer
//     copy of the same thing, so losing it costs the replay of one segment.
//   - Released is not reusable: a segment waits until the acknowledgements that emptied it
//     are durable.
//   - Numbers of failed puts are never given again.
//   - An acknowledgement is in the file when Ack returns, so that a killed process does not
//     deliver again, and durable with the next sync. It waits for nobody's sync.
//   - Encryption covers what is in events, and nothing that recovery needs.
package wal
