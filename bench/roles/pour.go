package roles

import (
	"context"
	"flag"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
)

// pour writes zeros to a connection without an end, as fast as they are taken: more than TCP passes from one process
// to another nothing can. It says "ready" and begins when told "go", says "ready" again and counts from the second "go" on, and at the third
// it says "poured <bytes>".
func pour(ctx context.Context, args []string, std Streams) error {
	flags := flag.NewFlagSet("pour", flag.ContinueOnError)
	to := flags.String("to", "", "`address` to connect to")
	block := flags.Int("block", 256<<10, "`bytes` to write at once")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *block <= 0 || *block > maxGathered {
		return fmt.Errorf("-block %d: must be between 1 and %d", *block, maxGathered)
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", *to)
	if err != nil {
		return fmt.Errorf("connecting to %s: %w", *to, err)
	}
	var pouring sync.WaitGroup
	defer pouring.Wait()
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if err := std.awaitGo(); err != nil {
		return err
	}
	var poured atomic.Int64
	pouring.Go(func() {
		zeros := make([]byte, *block)
		for n, err := conn.Write(zeros); err == nil; n, err = conn.Write(zeros) {
			poured.Add(int64(n))
		}
	})
	if err := std.awaitGo(); err != nil {
		return err
	}
	before := poured.Load()
	if err := std.awaitGo(); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(std.Out, "poured %d\n", poured.Load()-before); err != nil {
		return fmt.Errorf("saying poured: %w", err)
	}
	ended, cancel := std.untilEnd(ctx)
	defer cancel()
	<-ended.Done()
	return nil
}
