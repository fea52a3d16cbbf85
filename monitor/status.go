package monitor

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/flume-go/flume/agent"
	"github.com/flume-go/flume/metrics"
	"github.com/flume-go/flume/pipeline"
)

// report is the body of /status: the agent at one moment. Its field names are an
// API; fields are added, never renamed. Times are UTC, to the millisecond.
type report struct {
	Agent      string    `json:"agent"`
	Version    string    `json:"version,omitempty"`
	Time       time.Time `json:"time"`
	Healthy    bool      `json:"healthy"` // as /healthz says
	Ready      bool      `json:"ready"`   // as /readyz says
	Stopping   bool      `json:"stopping"`
	Reloads    reloads   `json:"reloads"`
	Components []unit    `json:"components"`
}

type reloads struct {
	Succeeded int       `json:"succeeded"`
	Failed    int       `json:"failed"`
	LastAt    time.Time `json:"lastAt,omitzero"`
	LastError string    `json:"lastError,omitempty"` // of the last one alone
	// LastChanged is what the last one exchanged.
	LastChanged []string `json:"lastChanged,omitempty"`
}

// unit is one source, channel or sink.
type unit struct {
	Kind  string         `json:"kind"`
	Name  string         `json:"name"`
	Type  string         `json:"type"`
	State pipeline.State `json:"state"`
	Since time.Time      `json:"since,omitzero"`
	// Blocked says what the component waits for; "" if for nothing known.
	Blocked  string    `json:"blocked,omitempty"`
	Error    string    `json:"error,omitempty"` // the last one; kept after recovery
	ErrorAt  time.Time `json:"errorAt,omitzero"`
	Failures int       `json:"failures"` // in a row
	// Events that came in and that went on since the component's start; of a sink,
	// those it tried to deliver and those it delivered.
	In  int64 `json:"in"`
	Out int64 `json:"out"`
	// Channels that a source writes to or a sink takes from.
	Channels []string `json:"channels,omitempty"`
	Store    *store   `json:"store,omitempty"` // of channels
}

// store is what a channel holds.
type store struct {
	Events           int     `json:"events"`
	Capacity         int     `json:"capacity"` // 0: unlimited, or unknown
	OldestAgeSeconds float64 `json:"oldestAgeSeconds"`
}

// fill returns the filled part of the channel, 0 to 1.
func (s *store) fill() float64 {
	if s.Capacity <= 0 {
		return 0
	}
	return min(1, float64(s.Events)/float64(s.Capacity))
}

// stuck reports whether the channel is full and little leaves it. A small channel
// behind a quick source is full most of the time, and nothing is wrong with that.
func (s *store) stuck() bool { return s.fill() >= 1 && s.OldestAgeSeconds >= stuckAge.Seconds() }

// stuckAge is the age of the oldest event from which a full channel is worth a
// look.
const stuckAge = 5 * time.Second

// failing reports whether the component makes the agent unhealthy.
func (c *unit) failing() bool {
	return c.State == pipeline.StateFailed || c.State == pipeline.StateRetrying
}

// working reports whether the component does what it is there for.
func (c *unit) working() bool {
	return c.State == pipeline.StateRunning || c.State == pipeline.StateDone
}

// look reports on the subject as it is now.
func look(subject Subject, o Options, now time.Time) *report {
	r := subject.Reloads()
	out := &report{
		Agent: o.Agent, Version: o.Version, Time: stamp(now), Stopping: subject.Stopping(),
		Reloads:    reloads{Succeeded: r.Succeeded, Failed: r.Failed, LastAt: stamp(r.LastAt), LastError: text(r.LastError), LastChanged: r.LastChanged},
		Components: []unit{},
	}
	counts := countsOf(subject.Metrics())
	for _, s := range subject.Status() {
		c := unitOf(s, now)
		n := counts[metrics.Kind(strings.ToUpper(s.Kind))][s.Name]
		c.In, c.Out = n.in, n.out
		out.Components = append(out.Components, c)
	}
	for i := range out.Components {
		out.Components[i].Blocked = out.blocked(&out.Components[i])
	}
	out.Healthy, out.Ready = out.healthy(), out.ready()
	return out
}

