package scenario

import (
	"context"
	"fmt"
	"time"

	"github.com/flume-go/flume/bench/lines"
)

// SyslogLines floods a syslogtcp source with messages of RFC 5424 of length bytes, which it parses, on a few connections. The bare
// program does not look at them.
func SyslogLines(s Settings, length int) Scenario {
	sc := Scenario{
		Name: fmt.Sprintf("syslog-%d", length),
		Summary: fmt.Sprintf("%d TCP connections of %d-byte messages of RFC 5424, each with a stamp of its own → syslogtcp source, parsed into headers and body → memory channel → file_roll sink",
			s.Conns, length),
		Programs: programs(s, flume(toFile(syslogTCP, memoryChannel)), bare(0)),
		Limit:    3 * time.Minute,
		Memory:   durableBytes,
		Block:    true,
		Measure:  flood{form: lines.Syslog, length: length, block: sendBlock, bytes: durableBytes}.measure,
	}
	if length >= 256 {
		sc.Goals = []Goal{{Metric: events, Ratio: 0.5}}
	}
	return sc
}

// DurableSyslog is SyslogLines through a file channel, beside the bare program of DurableLines.
func DurableSyslog(s Settings) Scenario {
	var block int // of the bare program; found out by Prepare
	sc := Scenario{
		Name:     "syslog-durable",
		Summary:  fmt.Sprintf("%d TCP connections of 512-byte messages of RFC 5424 → syslogtcp source → file channel, each batch synced → file_roll sink; bare as in tcp-durable-512", s.Conns),
		Programs: programs(s, flume(toFile(syslogTCP, fileChannelOf)), bareRelay(func() int { return block }, false)),
		Goals:    []Goal{{Metric: events, Ratio: 0.5}},
		Limit:    3 * time.Minute,
		Memory:   durableBytes,
		Measure:  flood{form: lines.Syslog, length: 512, block: sendBlock, bytes: durableBytes / 2, warm: logWarm}.measure,
	}
	sc.Prepare = func(ctx context.Context, r *Run) (remarks []string, err error) {
		note := ""
		block, note, err = fastest(ctx, sc, r.Settings, "", durableBlocks, func(block int) Program {
			return bareRelay(func() int { return block }, false)
		})
		return []string{note}, err
	}
	return sc
}

// syslogTCP configures source r1.
func syslogTCP(r *Run) string {
	return fmt.Sprintf(`a1.sources.r1.type = syslogtcp
a1.sources.r1.host = 127.0.0.1
a1.sources.r1.port = %d
`, r.Port)
}
