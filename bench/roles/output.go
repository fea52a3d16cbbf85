package roles

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/flume-go/flume/internal/vfs"
)

// output is where bare programs put what they take: a file or a connection and, where a durable channel is measured, a log in front
// of it, which is synced before anything counts as taken.
type output struct {
	file  *os.File // nil if there are only connections
	ring  *ring    // nil without a log
	syncs *group   // nil without a log
}

// openOutput makes the file, unless path is empty, and a log in dir, unless that is. The caller closes the output.
func openOutput(path, dir string) (_ *output, err error) {
	o := new(output)
	if path != "" {
		if o.file, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644); err != nil {
			return nil, fmt.Errorf("opening the output: %w", err)
		}
	}
	if dir == "" {
		return o, nil
	}
	if o.ring, err = newRing(vfs.OS{}, filepath.Join(dir, "bare-log"), ringSize); err != nil {
		return nil, errors.Join(err, o.closeFile())
	}
	o.syncs = newGroup(o.ring)
	return o, nil
}

// Close ends the log and closes both. Nobody may be committing.
func (o *output) Close() error {
	if o.ring == nil {
		return o.closeFile()
	}
	o.syncs.Close()
	return errors.Join(o.ring.Close(), o.closeFile())
}

func (o *output) closeFile() error {
	if o.file == nil {
		return nil
	}
	return o.file.Close()
}

// writer returns what one goroutine writes blocks to. A write returns when the block is in the file and, where there
// is a log, durable. taken, which may be nil, is called as soon as the block counts as taken.
func (o *output) writer(taken func(block []byte) error) io.Writer { return o.writerTo(o.file, taken) }

// writerTo is writer for blocks that go somewhere else than to the file.
func (o *output) writerTo(to io.Writer, taken func(block []byte) error) io.Writer {
	return &outputWriter{output: o, to: to, ticket: newTicket(), taken: taken}
}

type outputWriter struct {
	*output
	to     io.Writer
	ticket *ticket
	taken  func(block []byte) error
}

// Write implements io.Writer.
func (w *outputWriter) Write(block []byte) (int, error) {
	if w.syncs != nil {
		if err := w.syncs.commit(w.ticket, block); err != nil {
			return 0, err
		}
	}
	if w.taken != nil {
		if err := w.taken(block); err != nil {
			return 0, err
		}
	}
	return w.to.Write(block)
}
