package monitor

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/flume-go/flume/agent"
	"github.com/flume-go/flume/metrics"
	"github.com/flume-go/flume/pipeline"
)

func TestStatus(t *testing.T) {
	f := newFake()
	f.fail(2, pipeline.StateRetrying, "connection refused")
	f.reloads = agent.ReloadStatus{Succeeded: 2, Failed: 1, LastAt: then.Add(-time.Hour), LastError: errors.New("no sink k9")}
	body, err := json.MarshalIndent(look(f, options(t), then), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "status.json", string(body)+"\n")
}

func TestBlocked(t *testing.T) {
	tests := []struct {
		name   string
		change func(*fake)
		want   map[string]string
	}{
		{"nothing", func(*fake) {}, nil},
		{"full channel", func(f *fake) { f.status[1].Events = 100 }, map[string]string{"r1": "channel c1 is full"}},
		{"full channel that moves", func(f *fake) { f.status[1].Events, f.status[1].Oldest = 100, then.Add(-time.Second) }, nil},
		{"unlimited channel", func(f *fake) { f.status[1].Capacity = 0 }, nil},
		{"channel is not open", func(f *fake) {
			f.fail(1, pipeline.StateRetrying, "locked")
			f.status[0].State, f.status[2].State = pipeline.StateStarting, pipeline.StateStarting
			f.status[1].Events = 0
		}, map[string]string{"r1": "waits for channel c1, which is not open", "k1": "waits for channel c1, which is not open"}},
		{"sink fails", func(f *fake) { f.fail(2, pipeline.StateFailed, "x") }, map[string]string{"c1": "every sink that takes from it is failing"}},
		{"sink fails, channel is empty", func(f *fake) { f.fail(2, pipeline.StateFailed, "x"); f.status[1].Events = 0 }, nil},
		{"one sink of two fails", func(f *fake) {
			f.fail(2, pipeline.StateFailed, "x")
			f.add(metrics.KindSink, "k2", "null", "c1")
		}, nil},
		{"no sink", func(f *fake) { f.status = f.status[:2] }, map[string]string{"c1": "no sink takes from it"}},
		{"unknown channel", func(f *fake) { f.status[0].Channels = []string{"gone"} }, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake()
			tt.change(f)
			for _, c := range look(f, options(t), then).Components {
				if c.Blocked != tt.want[c.Name] {
					t.Errorf("%s: %q, want %q", c.Name, c.Blocked, tt.want[c.Name])
				}
			}
		})
	}
}
