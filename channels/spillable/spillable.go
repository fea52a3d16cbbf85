// Package spillable is the channel that keeps its events in memory, and on disk what does not fit there.
//
// Order is kept by a list of runs: so many events in memory, then so many on disk, and so on. Apache Flume calls it the
// drain order. A batch is in one place as a whole. The part on disk is a channel like that of type file.
//
// # Not obvious
//
//   - The disk's part hands out events in the order of its log, and a run is a mere number. So the log must have them in the
//     order of the runs: a put to the disk waits while one is being written that belongs to an earlier run (run.turn).
//     Puts to the disk with nothing in memory between them are one run, and share its writes and syncs.
//   - Whatever is taken is older than whatever was never taken. Events are numbered when they are first taken, and what
//     comes back goes to a list of its own, kept sorted, that is served before the runs.
//   - While nothing is on the disk a put, once stored, lets the sinks go first for a moment: see package pace. Bodies in memory are
//     counted for that when they can be taken (readyBytes), bodies on the disk are not.
//   - Space on the disk is accounted for by the disk's part alone, which knows what damage took.
//   - At Close what is in memory is written to a second log, and the runs to a small file beside it, so that the next Open
//     goes on in the same order: see carrier.
//   - Lock order: life, takeMu, mu, then the locks of the parts. mu is never held during I/O.
package spillable

import (
	_ "embed"
	"fmt"
	"time"

	"github.com/flume-go/flume/channels/internal/durable"
	"github.com/flume-go/flume/component"
)

//go:embed README.md
var readme string

func init() {
	component.RegisterChannel(component.Info{
		Type:    "spillablememory",
		Aliases: []string{"org.apache.flume.channel.SpillableMemoryChannel"},
		Summary: "Keeps events in memory, and on disk what does not fit there.",
		Readme:  readme,
	}, New)
}

// Config is the channel's configuration.
type Config struct {
	MemoryCapacity    int           `flume:"memoryCapacity" default:"10000" min:"0" max:"2147483647" lenient:"true" doc:"Most events in memory, those included that sinks have taken and not yet delivered. 0: everything goes to the disk."`
	OverflowCapacity  int           `flume:"overflowCapacity" default:"100000000" min:"-2147483648" max:"2147483647" lenient:"true" doc:"Most events on the disk, those included that sinks have taken and not yet delivered. 0 or less: none, a put waits for memory."`
	OverflowTimeout   time.Duration `flume:"overflowTimeout" default:"3" unit:"s" max:"2147483647" lenient:"true" doc:"How long a put waits for memory before it goes to the disk, and at most for space in either place before it fails; the source then tries again. 0 or less: not at all."`
	OverflowThreshold int           `flume:"overflowDeactivationThreshold" default:"5" lenient:"true" doc:"Once a put has waited for memory in vain, puts go to the disk without waiting until this percentage of the memory's places is free."`
	ByteCapacity      *int64        `flume:"byteCapacity" unit:"bytes" lenient:"true" doc:"Most bytes of event bodies in memory, less the share for headers. Without it: 80 % of what a Java virtual machine would take as its heap here. 0: no limit."`
	BufferPercentage  int           `flume:"byteCapacityBufferPercentage" default:"20" min:"-2147483648" max:"2147483647" lenient:"true" doc:"Percentage of byteCapacity that is set aside for headers, which are not counted."`
	AvgEventSize      int64         `flume:"avgEventSize" default:"500" min:"1" max:"2147483647" unit:"bytes" lenient:"true" doc:"Unit in which byteCapacity is counted: the body of each event takes up whole units, an empty one too."`
	Capacity          string        `flume:"capacity" doc:"Accepted: memoryCapacity and overflowCapacity say how much the channel holds."`
	KeepAlive         string        `flume:"keep-alive" doc:"Accepted: overflowTimeout says how long a put waits."`
	durable.Config
}

const defaultOverflow = 100_000_000

// overflow returns the most events on disk; 0 means none. A channel without any space is not meant.
func (c Config) overflow() int {
	if c.OverflowCapacity <= 0 && c.MemoryCapacity == 0 {
		return defaultOverflow
	}
	return max(0, c.OverflowCapacity)
}

// Check reports a transaction that the disk can never hold, what is taken otherwise than written, and what is wrong with the rest.
func (c Config) Check(r *component.Report) {
	c.Config.Check(r)
	overflow := c.overflow()
	if overflow > 0 && c.TransactionCapacity > overflow {
		key := "transactionCapacity"
		if !r.Given(key) {
			key = "overflowCapacity"
		}
		r.Error(key, fmt.Sprintf("transactionCapacity (%d) is more than overflowCapacity (%d)", c.TransactionCapacity, overflow),
			"raise overflowCapacity or lower transactionCapacity; they are 100000000 and 10000 unless they are set")
	}
	if overflow != max(0, c.OverflowCapacity) {
		r.Warn("overflowCapacity", fmt.Sprintf("cannot be 0 when memoryCapacity is: %d is used", overflow), "raise one of them")
	}
	if c.BufferPercentage < 0 || c.BufferPercentage > 99 {
		r.Warn("byteCapacityBufferPercentage", fmt.Sprintf("%d is not a share of the memory; from 100 on there is no byte limit at all", c.BufferPercentage),
			"give a percentage from 0 to 99")
	}
	if c.OverflowThreshold < 0 || c.OverflowThreshold > 100 {
		r.Warn("overflowDeactivationThreshold", fmt.Sprintf("%d is not a share of the memory", c.OverflowThreshold), "give a percentage from 0 to 100")
	}
	for _, p := range []struct{ key, value, instead string }{
		{"capacity", c.Capacity, "memoryCapacity and overflowCapacity say how much the channel holds"},
		{"keep-alive", c.KeepAlive, "overflowTimeout says how long a put waits"},
	} {
		if p.value != "" {
			r.Advise(p.key, "has no effect here: "+p.instead, "it can be removed")
		}
	}
}

var (
	_ component.Checker = Config{}
	_ component.Claimer = Config{}
)
