package load

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// zkServer speaks as much of ZooKeeper's protocol as the client needs here:
// sessions, pings, getData and exists with watches on one set of nodes.
type zkServer struct {
	t        *testing.T
	listener net.Listener

	mu    sync.Mutex
	nodes map[string]string
	conns map[net.Conn]map[string]bool // with the paths they watch
}

// Numbers of the protocol.
const (
	zkExists, zkGetData, zkPing, zkSetWatches, zkClose = 3, 4, 11, 101, -11
	zkNoNode                                           = -101
	zkCreated, zkDeleted, zkChanged                    = 1, 2, 3
)

func startZooKeeper(t *testing.T) *zkServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &zkServer{t: t, listener: listener, nodes: map[string]string{}, conns: map[net.Conn]map[string]bool{}}
	t.Cleanup(func() {
		_ = listener.Close()
		s.drop()
	})
	go s.accept()
	return s
}

func (s *zkServer) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns[conn] = map[string]bool{}
		s.mu.Unlock()
		go s.serve(conn)
	}
}

// drop cuts all connections.
func (s *zkServer) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.conns {
		_ = conn.Close()
	}
}

// set stores a node, or deletes it if text is nil, and tells who watches.
func (s *zkServer) set(path string, text *string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, existed := s.nodes[path]
	event := uint32(zkChanged)
	switch {
	case text == nil:
		delete(s.nodes, path)
		event = zkDeleted
	case !existed:
		event = zkCreated
		fallthrough
	default:
		s.nodes[path] = *text
	}
	for conn, watches := range s.conns {
		if watches[path] {
			delete(watches, path)
			const syncConnected = 3
			s.send(conn, header(-1, 0), number(event), number(syncConnected), text32(path))
		}
	}
}

func (s *zkServer) serve(conn net.Conn) {
	defer func() {
		s.mu.Lock()
		delete(s.conns, conn)
		s.mu.Unlock()
		_ = conn.Close()
	}()
	if _, err := frame(conn); err != nil { // connect request
		return
	}
	s.mu.Lock()
	s.send(conn, number(0), number(10000), make([]byte, 7), []byte{1}, text32("0123456789abcdef"))
	s.mu.Unlock()
	for {
		request, err := frame(conn)
		if err != nil || len(request) < 8 {
			return
		}
		if !s.answer(conn, int32(binary.BigEndian.Uint32(request)), int32(binary.BigEndian.Uint32(request[4:])), request[8:]) {
			return
		}
	}
}

// answer answers one request and reports whether the session goes on.
func (s *zkServer) answer(conn net.Conn, id, op int32, body []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch op {
	case zkPing:
		s.send(conn, header(-2, 0))
	case zkGetData, zkExists:
		path := string(body[4 : 4+binary.BigEndian.Uint32(body)])
		text, ok := s.nodes[path]
		if watch := body[len(body)-1] == 1; watch && (ok || op == zkExists) {
			s.conns[conn][path] = true
		}
		stat := make([]byte, 68)
		switch {
		case !ok:
			s.send(conn, header(id, zkNoNode))
		case op == zkExists:
			s.send(conn, header(id, 0), stat)
		default:
			s.send(conn, header(id, 0), text32(text), stat)
		}
	case zkSetWatches:
		// After a reconnect: everything it watches may have changed.
		s.send(conn, header(id, 0))
		for path, text := range s.nodes {
			if bytes.Contains(body, []byte(path)) {
				s.nodes[path] = text
				s.send(conn, header(-1, 0), number(zkChanged), number(3), text32(path))
			}
		}
	case zkClose:
		s.send(conn, header(id, 0))
		return false
	default:
		s.t.Errorf("unexpected request %d", op)
		return false
	}
	return true
}

func (s *zkServer) send(conn net.Conn, parts ...[]byte) {
	body := bytes.Join(parts, nil)
	_, _ = conn.Write(append(number(uint32(len(body))), body...))
}

func number(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

func text32(text string) []byte { return append(number(uint32(len(text))), text...) }

// header is that of an answer: request, transaction, error.
func header(id, code int32) []byte {
	return bytes.Join([][]byte{number(uint32(id)), make([]byte, 8), number(uint32(code))}, nil)
}

func frame(r io.Reader) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	body := make([]byte, binary.BigEndian.Uint32(size[:])&0xFFFFF)
	_, err := io.ReadFull(r, body)
	return body, err
}

func ptr(s string) *string { return &s }

func TestZooKeeper(t *testing.T) {
	server := startZooKeeper(t)
	const node = "/chroot/flume/a1"
	server.set(node, ptr("a = ${env:X}\nb = 1\n"))
	l := open(t, Options{
		ZooKeeper: server.listener.Addr().String() + "/chroot", Files: []string{"ignored"}, Log: slog.New(slog.DiscardHandler),
		LookupEnv: lookupIn(map[string]string{"X": "x"}),
	})
	result, err := l.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"a": "${env:X}", "b": "1"}, texts(result.Properties)); diff != "" {
		t.Errorf("nothing is substituted in ZooKeeper's text:\n%s", diff)
	}
	if v, _ := result.Properties.Get("b"); v.At.String() != "zookeeper:"+node+":2:5" {
		t.Errorf("b is at %v", v.At)
	}
	if len(result.Problems) != 1 || !strings.Contains(result.Problems.Error(), "-f and -u are ignored") {
		t.Errorf("problems %v", result.Problems)
	}
	if _, changed, err := l.Poll(t.Context()); changed || err != nil {
		t.Errorf("unchanged: changed %v, error %v", changed, err)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	applied := make(chan Result)
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		l.Watch(ctx, 0, func(ctx context.Context, r Result, _ error) {
			select {
			case applied <- r:
			case <-ctx.Done():
			}
		})
	}()
	expect := func(step, want string) {
		t.Helper()
		select {
		case r := <-applied:
			if got := texts(r.Properties)["a"]; got != want {
				t.Errorf("%s: a = %q, want %q", step, got, want)
			}
		case <-ctx.Done():
			t.Fatalf("%s: nothing applied", step)
		}
	}
	server.set(node, ptr("a=2"))
	expect("changed", "2")
	server.drop()
	server.set(node, ptr("a=3"))
	expect("changed while the connection was lost", "3")
	server.set(node, nil)
	server.set(node, ptr("a=4"))
	expect("deleted and created", "4")
	cancel()
	<-watching
}

func TestZooKeeperNodeUnusable(t *testing.T) {
	server := startZooKeeper(t)
	opts := Options{ZooKeeper: server.listener.Addr().String(), ZooKeeperBase: "/base", Log: slog.New(slog.DiscardHandler)}
	if _, err := open(t, opts).Load(t.Context()); err == nil || !strings.Contains(err.Error(), "node /base/a1 does not exist") {
		t.Errorf("missing node: %v", err)
	}
	server.set("/base/a1", ptr(" \n"))
	if _, err := open(t, opts).Load(t.Context()); err == nil || !strings.Contains(err.Error(), "node /base/a1 is empty") {
		t.Errorf("empty node: %v", err)
	}
}

func TestZooKeeperUnreachable(t *testing.T) {
	server := startZooKeeper(t)
	_ = server.listener.Close()
	l := open(t, Options{ZooKeeper: server.listener.Addr().String(), Log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := l.Load(ctx); err == nil || !strings.Contains(err.Error(), "zookeeper:/flume/a1") {
		t.Errorf("error %v", err)
	}
}