func unitOf(s agent.Status, now time.Time) unit {
	c := unit{
		Kind: s.Kind, Name: s.Name, Type: s.Type, State: s.State, Since: stamp(s.Since),
		Error: text(s.Error), ErrorAt: stamp(s.ErrorAt), Failures: s.Failures, Channels: s.Channels,
	}
	if s.Kind == "channel" {
		c.Store = &store{Events: s.Events, Capacity: s.Capacity}
		if s.Events > 0 && !s.Oldest.IsZero() {
			c.Store.OldestAgeSeconds = max(0, now.Sub(s.Oldest)).Round(time.Millisecond).Seconds()
		}
	}
	return c
}

// healthy reports whether no component fails.
func (r *report) healthy() bool {
	return !slices.ContainsFunc(r.Components, func(c unit) bool { return c.failing() })
}

// ready reports whether events are taken in: there is a topology that is not
// being stopped, every channel is open and every source runs.
func (r *report) ready() bool { return len(r.unready()) == 0 }

// unready returns the reasons for not being ready.
func (r *report) unready() []string {
	if r.Stopping {
		return []string{"the agent is stopping"}
	}
	if len(r.Components) == 0 {
		return []string{"no topology is running"}
	}
	var out []string
	for i := range r.Components {
		if c := &r.Components[i]; c.Kind != "sink" && !c.working() {
			why := fmt.Sprintf("%s %s is %s", c.Kind, c.Name, c.State)
			if c.failing() && c.Error != "" {
				why += ": " + c.Error
			}
			out = append(out, why)
		}
	}
	return out
}

// find returns the component, or nil.
func (r *report) find(kind, name string) *unit {
	for i := range r.Components {
		if c := &r.Components[i]; c.Kind == kind && c.Name == name {
			return c
		}
	}
	return nil
}

// blocked says what c waits for, as far as its neighbours show it.
func (r *report) blocked(c *unit) string {
	if c.Kind == "channel" {
		return r.undrained(c)
	}
	for _, name := range c.Channels {
		ch := r.find("channel", name)
		switch {
		case ch == nil:
		case c.State == pipeline.StateStarting && !ch.working():
			return "waits for channel " + name + ", which is not open"
		case c.Kind == "source" && c.State == pipeline.StateRunning && ch.Store.stuck():
			return "channel " + name + " is full"
		}
	}
	return ""
}

// undrained says why nothing leaves a channel.
func (r *report) undrained(c *unit) string {
	sinks, working := 0, 0
	for i := range r.Components {
		if s := &r.Components[i]; s.Kind == "sink" && slices.Contains(s.Channels, c.Name) {
			sinks++
			if !s.failing() {
				working++
			}
		}
	}
	if c.Store.Events == 0 || working > 0 {
		return ""
	}
	if sinks == 0 {
		return "no sink takes from it"
	}
	return "every sink that takes from it is failing"
}

// flowCount is what went through a component.
type flowCount struct{ in, out int64 }

// flowAttributes are the attributes for events in and out. Some sources, as in
// Flume, count only what they stored.
var flowAttributes = map[metrics.Kind][2]string{
	metrics.KindSource:  {"EventReceivedCount", "EventAcceptedCount"},
	metrics.KindChannel: {"EventPutSuccessCount", "EventTakeSuccessCount"},
	metrics.KindSink:    {"EventDrainAttemptCount", "EventDrainSuccessCount"},
}

func countsOf(registry *metrics.Registry) map[metrics.Kind]map[string]flowCount {
	out := map[metrics.Kind]map[string]flowCount{}
	for _, s := range registry.Sets() {
		names := flowAttributes[s.Kind]
		var n flowCount
		for _, m := range s.Metrics() {
			switch {
			case m.Number == nil:
			case m.Name == names[0]:
				n.in = int64(m.Number())
			case m.Name == names[1]:
				n.out = int64(m.Number())
			}
		}
		if out[s.Kind] == nil {
			out[s.Kind] = map[string]flowCount{}
		}
		out[s.Kind][s.Name] = n
	}
	return out
}

func stamp(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Millisecond)
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
