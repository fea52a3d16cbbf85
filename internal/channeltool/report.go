package channeltool

import (
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/flume-go/flume/internal/vfs"
)

// Subject says what was looked at.
type Subject struct {
	Channel    string   `json:"channel,omitempty"` // "channel c1 of agent a1"
	Layout     Layout   `json:"layout"`
	Data       []string `json:"dataDirs"`
	Checkpoint string   `json:"checkpointDir,omitempty"`
	InUse      string   `json:"inUse,omitempty"` // who has it open, as "process 4711"
	NotInUse   bool     `json:"notInUse"`        // nobody has; false with an empty InUse: that could not be told
	Notes      []string `json:"notes,omitempty"` // what should be known when reading the rest
}

// Report is what Inspect found.
type Report struct {
	Subject
	Events    int   `json:"events"` // staged: accepted, and not delivered
	Bytes     int64 `json:"bytes"`  // of their bodies
	Estimated bool  `json:"bytesEstimated,omitempty"`
	// AtStop is how many of Events are in the log of what a spillable channel had in memory at an orderly stop.
	AtStop    int        `json:"memoryAtStop,omitempty"`
	Oldest    *time.Time `json:"oldest,omitempty"`    // no staged event is older
	LastWrite *time.Time `json:"lastWrite,omitempty"` // of the files with staged events: no event is newer

	CheckpointFile Checkpoint    `json:"checkpoint"`
	Disks          []Disk        `json:"disks,omitempty"`
	Files          []File        `json:"files"`
	FreeFiles      int           `json:"freeFiles"` // of Files: they wait to be used again
	Keys           []Key         `json:"keys,omitempty"`
	Quarantine     []Quarantined `json:"quarantine,omitempty"`
	Damage         []Damage      `json:"damage,omitempty"` // met by the way
	DamageCount    int           `json:"damageCount"`      // Damage may be cut short
	MissingFiles   int           `json:"missingFiles"`     // of this program's log, with staged events; each is in Damage, too
	Java           *JavaDetails  `json:"java,omitempty"`
}

// Checkpoint is the state of a checkpoint.
type Checkpoint struct {
	Path    string     `json:"path,omitempty"`
	Time    *time.Time `json:"time,omitempty"` // when it was written
	Size    int64      `json:"size,omitempty"`
	State   string     `json:"state"`             // for people
	Problem string     `json:"problem,omitempty"` // why it cannot be used
}

// Disk is the file system of a data directory.
type Disk struct {
	Dir  string `json:"dir"`
	Free uint64 `json:"free"` // bytes
}

// File is a file with events.
type File struct {
	Path       string     `json:"path"`
	State      string     `json:"state,omitempty"` // active, staged or free
	Generation uint64     `json:"generation,omitempty"`
	Size       int64      `json:"size"`
	Used       int64      `json:"used,omitempty"`
	Events     uint64     `json:"events,omitempty"` // ever put into it
	Staged     int        `json:"staged"`           // of these
	Since      *time.Time `json:"since,omitempty"`  // of the first
	Modified   *time.Time `json:"modified,omitempty"`
	Key        string     `json:"key,omitempty"`
}

// Key is an encryption key that files need.
type Key struct {
	Alias   string `json:"alias"`
	Files   int    `json:"files,omitempty"`
	Events  int    `json:"events,omitempty"`  // staged
	Problem string `json:"problem,omitempty"` // why they cannot be decrypted
}

// Quarantined is the copy of something damaged.
type Quarantined struct {
	Path string    `json:"path"`
	Size int64     `json:"size"`
	Time time.Time `json:"time"`
}

// Damage is a damaged place.
type Damage struct {
	File   string `json:"file"`
	Offset int64  `json:"offset"`
	Length int64  `json:"length,omitempty"` // 0: not known
	What   string `json:"what"`
}

// String describes the damage in a line.
func (d Damage) String() string {
	length := ""
	if d.Length > 0 {
		length = fmt.Sprintf(" (%s bytes)", Count(d.Length))
	}
	return fmt.Sprintf("%s: offset %d%s: %s", d.File, d.Offset, length, d.What)
}

// JavaDetails is what only Apache Flume's file channel has.
type JavaDetails struct {
	Versions        []int    `json:"versions"`
	Source          string   `json:"source"` // of the queue: checkpoint, backup checkpoint, logs alone
	Problems        []string `json:"problems,omitempty"`
	UncommittedPuts int      `json:"uncommittedPuts"`
	ReturnedTakes   int      `json:"returnedTakes"`
	OpenTakes       int      `json:"openTakes"`
	PendingTakes    int      `json:"pendingTakes"`
	Disabled        int      `json:"disabledRecords"`
	Lost            int      `json:"lostEvents"` // staged and not readable
}

// Verification is what Verify found.
type Verification struct {
	Subject
	Files       int      `json:"files"`
	Bytes       int64    `json:"bytes"`             // of the files
	Records     int      `json:"records,omitempty"` // good ones
	Events      int      `json:"events"`            // good ones; of this program's log also those delivered already
	Unopened    int      `json:"unopened,omitempty"`
	Damage      []Damage `json:"damage"`
	DamageCount int      `json:"damageCount"` // Damage may be cut short
	Problems    []string `json:"problems,omitempty"`
}

// Clean reports whether nothing is wrong.
func (v *Verification) Clean() bool { return v.DamageCount == 0 && len(v.Problems) == 0 }

func (v *Verification) damaged(d Damage) {
	v.Damage = append(v.Damage, d)
	v.DamageCount++
}

// Repaired is what Repair did, in the terms of Apache Flume's tool.
type Repaired struct {
	Records int // in the channel: of all kinds in Apache Flume's logs, staged events in this program's; damaged places as one each
	Puts    int // events examined
	Valid   int
	Invalid int
	Corrupt int
	Details []string // what was done, one thing a line
}

// Add adds what another repair did.
func (r *Repaired) Add(o *Repaired) {
	r.Records += o.Records
	r.Puts += o.Puts
	r.Valid += o.Valid
	r.Invalid += o.Invalid
	r.Corrupt += o.Corrupt
	r.Details = append(r.Details, o.Details...)
}

// some returns t unless it is zero.
func some(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// disks returns the free space of directories, as far as the system tells.
func disks(dirs []string) []Disk {
	var out []Disk
	for _, dir := range dirs {
		if free, err := vfs.DiskFree(vfs.OS{}, dir); err == nil {
			out = append(out, Disk{Dir: dir, Free: free})
		}
	}
	return out
}

// stat returns what is known of a file, nil if nothing is: it may have gone since it was listed.
func stat(path string) fs.FileInfo {
	info, err := os.Stat(path)
	if err != nil {
		return nil
	}
	return info
}
