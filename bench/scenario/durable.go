package scenario

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/flume-go/flume/bench/lines"
	"github.com/flume-go/flume/bench/proc"
)

// durableBytes is what a run of the durable scenarios sends. It is written twice.
const durableBytes = 2 << 30

// logWarm is what is sent before the clock runs where there is a log: the bare program has its log before it begins, and the agent makes
// the segments that it goes on to use again and again while it takes the first events.
const logWarm = 256 << 20

// durableBlocks are the buffer sizes its bare program is tried with: a sync takes about as long for much as for little.
var durableBlocks = []int{256 << 10, 1 << 20, 4 << 20}

// windowLines is how many lines a client sends before it waits for the answers.
const windowLines = 1000

// DurableLines is TCPLines through a file channel, which syncs before it says that it holds events. The bare program
// takes blocks from the connections, makes them durable, with syncs that the connections share, and appends them to a file.
func DurableLines(s Settings) Scenario {
	var block int // of the bare program; found out by Prepare
	sc := durable(s, false, func() int { return block })
	sc.Name = "tcp-durable-512"
	sc.Summary = fmt.Sprintf("%d TCP connections of 512-byte lines → netcat source → file channel, each batch synced → file_roll sink; bare syncs blocks to a log, then copies them to a file",
		s.Conns)
	sc.Measure = flood{form: lines.Plain, length: 512, block: sendBlock, bytes: durableBytes, warm: logWarm}.measure
	sc.Prepare = func(ctx context.Context, r *Run) (remarks []string, err error) {
		note := ""
		block, note, err = fastest(ctx, sc, r.Settings, "", durableBlocks, func(block int) Program {
			return bareRelay(func() int { return block }, false)
		})
		return []string{note}, err
	}
	return sc
}

// AnsweredLines is DurableLines with a client that keeps what it sends until it was answered: it sends some lines, waits for an OK to
// each, and sends the next.
func AnsweredLines(s Settings) Scenario {
	const window = windowLines * 512
	sc := durable(s, true, func() int { return window })
	sc.Name = "tcp-answered-512"
	sc.Summary = fmt.Sprintf("the same with an answer to each line, for which clients wait after every %d lines", windowLines)
	sc.Measure = flood{form: lines.Plain, length: 512, block: window, bytes: durableBytes / 2, warm: logWarm, answers: true}.measure
	return sc
}

// durable is what both have in common. block is asked for the bare program's buffer when that is started.
func durable(s Settings, answers bool, block func() int) Scenario {
	bare := bareRelay(block, answers)
	inMemory := flume(answered(linesConfig, answers))
	inMemory.Name = "memory channel"
	sc := Scenario{Goals: []Goal{{Metric: events, Ratio: 0.8}}, Beside: inMemory.Name, Limit: 3 * time.Minute}
	if s.Flume == "" {
		sc.Programs = []Program{bare}
		return sc
	}
	sc.Programs = []Program{flume(answered(durableConfig, answers)), bare, inMemory}
	return sc
}

// answered has the source of conf answer each line, or none.
func answered(conf func(*Run) string, answers bool) func(*Run) string {
	return func(r *Run) string {
		return strings.Replace(conf(r), "ack-every-event = false", fmt.Sprintf("ack-every-event = %t", answers), 1)
	}
}

// bareRelay is the bare program for durable channels.
func bareRelay(block func() int, answers bool) Program {
	return Program{Name: Bare, Blind: true, Spec: func(r *Run) (proc.Spec, error) {
		return proc.Spec{Path: r.Self, Talk: true, Args: []string{
			"relay", "-listen", r.Addr(), "-out", filepath.Join(r.Out(), "bare"), "-dir", r.Dir,
			"-block", fmt.Sprint(block()), fmt.Sprintf("-answers=%t", answers),
		}}, nil
	}}
}
