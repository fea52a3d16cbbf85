package roles

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
)

// forward is the first half of a bare hop: what it reads from a connection it writes, block by block, to one of its own that it
// makes for it. With a log a block is durable before it is passed on. It does not look for lines. With -extra it sends as many bytes more
// as a protocol puts around lines and headers, on a connection beside, so that neither half has to part them.
func forward(ctx context.Context, args []string, std Streams) (err error) {
	flags := flag.NewFlagSet("forward", flag.ContinueOnError)
	addr := flags.String("listen", "127.0.0.1:0", "`address` to accept connections on")
	to := flags.String("to", "", "`address` to pass blocks on to")
	log := flags.String("log", "", "`directory` of the log; none without")
	block := flags.Int("block", 256<<10, "size of the buffer of each connection, in `bytes`")
	extra := flags.Int("extra", 0, "`bytes` to send more for each 512")
	extraTo := flags.String("extra-to", "", "`address` to send them to")
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
		to := out.writerTo(next, nil)
		if *extra > 0 {
			beside, err := new(net.Dialer).DialContext(ctx, "tcp", *extraTo)
			if err != nil {
				return fmt.Errorf("connecting to %s: %w", *extraTo, err)
			}
			defer beside.Close()
			to = &padded{to: to, beside: beside, extra: *extra, zeros: make([]byte, *block)}
		}
		return copyBlocks(to, conn, make([]byte, *block))
	})
}

// padded sends extra bytes beside for each 512 that it writes, a whole block of them at a time.
type padded struct {
	to     io.Writer
	beside io.Writer
	extra  int
	due    int // 512 times as many as are to be sent
	zeros  []byte
}

// Write implements io.Writer.
func (p *padded) Write(block []byte) (int, error) {
	p.due += len(block) * p.extra
	for p.due >= 512*len(p.zeros) {
		p.due -= 512 * len(p.zeros)
		if _, err := p.beside.Write(p.zeros); err != nil {
			return 0, fmt.Errorf("sending what is no line: %w", err)
		}
	}
	return p.to.Write(block)
}
