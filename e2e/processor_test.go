//go:build e2e

package e2e

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/flume-go/flume/e2e/harness"
)

// TestProcessors compares how the load-balancing and failover processors share out events. One agent has
// both groups; every sink takes one event a time.
func TestProcessors(t *testing.T) {
	t.Parallel()
	var c topology
	// A sink of a group waits long for its first event, so that the turn does not pass on meanwhile.
	c.netcat("turns", "turns")
	c.channel("turns", "type = memory", "keep-alive = 30")
	for _, sink := range []string{"k1", "k2", "k3"} {
		c.sink(sink, "turns", "type = file_roll", "sink.directory = <dir "+sink+">", "sink.rollInterval = 0", "sink.batchSize = 1")
	}
	c.netcat("broken", "broken")
	c.channel("broken", "type = memory", "keep-alive = 30")
	for _, sink := range []string{"b1", "b2", "b3"} {
		c.sink(sink, "broken", "type = file_roll", "sink.directory = <path "+sink+">", "sink.rollInterval = 0", "sink.batchSize = 1")
	}
	c.netcat("fail", "fail")
	c.channel("fail", "type = memory", "keep-alive = 1")
	for _, sink := range []string{"first", "second"} {
		c.sink(sink, "fail", "type = file_roll", "sink.directory = <path "+sink+">", "sink.rollInterval = 0", "sink.batchSize = 1")
	}
	c.extra("sinkgroups = g1 g2 g3",
		"sinkgroups.g1.sinks = k1 k2 k3", "sinkgroups.g1.processor.type = load_balance",
		"sinkgroups.g2.sinks = first second", "sinkgroups.g2.processor.type = failover",
		"sinkgroups.g2.processor.priority.first = 10", "sinkgroups.g2.processor.priority.second = 5",
		"sinkgroups.g2.processor.maxpenalty = 1000",
		"sinkgroups.g3.sinks = b1 b2 b3", "sinkgroups.g3.processor.type = load_balance",
		"sinkgroups.g3.processor.selector = round_robin", "sinkgroups.g3.processor.backoff = true")
	conf := c.String()
	want := seen{
		"k1": "1\n4\n7\n", "k2": "2\n5\n", "k3": "3\n6\n",
		"second": "down 1\ndown 2\n", "first": "up again\n",
		"around the broken": "1\n2\n3\n4\n5\n6\n7\n",
	}
	differential(t, want, func(t *testing.T, s harness.System) seen {
		site := harness.NewSite(t)
		site.Dir("second") // the first one's folder is missing at first, b2's is never made
		site.Dir("b1")
		site.Dir("b3")
		s.Start(t, harness.Launch{Name: "a1", Conf: site.Expand(conf)})
		got := make(seen)
		harness.Converse(t, site.Addr("turns"), "1\n2\n3\n4\n5\n6\n7\n")
		harness.Converse(t, site.Addr("fail"), "down 1\ndown 2\n")
		harness.Converse(t, site.Addr("broken"), "1\n2\n3\n4\n5\n6\n7\n")
		stored(t, site, want, got, "k1", "k2", "k3", "second")
		if err := os.Mkdir(site.Path("first"), 0o755); err != nil {
			t.Fatal(err)
		}
		harness.Eventually(t, deliveryLimit, "the preferred sink to open its file", func() bool {
			entries, err := os.ReadDir(site.Path("first"))
			return err == nil && len(entries) > 0
		})
		harness.Converse(t, site.Addr("fail"), "up again\n")
		stored(t, site, want, got, "first", "second")
		// Java takes the members of a group in the order of a hash, so only the whole is comparable.
		both := strings.SplitAfter(harness.ReadFiles(t, site.Path("b1"))+harness.ReadFiles(t, site.Path("b3")), "\n")
		slices.Sort(both)
		got["around the broken"] = strings.Join(both, "")
		return got
	})
}
