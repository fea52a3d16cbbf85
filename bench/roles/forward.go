package roles

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
)

// forward is the first half of a bare hop: what it reads from a connection it writes, block by block, to one of its own that it
// makes for it. With a log a block is durable before it is passed on. It does not look for lines.
func forward(ctx context.Context, args []string, std Streams) (err error) {
	flags := flag.NewFlagSet("forward", flag.ContinueOnError)
	addr := flags.String("listen", "127.0.0.1:0", "`address` to accept connections on")
	to := flags.String("to", "", "`address` to pass blocks on to")
	log := flags.String("log", "", "`directory` of the log; none without")
	block := flags.Int("block", 256<<10, "size of the buffer of each connection, in `bytes`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *block <= 0 || *block > maxGathered {
		return fmt.Errorf("-block %d: must be between 1 and %d", *block, maxGathered)
	}
	ctx, cancel := std.untilEnd(ctx)
	defer cancel()
	out, err := openOutput("", *log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", *addr)
	if err != nil {
		return fmt.Errorf("listening on %s: %w", *addr, err)
	}
	return serve(ctx, listener, func(conn net.Conn) error {
		next, err := new(net.Dialer).DialContext(ctx, "tcp", *to)
		if err != nil {
			return fmt.Errorf("connecting to %s: %w", *to, err)
		}
		defer next.Close()
		return copyBlocks(out.writerTo(next, nil), conn, make([]byte, *block))
	})
}
