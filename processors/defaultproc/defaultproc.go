// Package defaultproc is the sink processor of a group of one sink.
package defaultproc

import (
	_ "embed"
	"fmt"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/flow"
)

//go:embed README.md
var readme string

func init() {
	component.RegisterProcessor(component.Info{
		Type:    "default",
		Aliases: []string{"org.apache.flume.sink.DefaultSinkProcessor"},
		Summary: "Passes everything to the only sink of the group.",
		Readme:  readme,
	}, New)
}

// Config has no properties.
type Config struct{}

// Members returns how few and how many sinks the group may have.
func (Config) Members() (lo, hi int) { return 1, 1 }

// New returns the only sink itself: there is nothing to be done between.
func New(_ Config, _ component.Env, sinks []flow.Member) (flow.Sink, error) {
	if len(sinks) != 1 {
		return nil, fmt.Errorf("sink processor default takes exactly one sink, the group has %d: "+
			"use failover or load_balance, or leave the sinks out of a group", len(sinks))
	}
	return sinks[0].Sink, nil
}
