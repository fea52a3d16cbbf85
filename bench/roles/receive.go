package roles

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// receive is the bare program for sources that speak HTTP: a server of the standard library that reads what is posted,
// does not look at it, appends it to one file, and answers. With a log it answers what is durable.
func receive(ctx context.Context, args []string, std Streams) (err error) {
	flags := flag.NewFlagSet("receive", flag.ContinueOnError)
	addr := flags.String("listen", "127.0.0.1:0", "`address` to accept connections on")
	path := flags.String("out", "", "`file` to append what is posted to")
	log := flags.String("log", "", "`directory` of the log; none without")
	block := flags.Int("block", 256<<10, "size of the buffer of each request under way, in `bytes`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *block <= 0 || *block > maxGathered {
		return fmt.Errorf("-block %d: must be between 1 and %d", *block, maxGathered)
	}
	out, err := openOutput(*path, *log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	ctx, cancel := std.untilEnd(ctx)
	defer cancel()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", *addr)
	if err != nil {
		return fmt.Errorf("listening on %s: %w", *addr, err)
	}
	return serveHTTP(ctx, listener, newReceiver(out, *block))
}

// serveHTTP serves until ctx ends and all requests under way are answered.
func serveHTTP(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
		// ctx has ended: what is under way is answered all the same.
		if err := server.Shutdown(context.WithoutCancel(ctx)); err != nil {
			return fmt.Errorf("ending the server: %w", err)
		}
		return nil
	}
}

// receiver is the handler. Safe for concurrent use.
type receiver struct{ buffers sync.Pool }

// receiving is what a request needs.
type receiving struct {
	block []byte
	out   io.Writer
}

func newReceiver(out *output, block int) *receiver {
	return &receiver{buffers: sync.Pool{New: func() any {
		return &receiving{block: make([]byte, block), out: out.writer(nil)}
	}}}
}

// ServeHTTP writes a content that fits into the buffer at once.
func (h *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	use, _ := h.buffers.Get().(*receiving)
	defer h.buffers.Put(use)
	for {
		n, readErr := io.ReadFull(r.Body, use.block)
		if n > 0 {
			if _, err := use.out.Write(use.block[:n]); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
		}
		if errors.Is(readErr, io.EOF) || errors.Is(readErr, io.ErrUnexpectedEOF) {
			return
		}
		if readErr != nil {
			http.Error(w, readErr.Error(), http.StatusBadRequest)
			return
		}
	}
}
