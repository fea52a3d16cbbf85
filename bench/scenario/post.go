package scenario

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/flume-go/flume/bench/lines"
	"github.com/flume-go/flume/bench/proc"
)

// postBytes is what the events of a run have together.
const postBytes = 1 << 30

// postBlock is the buffer of the bare program for a request, which is larger than any: it writes each at once.
const postBlock = 128 << 10

// posts is load of requests of 100 events with bodies of so many bytes. Each connection waits for its answer before it sends the next.
func posts(body int) flood {
	return flood{form: lines.Posted, length: body + len("\n"), bytes: postBytes, answers: true}
}

// Posts has a few clients post arrays of 100 events to an http source. The bare program is a server that reads what is posted and
// writes it to a file.
func Posts(s Settings, body int) Scenario {
	return Scenario{
		Name: fmt.Sprintf("http-%d", body),
		Summary: fmt.Sprintf("%d HTTP connections that post JSON arrays of 100 events, with one header and bodies of %d bytes without escapes, and wait for each answer → http source → memory channel → file_roll sink; bare is a net/http server that appends what is posted to a file",
			s.Conns, body),
		Programs: programs(s, flume(toFile(httpSource, memoryChannel)), bareReceiver("")),
		Goals:    []Goal{{Metric: events, Ratio: 0.5}},
		Limit:    3 * time.Minute,
		Memory:   postBytes * 3 / 2,
		Measure:  posts(body).measure,
	}
}

// DurablePosts is Posts through a file channel, beside a server that answers what it has synced to a log.
func DurablePosts(s Settings) Scenario {
	load := posts(512)
	load.bytes /= 2
	load.warm = logWarm
	return Scenario{
		Name:     "http-durable",
		Summary:  fmt.Sprintf("%d HTTP connections that post arrays of 100 events of 512 bytes → http source → file channel, which syncs before the answer → file_roll sink; bare syncs what is posted to a log, requests sharing syncs, appends it to a file and answers", s.Conns),
		Programs: programs(s, flume(toFile(httpSource, fileChannelOf)), bareReceiver("-log")),
		Goals:    []Goal{{Metric: events, Ratio: 0.5}},
		Limit:    3 * time.Minute,
		Memory:   postBytes * 3 / 2,
		Measure:  load.measure,
	}
}

// httpSource configures source r1.
func httpSource(r *Run) string {
	return fmt.Sprintf(`a1.sources.r1.type = http
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = %d
`, r.Port)
}

// bareReceiver is the bare program. log is the option that gives it a log in the run's directory, or "".
func bareReceiver(log string) Program {
	return Program{Name: Bare, Blind: true, Spec: func(r *Run) (proc.Spec, error) {
		args := []string{"receive", "-listen", r.Addr(), "-out", filepath.Join(r.Out(), "bare"), "-block", fmt.Sprint(postBlock)}
		if log != "" {
			args = append(args, log, r.Dir)
		}
		return proc.Spec{Path: r.Self, Talk: true, Args: args}, nil
	}}
}

// endless is more lines than are sent while agents are measured by their counters.
const endless = 1_000_000_000

// peerConns is how many times as many clients there are where they have a core of their own: each waits for its answer, and with a few of them so
// would the agent, for an eighth of its time.
const peerConns = 4

// PostsAgainstJava posts to the http sources of Apache Flume and of this agent, with one configuration. Clients are elsewhere as a rule: if apart
// they have a core of their own, so that the figure is what the agent can take on the others.
func PostsAgainstJava(s Settings, java JavaFlume, body int, apart bool) Scenario {
	conf := toNull(httpSource, memoryChannel)
	name, where := fmt.Sprintf("http-peer-%d", body), "which have the last core to themselves, the agent the others"
	warm, conns := javaWarmAlone, s.Conns*peerConns
	if !apart {
		name, where, warm, conns = name+"-shared", "which share the cores with the agent", javaWarm, s.Conns
	}
	return Scenario{
		Name: name,
		Summary: fmt.Sprintf("%d HTTP connections that post JSON arrays of 100 events with bodies of %d bytes, %s → http source → memory channel → null sink, one configuration for both; Apache Flume 1.11 on Java with %s, measured after %s",
			conns, body, where, strings.Join(javaMemory, " "), warm),
		Apart:    apart,
		Programs: programs(s, flume(conf, monitoringType, monitoringPort), java.program(conf)),
		Goals:    []Goal{{Metric: events, Ratio: 5}},
		Base:     apacheFlume,
		Limit:    3 * time.Minute,
		Measure: func(ctx context.Context, r *Run) (sample Sample, err error) {
			p, err := r.Start(ctx)
			if err != nil {
				return nil, err
			}
			defer func() { err = errors.Join(err, p.Stop(stopGrace)) }()
			if err := awaitListening(ctx, r, p); err != nil {
				return nil, err
			}
			r.Conns = conns
			load, err := posts(body).start(ctx, r, endless*conns, 0)
			if err != nil {
				return nil, err
			}
			defer func() { err = errors.Join(err, load.Stop(stopGrace)) }() // before the agent, of whose end it would complain
			if _, err := load.Expect(ctx, "ready"); err != nil {
				return nil, err
			}
			if err := load.Say("go"); err != nil {
				return nil, err
			}
			return readCounters(ctx, r, p, usageOf(p), warm)
		},
	}
}
