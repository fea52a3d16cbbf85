package main

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/config"
	"github.com/flume-go/flume/config/load"
	"github.com/flume-go/flume/internal/launch"
	"github.com/flume-go/flume/property"
)

// FuzzConfiguration takes any text for the configuration of agent a1: it is
// refused or understood, the same way each time, and what is said of it is fit
// for a terminal. Config filters, which can run programs, are left out.
func FuzzConfiguration(f *testing.F) {
	f.Add([]byte(plain), false)
	f.Add([]byte(plain+"a1.sinkgroups = g\na1.sinkgroups.g.sinks = k1\na1.sinkgroups.g.processor.type = failover\n"), true)
	f.Add([]byte(twoSources("netcatudp", "::", "0.0.0.0")), false)
	f.Fuzz(func(t *testing.T, text []byte, lenient bool) {
		build := func() *config.Topology {
			entries, _ := property.Read("a.conf", text)
			var props load.Properties
			for _, e := range entries {
				e = e.Trimmed()
				props.Set(e.Key, e.Value)
			}
			return config.Build(config.NewModel(&props), "a1", lenient)
		}
		got, again := build(), build()
		if diff := cmp.Diff(got.Problems, again.Problems); diff != "" {
			t.Errorf("the same text gives other problems:\n%s", diff)
		}
		for _, p := range got.Problems {
			if s := p.String(); strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) || p.What == "" {
				t.Errorf("problem %q", s)
			}
		}
		if got.Problems.HasErrors() {
			return
		}
		for _, s := range got.Sinks {
			if got.Channel(s.Channel) == nil {
				t.Errorf("sink %s passes without a channel", s.Name)
			}
		}
		if err := got.Explain(io.Discard, ""); err != nil && len(got.Sources)+len(got.Channels)+len(got.Sinks) > 0 {
			t.Errorf("explaining: %v", err)
		}
	})
}

// FuzzPositional parts options from what is none: nothing gets lost or invented,
// and what is left as options is what the agent command would take.
func FuzzPositional(f *testing.F) {
	f.Add("-n a1 flume.conf -f x --format json")
	f.Add("a.conf -Dx=y -i=3 --no-reload-conf b.conf")
	f.Add("-- - -f")
	f.Fuzz(func(t *testing.T, line string) {
		args := strings.Split(line, " ")
		flags, rest := positional(args)
		all := slices.Concat(flags, rest)
		slices.Sort(all)
		want := slices.Sorted(slices.Values(args))
		if diff := cmp.Diff(want, all); diff != "" {
			t.Errorf("%q (-want +got):\n%s", args, diff)
		}
		if slices.Contains(flags, "--") {
			return
		}
		if normal, _, err := launch.Normalize(flags); err == nil {
			for _, a := range normal {
				if !strings.HasPrefix(a, "--") {
					t.Errorf("%q: %q is among the options", args, a)
				}
			}
		}
	})
}
