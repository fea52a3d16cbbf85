package load

import (
	"iter"
	"strings"

	"github.com/flume-go/flume/property"
)

// Properties is an ordered set of properties: key to value, in the order in
// which the keys were first defined. The zero value is empty and ready. It is
// not safe for concurrent use while it is changed.
type Properties struct {
	keys   []string
	values map[string]property.Value
}

// Set defines key, or gives it another value; its place in the order stays.
func (p *Properties) Set(key string, v property.Value) {
	if p.values == nil {
		p.values = make(map[string]property.Value)
	}
	if _, ok := p.values[key]; !ok {
		p.keys = append(p.keys, key)
	}
	p.values[key] = v
}

// Get returns the value of key and whether it is defined.
func (p *Properties) Get(key string) (property.Value, bool) {
	v, ok := p.values[key]
	return v, ok
}

// Len returns the number of keys.
func (p *Properties) Len() int { return len(p.keys) }

// All iterates over keys and values in order. Set may be called meanwhile with
// a key that exists.
func (p *Properties) All() iter.Seq2[string, property.Value] {
	return func(yield func(string, property.Value) bool) {
		for _, k := range p.keys {
			if !yield(k, p.values[k]) {
				return
			}
		}
	}
}

// Sub returns the settings below prefix, without it: of "a1.sinks.k1.type" and
// the prefix "a1.sinks.k1" the setting "type".
func (p *Properties) Sub(prefix string) property.Settings {
	out := property.Settings{}
	prefix += "."
	for _, k := range p.keys {
		if rest, ok := strings.CutPrefix(k, prefix); ok && rest != "" {
			out[rest] = p.values[k]
		}
	}
	return out
}
