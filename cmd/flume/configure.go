package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/flume-go/flume/config"
	"github.com/flume-go/flume/config/filter"
	"github.com/flume-go/flume/config/load"
	"github.com/flume-go/flume/internal/javatime"
	"github.com/flume-go/flume/property"
)

// topologyOf makes the typed topology of an agent from what was loaded.
func topologyOf(ctx context.Context, agent string, r load.Result, lenient bool) *config.Topology {
	filtered := filter.Apply(ctx, agent, r.Properties, filter.Options{})
	if lenient {
		// As in Flume: the reference stays, and what needs its value will say so.
		for i := range filtered {
			filtered[i].Severity = min(filtered[i].Severity, property.Warning)
		}
	}
	t := config.Build(config.NewModel(r.Properties), agent, lenient)
	t.Problems = append(append(append(property.Problems(nil), r.Problems...), filtered...), t.Problems...)
	t.Problems.Sort()
	return t
}

// formatDate serves ${date:pattern}.
func formatDate(pattern string, t time.Time) (string, error) {
	f, err := javatime.CompileSimpleDateFormat(pattern)
	if err != nil {
		return "", err
	}
	return f.Format(t), nil
}

// printProblems writes one problem a line and a closing line that counts them.
func printProblems(w io.Writer, ps property.Problems) {
	for _, p := range ps {
		fmt.Fprintln(w, p)
	}
	if len(ps) > 0 {
		fmt.Fprintln(w, count(ps))
	}
}

// count says how many problems of each severity there are.
func count(ps property.Problems) string {
	var n [3]int
	for _, p := range ps {
		n[p.Severity]++
	}
	var parts []string
	for _, s := range []property.Severity{property.Error, property.Warning, property.Advice} {
		if n[s] > 0 {
			plural := ""
			if n[s] > 1 && s != property.Advice {
				plural = "s"
			}
			parts = append(parts, fmt.Sprintf("%d %s%s", n[s], s, plural))
		}
	}
	return strings.Join(parts, ", ")
}
