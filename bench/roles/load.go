package roles

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"sync"

	"github.com/flume-go/flume/bench/lines"
)

// answerShown is how much of a server's unexpected answer is logged.
const answerShown = 200

// load sends numbered lines on several connections, as fast as they are taken.
//
// It connects, says "ready", waits for "go", sends, says "sent <bytes>" when
// the last byte is handed to the kernel, and stays until every connection was
// closed by the other side or its own input ends. It reads whatever is answered
// because an unread answer would turn the final close into a reset, and a
// reset destroys lines the other side has not read yet. With -answers it is a
// client that keeps what it sends until the answers to it are there: a block
// follows only when every line of the one before was answered, as OK, or as a
// request where lines are posted. With -warm it sends a part first, says "ready"
// again and waits for another "go" before the rest.
func load(ctx context.Context, args []string, std Streams) error {
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	addr := flags.String("to", "", "`address` to connect to")
	conns := flags.Int("conns", 4, "number of connections")
	count := flags.Int("lines", 0, "number of lines on all connections together")
	length := flags.Int("length", 512, "length of a line in `bytes`, newline included")
	block := flags.Int("block", 256<<10, "most `bytes` to write at once")
	form := flags.String("form", lines.Plain.Name, "`form` that lines are sent in: plain, syslog or posted")
	answers := flags.Bool("answers", false, "wait for the answers to a block before sending the next")
	warm := flags.Int("warm", 0, "number of lines on each connection, of whole blocks, to send before waiting for another go")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *conns < 1 || *count < 1 {
		return errors.New("-conns and -lines: must be at least 1")
	}
	chosen, err := lines.FormOf(*form)
	if err != nil {
		return err
	}
	format, err := chosen.Format(*length, *block)
	if err != nil {
		return err
	}
	streams := make([]*stream, *conns)
	for i, share := range lines.Share(*count, *conns) {
		if streams[i], err = connect(ctx, *addr, format, i, share); err != nil {
			return err
		}
		defer streams[i].conn.Close()
		streams[i].answers = *answers
		if *answers && chosen.Whole() {
			if err := streams[i].post(); err != nil {
				return err
			}
			defer streams[i].poster.close()
		}
	}
	if err := std.awaitGo(); err != nil {
		return err
	}
	var drains sync.WaitGroup
	defer drains.Wait()
	defer context.AfterFunc(ctx, func() { endAll(streams) })()
	for _, s := range streams {
		if !s.answers {
			drains.Go(s.drain)
		}
	}
	if *warm > 0 {
		err := sendAll(streams, *warm)
		if err == nil {
			err = std.awaitGo()
		}
		if err != nil {
			endAll(streams) // which ends the drains
			return err
		}
	}
	ended, cancel := std.untilEnd(ctx)
	defer cancel()
	defer context.AfterFunc(ended, func() { endAll(streams) })()
	err = sendAll(streams, *count)
	if err == nil {
		err = closeAll(streams)
	}
	if err != nil {
		cancel()
		return err
	}
	if _, err := fmt.Fprintf(std.Out, "sent %d\n", format.Content(*count)); err != nil {
		return fmt.Errorf("saying sent: %w", err)
	}
	return nil
}

// stream is one connection with the lines it has to carry.
type stream struct {
	conn    *net.TCPConn
	sender  *lines.Sender
	length  int      // of a line
	answers bool     // each block waits for those to the one before
	poster  *poster  // sends to an HTTP server; nil elsewhere
	replies *replies // of an HTTP server, which answers blocks and not lines
}

func connect(ctx context.Context, addr string, format lines.Format, number, count int) (*stream, error) {
	sender, err := format.NewSender(number, count)
	if err != nil {
		return nil, err
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", addr, err)
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return nil, fmt.Errorf("connecting to %s: got a %T, not a TCP connection", addr, conn)
	}
	return &stream{conn: tcp, sender: sender, length: format.Length()}, nil
}

// post makes s a stream of requests.
func (s *stream) post() error {
	p, err := newPoster(s.conn, s.sender.Size())
	if err != nil {
		return err
	}
	s.sender.Place(p.memory())
	s.poster, s.replies = p, &replies{from: p}
	return nil
}

// end wakes whoever sends or reads, also by another descriptor of the connection. Safe for concurrent use.
func (s *stream) end() {
	s.conn.CloseRead()
	s.conn.CloseWrite()
	s.conn.Close()
}

func endAll(streams []*stream) {
	for _, s := range streams {
		s.end()
	}
}

// sendAll sends count lines on each connection, or what it has left, all at once, and returns the first failures.
func sendAll(streams []*stream, count int) error {
	errs := make([]error, len(streams))
	var senders sync.WaitGroup
	for i, s := range streams {
		senders.Go(func() { errs[i] = s.send(count) })
	}
	senders.Wait()
	return errors.Join(errs...)
}

// closeAll says on all connections that there are no more lines.
func closeAll(streams []*stream) error {
	for _, s := range streams {
		if err := s.conn.CloseWrite(); err != nil {
			return fmt.Errorf("ending a connection: %w", err)
		}
	}
	return nil
}

// send sends count lines, of whole blocks, or what is left.
func (s *stream) send(count int) error {
	for until := s.sender.Left() - count; s.sender.Left() > max(until, 0); {
		block := s.sender.Next()
		if err := s.put(block); err != nil {
			return fmt.Errorf("sending lines: %w", err)
		}
		if s.answers {
			if err := s.await(len(block) / s.length); err != nil {
				return err
			}
		}
	}
	return nil
}

// put sends what the sender has made.
func (s *stream) put(block []byte) error {
	if s.poster != nil {
		return s.poster.send(len(block))
	}
	_, err := s.conn.Write(block)
	return err
}

// await reads the answers to count lines, or that to the request with them.
func (s *stream) await(count int) error {
	if s.replies != nil {
		return s.replies.next()
	}
	want := bytes.Repeat(okLine, count)
	got := make([]byte, len(want))
	if n, err := io.ReadFull(s.conn, got); err != nil {
		return fmt.Errorf("reading the answers to %d lines, of which %d bytes came: %w", count, n, err)
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%d lines were not all answered with OK", count)
	}
	return nil
}

// drain reads answers until the connection ends and logs the first, which is
// the only trace of a source that refuses lines.
func (s *stream) drain() {
	var first [answerShown]byte
	n, err := io.ReadAtLeast(s.conn, first[:], 1)
	if n > 0 {
		fmt.Fprintf(os.Stderr, "load: the other side answered: %q\n", first[:n])
	}
	if err == nil {
		io.Copy(io.Discard, s.conn) // until it ends, in whatever way
	}
}
