package roles

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
)

// dialers is how many connections are made at once: enough to be quick, few
// enough that the listener's queue does not overflow and make each wait for a
// retransmission.
const dialers = 64

// hold opens many connections and keeps them open without sending anything. It
// says "ready", waits for "go", says "held <count>" once all are open, and ends
// with its input.
func hold(ctx context.Context, args []string, std Streams) error {
	flags := flag.NewFlagSet("hold", flag.ContinueOnError)
	addr := flags.String("to", "", "`address` to connect to")
	count := flags.Int("conns", 0, "number of connections")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *count < 1 {
		return errors.New("-conns: must be at least 1")
	}
	if err := std.awaitGo(); err != nil {
		return err
	}
	ctx, cancel := std.untilEnd(ctx)
	defer cancel()

	conns, err := dialMany(ctx, *addr, *count)
	defer func() {
		for _, conn := range conns {
			if conn != nil {
				conn.Close()
			}
		}
	}()
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(std.Out, "held %d\n", *count); err != nil {
		return fmt.Errorf("saying held: %w", err)
	}
	<-ctx.Done()
	return nil
}

// dialMany makes count connections. On error some may have been made: the
// caller closes those that are not nil.
func dialMany(ctx context.Context, addr string, count int) ([]net.Conn, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	conns := make([]net.Conn, count)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(dialers, count) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < count && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
				if err != nil {
					cancel(fmt.Errorf("opening connection %d of %d: %w", i+1, count, err))
					return
				}
				conns[i] = conn
			}
		})
	}
	wg.Wait()
	return conns, context.Cause(ctx)
}
