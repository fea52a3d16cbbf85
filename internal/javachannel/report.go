package javachannel

import (
	"fmt"
	"slices"
)

// maxDamages bounds the places that a report lists. The counts beside them go on.
const maxDamages = 1000

// Source says what the queue of staged events was made from, on top of which the logs were replayed.
type Source string

// The sources of a queue, the best first.
const (
	FromCheckpoint Source = "checkpoint" // or an empty directory, which needs none
	FromBackup     Source = "backup checkpoint"
	FromLogs       Source = "logs alone"
)

// Report says what is in the directories. The first group is complete once they are open, the second grows
// while events are read.
type Report struct {
	Events   int   // staged: committed and not taken
	Logs     int   // files
	LogBytes int64 // their length, filler included

	Versions []int    // formats of the logs and the checkpoint, ascending
	Aliases  []string // of the encryption keys that were needed, sorted; Read may need more
	InUse    []string // directories that a running Flume has open

	Source     Source
	Checkpoint int64    // write-order number of the source, 0 for FromLogs
	Problems   []string // why better sources were not used

	UncommittedPuts int // events whose transaction never committed: they were never accepted
	ReturnedTakes   int // staged events that had left the queue and return to its head, as no sink acknowledged them
	OpenTakes       int // staged events that a sink took later on without acknowledging them
	PendingTakes    int // takes of events that are not there: those were delivered, their puts deleted

	Noops        int // records disabled by an integrity tool that replay or Read came across
	CorruptCount int
	Corrupt      []Damage // the first of them: records that were skipped
	TornCount    int
	Torn         []Damage // the first of them: unreadable ends of logs, as crashes leave them

	MaxTransaction int64 // the highest transaction and write-order numbers that replay saw
	MaxOrder       int64

	Delivered      int   // events yielded by the last Read
	DeliveredBytes int64 // of their bodies
	Lost           int   // staged events the last Read found unreadable; each is in Corrupt, too
}

// Damage is a place in a log that cannot be read.
type Damage struct {
	File   string
	Offset int64
	Length int64 // 0 if that is not known
	Reason string
}

// String describes the damage for a log line.
func (d Damage) String() string {
	return fmt.Sprintf("%s at offset %d: %s", d.File, d.Offset, d.Reason)
}

func (r *Report) addCorrupt(d Damage) {
	r.CorruptCount++
	if len(r.Corrupt) < maxDamages {
		r.Corrupt = append(r.Corrupt, d)
	}
}

func (r *Report) addTorn(d Damage) {
	r.TornCount++
	if len(r.Torn) < maxDamages {
		r.Torn = append(r.Torn, d)
	}
}

func (r *Report) addAlias(alias string) {
	if i, found := slices.BinarySearch(r.Aliases, alias); !found {
		r.Aliases = slices.Insert(r.Aliases, i, alias)
	}
}

func (r *Report) addVersion(version int) {
	if i, found := slices.BinarySearch(r.Versions, version); !found {
		r.Versions = slices.Insert(r.Versions, i, version)
	}
}

// clone returns a copy that shares nothing.
func (r *Report) clone() Report {
	c := *r
	c.Versions, c.Aliases, c.InUse = slices.Clone(r.Versions), slices.Clone(r.Aliases), slices.Clone(r.InUse)
	c.Problems, c.Corrupt, c.Torn = slices.Clone(r.Problems), slices.Clone(r.Corrupt), slices.Clone(r.Torn)
	return c
}
