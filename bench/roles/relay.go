package roles

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"

	"github.com/flume-go/flume/internal/vfs"
)

// relay is the bare program for durable channels: it takes blocks from its connections, makes
// each durable before it takes the next of that connection, all connections sharing
// syncs, and then appends the block to one file. It does not look for lines, except
// to count them where it has to answer each with OK.
func relay(ctx context.Context, args []string, std Streams) error {
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
	log, err := newRing(vfs.OS{}, filepath.Join(*dir, "bare-log"), ringSize)
	if err != nil {
		return err
	}
	defer log.Close()
	syncs := newGroup(log)
	defer syncs.Close()
	out, err := os.OpenFile(*path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("opening the output: %w", err)
	}
	defer out.Close()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", *addr)
	if err != nil {
		return fmt.Errorf("listening on %s: %w", *addr, err)
	}
	return serve(ctx, listener, func(conn net.Conn) error {
		r := relayed{conn: conn, syncs: syncs, out: out, ticket: newTicket(), answers: *answers}
		return r.copy(make([]byte, *block))
	})
}

// relayed is one connection of a relay.
type relayed struct {
	conn    net.Conn
	syncs   *group
	out     io.Writer
	ticket  *ticket
	answers bool
}

func (r *relayed) copy(block []byte) error {
	for {
		n, readErr := r.conn.Read(block)
		if n > 0 {
			if err := r.pass(block[:n]); err != nil {
				return err
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

// pass makes a block durable, answers its lines and writes it out.
func (r *relayed) pass(block []byte) error {
	if err := r.syncs.commit(r.ticket, block); err != nil {
		return err
	}
	if r.answers {
		if _, err := r.conn.Write(bytes.Repeat(okLine, bytes.Count(block, []byte{'\n'}))); err != nil {
			return fmt.Errorf("answering: %w", err)
		}
	}
	if _, err := r.out.Write(block); err != nil {
		return fmt.Errorf("writing a block: %w", err)
	}
	return nil
}

// okLine is the answer of Flume's netcat source to a line.
var okLine = []byte("OK\n")
