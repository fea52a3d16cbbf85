package counters

import (
	"strconv"
	"sync/atomic"

	"github.com/flume-go/flume/metrics"
)

// File is the metrics of a channel that keeps its events on disk. Safe for concurrent use.
type File struct {
	*Channel
	PutErrors        *metrics.Counter // puts that the disk failed
	TakeErrors       *metrics.Counter // takes and acknowledgements that the disk failed, and damaged records
	CheckpointErrors *metrics.Counter // checkpoints that could not be written
	Repeated         *metrics.Counter // events that were not stored, as they were stored before

	open, unhealthy atomic.Bool
}

// NewFile makes the metrics in set. The channel is not open yet.
func NewFile(set *metrics.Set) *File {
	f := &File{
		Channel:          New(set),
		PutErrors:        set.Counter("EventPutErrorCount"),
		TakeErrors:       set.Counter("EventTakeErrorCount"),
		CheckpointErrors: set.Counter("CheckpointWriteErrorCount"),
		Repeated:         set.OwnCounter("events_repeated", "Events that another agent sent again though they were stored; they were not stored twice."),
	}
	// Monitors ask for it; there is no second checkpoint whose writing could fail.
	set.Counter("CheckpointBackupWriteErrorCount")
	set.Text("Open", func() string { return strconv.FormatBool(f.open.Load()) })
	set.GaugeFunc("Closed", func() float64 { return number(!f.open.Load()) })
	set.GaugeFunc("Unhealthy", func() float64 { return number(f.unhealthy.Load()) })
	return f
}

// Opened notes how an attempt to open the channel ended.
func (f *File) Opened(err error) {
	f.open.Store(err == nil)
	f.unhealthy.Store(err != nil)
}

// Shut notes that the channel was closed.
func (f *File) Shut() { f.open.Store(false) }

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
