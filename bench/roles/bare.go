package roles

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
)

// bare is the program that does an agent's input and output with nothing
// between: it accepts connections, reads blocks and appends them to one file.
// It does not look for lines, so lines of different connections may be cut
// into each other; nothing that keeps lines whole can do with less work.
//
// It is the upper end of the scale: its buffer is set to the size at which
// it is fastest (see scenario.Calibrate).
func bare(ctx context.Context, args []string, std Streams) error {
	flags := flag.NewFlagSet("bare", flag.ContinueOnError)
	addr := flags.String("listen", "127.0.0.1:0", "`address` to accept connections on")
	path := flags.String("out", "", "`file` to append what is read to")
	block := flags.Int("block", 256<<10, "size of the buffer of each connection, in `bytes`")
	extra := flags.String("extra", "", "`address` to accept connections on of which nothing is kept")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *block <= 0 {
		return fmt.Errorf("-block %d: must be positive", *block)
	}
	var beside sync.WaitGroup
	defer beside.Wait()
	ctx, cancel := std.untilEnd(ctx)
	defer cancel()

	out, err := os.OpenFile(*path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("opening the output: %w", err)
	}
	defer out.Close()
	write := func(out io.Writer) func(net.Conn) error {
		return func(conn net.Conn) error { return copyBlocks(out, conn, make([]byte, *block)) }
	}
	if *extra != "" {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", *extra)
		if err != nil {
			return fmt.Errorf("listening on %s: %w", *extra, err)
		}
		// What fails here fails where it was sent as well.
		beside.Go(func() { _ = serve(ctx, listener, write(io.Discard)) })
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", *addr)
	if err != nil {
		return fmt.Errorf("listening on %s: %w", *addr, err)
	}
	return serve(ctx, listener, write(out))
}

// serve handles each connection in a goroutine until ctx ends, and returns the
// first error any of them had.
func serve(ctx context.Context, listener net.Listener, handle func(net.Conn) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	context.AfterFunc(ctx, func() { listener.Close() })

	var handlers sync.WaitGroup
	defer handlers.Wait()
	for {
		conn, err := listener.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return ignoreCancel(context.Cause(ctx))
			}
			return fmt.Errorf("accepting a connection: %w", err)
		}
		handlers.Go(func() {
			defer conn.Close()
			defer context.AfterFunc(ctx, func() { conn.Close() })()
			if err := handle(conn); err != nil && ctx.Err() == nil {
				cancel(err)
			}
		})
	}
}

func ignoreCancel(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// copyBlocks writes each block as it was read. io.CopyBuffer is not used: it
// would choose splice or its own buffer size behind our back, and the point is
// to know what is measured.
func copyBlocks(out io.Writer, in io.Reader, block []byte) error {
	for {
		n, readErr := in.Read(block)
		if n > 0 {
			if _, err := out.Write(block[:n]); err != nil {
				return fmt.Errorf("writing a block: %w", err)
			}
		}
		if readErr == io.EOF {
			return nil
		}
		if readErr != nil {
			return fmt.Errorf("reading a block: %w", readErr)
		}
	}
}
