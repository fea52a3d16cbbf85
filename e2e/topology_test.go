//go:build e2e

package e2e

import (
	"fmt"
	"strings"
)

// topology writes the configuration of one agent, a1. Its texts may hold the placeholders of
// harness.Site.
type topology struct {
	sources, channels, sinks []string
	body                     strings.Builder
}

// add writes the settings of one component, each as "key = value".
func (c *topology) add(kind, name string, settings ...string) {
	for _, s := range settings {
		fmt.Fprintf(&c.body, "a1.%s.%s.%s\n", kind, name, s)
	}
}

// source adds a source that writes to the named channels.
func (c *topology) source(name, channels string, settings ...string) {
	c.sources = append(c.sources, name)
	c.add("sources", name, "channels = "+channels)
	c.add("sources", name, settings...)
}

// netcat adds a netcat source that listens on the site's port of the same name.
func (c *topology) netcat(name, channels string, settings ...string) {
	c.source(name, channels, "type = netcat", "bind = 127.0.0.1", "port = <port "+name+">")
	c.add("sources", name, settings...)
}

// channel adds a channel.
func (c *topology) channel(name string, settings ...string) {
	c.channels = append(c.channels, name)
	c.add("channels", name, settings...)
}

// sink adds a sink that reads the named channel.
func (c *topology) sink(name, channel string, settings ...string) {
	c.sinks = append(c.sinks, name)
	c.add("sinks", name, "channel = "+channel)
	c.add("sinks", name, settings...)
}

// store adds a memory channel and a file_roll sink, both of this name, that writes to the site's folder of
// the same name. The short keep-alive lets Java's sink commit soon after the last event.
func (c *topology) store(name string, settings ...string) {
	c.channel(name, "type = memory", "capacity = 1000", "keep-alive = 1")
	c.sink(name, name, "type = file_roll", "sink.directory = <dir "+name+">", "sink.rollInterval = 0")
	c.add("sinks", name, settings...)
}

// extra adds lines below the agent's name, such as "sinkgroups = g1".
func (c *topology) extra(lines ...string) {
	for _, line := range lines {
		fmt.Fprintf(&c.body, "a1.%s\n", line)
	}
}

// String returns the text of the configuration file.
func (c *topology) String() string {
	return fmt.Sprintf("a1.sources = %s\na1.channels = %s\na1.sinks = %s\n%s",
		strings.Join(c.sources, " "), strings.Join(c.channels, " "), strings.Join(c.sinks, " "), c.body.String())
}
