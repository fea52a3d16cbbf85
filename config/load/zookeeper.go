package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/flume-go/flume/property"
)

const (
	// zkSession is how long ZooKeeper keeps the session of a lost connection.
	zkSession = 60 * time.Second
	// zkFirst bounds the wait for the first answer.
	zkFirst = 30 * time.Second
	// zkRetryMin and zkRetryMax bound the pause after a failed request.
	zkRetryMin, zkRetryMax = time.Second, 30 * time.Second
)

// zkConn is what the source needs of a *zk.Conn. Its requests wait while the
// connection is down and fail once it is closed.
type zkConn interface {
	GetW(path string) ([]byte, *zk.Stat, <-chan zk.Event, error)
	ExistsW(path string) (bool, *zk.Stat, <-chan zk.Event, error)
	Close()
}

// zkSource follows one ZooKeeper node. A goroutine of its own keeps a watch on
// the node and what it last held; Fetch only looks at that. While ZooKeeper is
// away the last text stays.
type zkSource struct {
	servers []string
	node    string
	wake    func() // called after each change, from the goroutine
	log     *slog.Logger
	dial    func(*zkSource) (zkConn, error)

	conn  zkConn        // nil until the first Fetch connected
	done  chan struct{} // closed by Close
	ended chan struct{} // closed when the goroutine is gone

	mu      sync.Mutex
	first   chan struct{} // closed at the first answer
	data    []byte
	version int   // grows with each other text
	err     error // the node cannot be used at the moment
	seen    int   // version that Fetch returned last
}

// newZooKeeperSource follows the node base/agent at the servers of a connect
// string: host[:port],…[/chroot].
func newZooKeeperSource(connect, base, agent string, wake func(), log *slog.Logger) (*zkSource, error) {
	hosts, chroot, _ := strings.Cut(connect, "/")
	var servers []string
	for host := range strings.SplitSeq(hosts, ",") {
		if host = strings.TrimSpace(host); host != "" {
			servers = append(servers, host)
		}
	}
	if len(servers) == 0 {
		return nil, fmt.Errorf("ZooKeeper connect string %q names no server; write host:port,host:port", connect)
	}
	return &zkSource{
		servers: servers,
		node:    path.Join("/", chroot, base, agent),
		wake:    wake,
		log:     log,
		dial:    dialZooKeeper,
		done:    make(chan struct{}),
		ended:   make(chan struct{}),
		first:   make(chan struct{}),
	}, nil
}

func dialZooKeeper(s *zkSource) (zkConn, error) {
	connected := true // the first failure is news
	conn, _, err := zk.Connect(s.servers, zkSession,
		zk.WithLogger(zkLogger{s.log}),
		zk.WithLogInfo(false),
		zk.WithMaxBufferSize(property.MaxSize+1<<16),
		zk.WithEventCallback(func(e zk.Event) {
			switch {
			case e.State == zk.StateHasSession && !connected:
				connected = true
				s.log.Info("ZooKeeper is reachable again", "servers", s.servers)
			case e.State == zk.StateDisconnected && connected:
				connected = false
				s.log.Warn("ZooKeeper is unreachable; the last configuration stays in force", "servers", s.servers)
			}
		}))
	if err != nil {
		return nil, err
	}
	return conn, nil
}

// zkLogger hands the library's messages, which repeat while it reconnects, to
// the log's lowest level.
type zkLogger struct{ log *slog.Logger }

func (l zkLogger) Printf(format string, args ...any) {
	l.log.Debug("ZooKeeper client", "message", fmt.Sprintf(format, args...))
}

func (s *zkSource) Name() string      { return "zookeeper:" + s.node }
func (s *zkSource) Extension() string { return "properties" }

