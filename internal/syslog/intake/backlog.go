package intake

import (
	"context"
	"errors"
	"net"
	"os"
	"time"
)

const (
	// backlogQuiet is how long a listener of a source that stops waits for a
	// connection. One that is there already is accepted without waiting; the time is
	// for a goroutine that does not get its turn at once.
	backlogQuiet = 50 * time.Millisecond
	// backlogTime is how long it goes on in all. Clients that connect again and
	// again would keep it for ever.
	backlogTime = 250 * time.Millisecond
)

// listener is what backlog needs of net.TCPListener.
type listener interface {
	net.Listener
	SetDeadline(t time.Time) error
}

// backlog is a listener whose connections are all accepted before it is closed.
//
// The kernel makes connections by itself and keeps them, with what their clients
// have sent, until they are accepted. Closing the listener resets them, and what was
// sent is lost to clients that took it for delivered.
type backlog struct {
	listener
	stopped <-chan struct{} // closed when the source stops
	woken   chan struct{}   // closed when Accept does not wait for the source to stop any more
	emptied context.CancelFunc
}

// newBacklog returns a listener to be used in place of ln, and the context to use it
// under, which ends when ctx has ended and all connections are accepted, or
// backlogTime is over. end, which must be called, ends it, too.
func newBacklog(ctx context.Context, ln listener) (b *backlog, late context.Context, end func()) {
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	b = &backlog{ln, ctx.Done(), make(chan struct{}), cancel}
	stop := context.AfterFunc(ctx, func() {
		last := time.AfterFunc(backlogTime, cancel)
		context.AfterFunc(late, func() { last.Stop() })
		ln.SetDeadline(time.Unix(1, 0)) //nolint:errcheck // fails on a listener that is closed, which Accept tells
		close(b.woken)
	})
	return b, late, func() {
		stop()
		cancel()
	}
}

// Accept implements net.Listener. Not safe for concurrent use.
func (b *backlog) Accept() (net.Conn, error) {
	select {
	case <-b.stopped:
	default:
		conn, err := b.listener.Accept()
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return conn, err
		}
	}
	<-b.woken // from here on nobody else sets the deadline
	if err := b.SetDeadline(time.Now().Add(backlogQuiet)); err != nil {
		return nil, err
	}
	conn, err := b.listener.Accept()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		b.emptied()
	}
	return conn, err
}
