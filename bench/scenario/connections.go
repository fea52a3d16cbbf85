package scenario

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/flume-go/flume/bench/proc"
)

// What the connections scenario measures.
var (
	perConn  = Metric{"resident memory per idle connection", "B"}
	accepted = Metric{"time to accept all connections", "s"}
	fresh    = Metric{"a fresh event reaches the file in", "ms"}
)

// settleFor is how long a program has after the last connection to finish
// what accepting it set off.
const settleFor = 2 * time.Second

// spareFiles is what a program may have open besides the idle connections.
const spareFiles = 500

// idleBlock is the bare program's buffer where no load comes: with the size
// for a flood it would be charged for what it never uses.
const idleBlock = 4 << 10

// Connections opens many connections to a netcat source that then say nothing.
func Connections(s Settings) Scenario {
	return Scenario{
		Name:     "connections",
		Summary:  fmt.Sprintf("%d idle TCP connections to a netcat source; then one more with an event", s.Idle),
		Programs: programs(s, flume(linesConfig), bare(idleBlock)),
		Limit:    2 * time.Minute,
		Measure:  measureConnections,
	}
}

func measureConnections(ctx context.Context, r *Run) (sample Sample, err error) {
	if err := proc.AllowFiles(uint64(r.Idle + spareFiles)); err != nil {
		return nil, err
	}
	p, err := r.Start(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Stop(stopGrace)) }()
	if err := awaitListening(ctx, r, p); err != nil {
		return nil, err
	}
	holder, err := r.StartRole(ctx, "hold", "-to", r.Addr(), "-conns", fmt.Sprint(r.Idle))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, holder.Stop(stopGrace)) }()

	if sample, err = fill(ctx, r, p, holder); err != nil {
		return nil, err
	}
	latency, err := passFresh(ctx, r, p)
	if err != nil {
		return nil, fmt.Errorf("with %d connections open: %w", r.Idle, err)
	}
	return append(sample, Value{fresh, milliseconds(latency)}), nil
}

// fill opens the connections and compares the program's memory before and
// after. That a connection is open does not mean that the program has taken it
// from the kernel's queue, so its open files are counted.
func fill(ctx context.Context, r *Run, p, holder *proc.Process) (Sample, error) {
	if _, err := holder.Expect(ctx, "ready"); err != nil {
		return nil, err
	}
	before, err := proc.ReadUsage(p.PID())
	if err != nil {
		return nil, err
	}
	files, err := proc.OpenFiles(p.PID())
	if err != nil {
		return nil, err
	}
	start := time.Now()
	if err := holder.Say("go"); err != nil {
		return nil, err
	}
	if _, err := holder.Expect(ctx, "held"); err != nil {
		return nil, err
	}
	open := files
	err = poll(ctx, p, 10*time.Millisecond, func() (ok bool, err error) {
		open, err = proc.OpenFiles(p.PID())
		return open >= files+r.Idle, err
	})
	if err != nil {
		return nil, fmt.Errorf("waiting for %s to accept %d connections, of which it has %d: %w", r.Program.Name, r.Idle, open-files, err)
	}
	took := time.Since(start)
	select {
	case <-time.After(settleFor):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	after, err := proc.ReadUsage(p.PID())
	if err != nil {
		return nil, err
	}
	return Sample{
		{perConn, float64(after.RSS-before.RSS) / float64(r.Idle)},
		{accepted, took.Seconds()},
	}, nil
}

// passFresh sends one event on a new connection and returns how long it takes
// to get into the output.
func passFresh(ctx context.Context, r *Run, p *proc.Process) (time.Duration, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", r.Addr())
	if err != nil {
		return 0, fmt.Errorf("opening a fresh connection: %w", err)
	}
	defer conn.Close()
	const line = "a fresh event\n"
	start := time.Now()
	if _, err := io.WriteString(conn, line); err != nil {
		return 0, fmt.Errorf("sending a fresh event: %w", err)
	}
	if err := awaitBytes(ctx, r, p, int64(len(line))); err != nil {
		return 0, err
	}
	return time.Since(start), nil
}
