package roles

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
)

// relay is the bare program for durable channels: it takes blocks from its connections, makes
// each durable before it takes the next of that connection, all connections sharing
// syncs, and then appends the block to one file. It does not look for lines, except
// to count them where it has to answer each with OK.
func relay(ctx context.Context, args []string, std Streams) (err error) {
	flags := flag.NewFlagSet("relay", flag.ContinueOnError)
	addr := flags.String("listen", "127.0.0.1:0", "`address` to accept connections on")
	dir := flags.String("dir", ".", "`directory` of the log")
	path := flags.String("out", "", "`file` to append what is durable to")
	block := flags.Int("block", 256<<10, "size of the buffer of each connection, in `bytes`")
	answers := flags.Bool("answers", false, "answer OK to each durable line")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *block <= 0 || *block > maxGathered {
		return fmt.Errorf("-block %d: must be between 1 and %d", *block, maxGathered)
	}
	ctx, cancel := std.untilEnd(ctx)
	defer cancel()
	out, err := openOutput(*path, *dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", *addr)
	if err != nil {
		return fmt.Errorf("listening on %s: %w", *addr, err)
	}
	return serve(ctx, listener, func(conn net.Conn) error {
		var taken func([]byte) error
		if *answers {
			taken = func(block []byte) error { return answerLines(conn, block) }
		}
		return copyBlocks(out.writer(taken), conn, make([]byte, *block))
	})
}

// answerLines answers each line that ends in block.
func answerLines(conn net.Conn, block []byte) error {
	if _, err := conn.Write(bytes.Repeat(okLine, bytes.Count(block, []byte{'\n'}))); err != nil {
		return fmt.Errorf("answering: %w", err)
	}
	return nil
}

// okLine is the answer of Flume's netcat source to a line.
var okLine = []byte("OK\n")