// Fetch connects the first time, and waits for the first answer.
func (s *zkSource) Fetch(ctx context.Context) ([]byte, bool, error) {
	if s.conn == nil {
		conn, err := s.dial(s)
		if err != nil {
			return nil, false, fmt.Errorf("connecting to ZooKeeper at %s: %w", strings.Join(s.servers, ","), err)
		}
		s.conn = conn
		go s.follow()
	}
	timeout := time.NewTimer(zkFirst)
	defer timeout.Stop()
	select {
	case <-s.first:
	case <-timeout.C:
		return nil, false, fmt.Errorf("reading %s: no answer from ZooKeeper at %s within %v; check -z", s.Name(), strings.Join(s.servers, ","), zkFirst)
	case <-ctx.Done():
		return nil, false, fmt.Errorf("reading %s: %w", s.Name(), context.Cause(ctx))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, false, s.err
	}
	modified := s.version != s.seen
	s.seen = s.version
	return s.data, modified, nil
}

// Close ends the session and waits for the goroutine.
func (s *zkSource) Close() error {
	if s.conn == nil {
		return nil
	}
	select {
	case <-s.done:
		return nil
	default:
	}
	close(s.done)
	s.conn.Close()
	<-s.ended
	return nil
}

// follow reads the node at each change until Close.
func (s *zkSource) follow() {
	defer close(s.ended)
	pause := zkRetryMin
	for {
		watch, err := s.read()
		switch {
		case errors.Is(err, zk.ErrClosing) || errors.Is(err, zk.ErrConnectionClosed) && s.closed():
			return
		case err != nil:
			// The session went, or the server refused: neither says anything
			// about the node, so what is known stays.
			s.log.Debug("ZooKeeper request failed", "node", s.node, "error", err)
			if !s.wait(nil, pause) {
				return
			}
			pause = min(2*pause, zkRetryMax)
		default:
			pause = zkRetryMin
			if !s.wait(watch, 0) {
				return
			}
		}
	}
}

func (s *zkSource) closed() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// wait waits for the watch or, if that is nil, for the pause, and reports
// whether to go on.
func (s *zkSource) wait(watch <-chan zk.Event, pause time.Duration) bool {
	var elapsed <-chan time.Time
	if watch == nil {
		timer := time.NewTimer(pause)
		defer timer.Stop()
		elapsed = timer.C
	}
	select {
	case <-watch:
		return true
	case <-elapsed:
		return true
	case <-s.done:
		return false
	}
}

// read takes what the node holds now and leaves a watch on it. An error means
// that nothing was learned about the node.
func (s *zkSource) read() (<-chan zk.Event, error) {
	data, _, watch, err := s.conn.GetW(s.node)
	if errors.Is(err, zk.ErrNoNode) {
		var exists bool
		if exists, _, watch, err = s.conn.ExistsW(s.node); err != nil {
			return nil, err
		}
		if exists { // created in between: the watch fires only at the next change
			return nil, fmt.Errorf("node %s was just created", s.node)
		}
		s.take(nil, fmt.Errorf("ZooKeeper node %s does not exist; store the configuration there, or check -p and -n", s.node))
		return watch, nil
	}
	if errors.Is(err, zk.ErrNoAuth) {
		s.take(nil, fmt.Errorf("ZooKeeper node %s may not be read; allow it in the node's ACL", s.node))
		return nil, err
	}
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(data)) == 0 {
		s.take(nil, fmt.Errorf("ZooKeeper node %s is empty; store the configuration there", s.node))
	} else {
		s.take(data, nil)
	}
	return watch, nil
}

// take keeps what was read and tells whoever waits, if it is news.
func (s *zkSource) take(data []byte, err error) {
	s.mu.Lock()
	news := err != nil && s.err == nil || err == nil && (s.err != nil || s.version == 0 || !bytes.Equal(data, s.data))
	if err == nil && (s.version == 0 || !bytes.Equal(data, s.data)) {
		s.data = data
		s.version++
	}
	s.err = err
	s.mu.Unlock()
	select {
	case <-s.first:
		if news {
			s.wake()
		}
	default:
		close(s.first)
	}
}
