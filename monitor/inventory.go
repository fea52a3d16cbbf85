package monitor

import (
	"slices"
	"strings"

	"github.com/flume-go/flume/metrics"
)

// change is what a reload did to one component. A source whose interceptors or
// selector alone changed runs on and is in no change.
type change struct {
	Kind   string `json:"kind"`
	Name   string `json:"name"`
	Change string `json:"change"` // added, removed, restarted, or reconnected (to other channels)
}

// inventory is the components of an agent in the order of the flow. A component
// that is built anew counts anew: its set of metrics tells it from the one before.
type inventory struct {
	order []inventoryKey
	items map[inventoryKey]inventoryItem
}

type inventoryKey struct{ kind, name string }

type inventoryItem struct {
	set      *metrics.Set
	channels []string
}

func takeInventory(subject Subject) inventory {
	sets := map[string]*metrics.Set{}
	for _, s := range subject.Metrics().Sets() {
		sets[s.Key()] = s
	}
	out := inventory{items: map[inventoryKey]inventoryItem{}}
	for _, s := range subject.Status() {
		k := inventoryKey{s.Kind, s.Name}
		out.order = append(out.order, k)
		out.items[k] = inventoryItem{set: sets[strings.ToUpper(s.Kind)+"."+s.Name], channels: s.Channels}
	}
	return out
}

// changes returns what is different in next.
func (i inventory) changes(next inventory) []change {
	var out []change
	for _, k := range next.order {
		was, known := i.items[k]
		is := next.items[k]
		switch {
		case !known:
			out = append(out, change{k.kind, k.name, "added"})
		case was.set != is.set:
			out = append(out, change{k.kind, k.name, "restarted"})
		case !slices.Equal(was.channels, is.channels):
			out = append(out, change{k.kind, k.name, "reconnected"})
		}
	}
	for _, k := range i.order {
		if _, stays := next.items[k]; !stays {
			out = append(out, change{k.kind, k.name, "removed"})
		}
	}
	return out
}
