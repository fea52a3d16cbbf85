package config

import (
	"fmt"
	"strings"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/property"
)

// names returns the names in a list that a component gives under key. What is in
// the list besides is an error, and left out: whoever writes commas or a comment
// shall not read as well that there is no channel "c1,".
func (b *builder) names(d *Declared, key string, words []string, known func(string) bool) []string {
	names, what, remedy := component.Names(strings.Join(words, " "), known)
	if what != "" {
		b.problem(property.Error, d.Settings[key].At, d.Prefix+key, what, remedy)
	}
	return names
}

func (b *builder) isChannel(name string) bool { return b.Channel(name) != nil }

func (b *builder) isSink(name string) bool { return b.Sink(name) != nil }

// oneChannel returns the channel that a sink names under key, and whether it can
// be used. limit is a sentence that says that there can only be one.
func (b *builder) oneChannel(d *Declared, key, text, limit string) (name string, ok bool) {
	text = strings.TrimSpace(text)
	if text == "" {
		return "", true // if it is required, that was said
	}
	if b.isChannel(text) {
		return text, true
	}
	names, what, remedy := component.Names(text, b.isChannel)
	if len(names) > 1 {
		what, remedy = fmt.Sprintf("names %d channels, and %s", len(names), limit), "name one"
		if key == "channel" {
			remedy += ", and give each further channel a sink of its own"
		}
	}
	if what == "" {
		return text, b.wired(d, key, text)
	}
	b.problem(property.Error, d.Settings[key].At, d.Prefix+key, what, remedy)
	if len(names) == 1 {
		return names[0], false
	}
	return text, false
}
