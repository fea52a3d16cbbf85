// Package vfs is the file system as the durable log, the file sinks and the
// position files need it, behind an interface small enough to be replaced by one
// that loses power, runs full or fails at a chosen operation.
//
// # The implementations
//
//   - [OS] is the operating system. On Linux its files also offer fdatasync, writev
//     and fallocate; elsewhere the package functions fall back to portable calls.
//   - [Mem] lives in memory and knows what was synced. [Mem.Crash] answers with a
//     state that a power cut could have left behind.
//   - [Failing] wraps another FS, numbers its operations and lets an [Injector] fail
//     any of them.
//
// Package vfstest holds the suite that each of them passes.
//
// # What is in the interfaces, and what is beside them
//
// [FS] has the eight operations without which a log with recycled segments, a rolling
// file, an atomically replaced position file or a locked directory cannot be written.
// Creating, truncating and appending are flags of OpenFile; recycling a segment is
// Rename; listing segments is ReadDir.
//
// [File] is a subset of [os.File], so that an *os.File is a File. What goes beyond it is
// an optional interface with a package function in front: [SyncData], [Preallocate],
// [ReserveBehind], [Writev], [WritevAt] and [DiskFree]. The functions use the capability
// where there is one and otherwise do the same with plain calls, so callers never test for
// it, a wrapper that forgets one stays correct and is only slower, and each fallback is
// written once.
// Free disk space and space reserved behind the end have no fallback: there [DiskFree] and
// [ReserveBehind] report [errors.ErrUnsupported].
//
// # What a disk promises
//
// Code on top of this package may rely on what follows and on nothing else; Mem models
// exactly this.
//
//  1. After Sync or SyncData returned nil, the file's content and length survive a
//     power cut. The file's name does not: see 4.
//  2. What was written since the last sync survives or not for each sector of 512 bytes
//     ([SectorSize]) on its own, in no order. A sector holds one of the states it had
//     since the sync, never a mixture. Sectors that no write touched keep their content.
//  3. The length is one that the file had since the last sync, or a sector boundary that
//     a growing write passed. A byte inside the length whose sector never reached the
//     disk reads as what was there before, or as zero.
//  4. A name created, removed or renamed is durable only after SyncDir of its directory
//     (for a rename between directories, either of the two). Until then each change
//     survives or not, in no order, but a rename is one change: a file is never lost,
//     and never found twice, because it was being renamed.
//  5. A sync that failed says nothing about what reached the disk, and a later sync that
//     succeeds does not make up for it: the system may have dropped the unwritten pages.
//     Write the data again, elsewhere if possible.
//  6. A directory lock ends with its process, however that ends.
//
// Synced bytes that change by themselves are outside the model; records carry checksums
// against them.
package vfs
