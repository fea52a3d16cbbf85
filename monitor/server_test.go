package monitor

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flume-go/flume/flow"
)

func TestServer(t *testing.T) {
	r, err := New(map[string]string{"type": "http", "bind": "127.0.0.1", "port": "0"}, newFake(), options(t))
	if err != nil {
		t.Fatal(err)
	}
	start(t, r)
	for path, want := range map[string]string{"/": "./metrics", "/metrics": `"SOURCE.r1"`, "/prometheus": "flume_source_up"} {
		resp, err := http.Get("http://" + r.Addr() + path)
		if err != nil {
			t.Fatal(err)
		}
		if body := readAll(t, resp.Body); resp.StatusCode != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d, no %q", path, resp.StatusCode, want)
		}
		resp.Body.Close()
	}
	if err := r.Start(t.Context()); err == nil {
		t.Error("a second Start is no error")
	}
}

// TestPortInUse has another program on the port at first.
func TestPortInUse(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	_, port, _ := net.SplitHostPort(other.Addr().String())
	o, log := logged(t)
	r, err := New(map[string]string{"type": "http", "bind": "127.0.0.1", "port": port}, newFake(), o)
	if err != nil {
		t.Fatal(err)
	}
	r.(*server).pause = flow.Backoff{Min: time.Millisecond, Max: time.Millisecond}
	start(t, r)
	if r.Addr() != "" {
		t.Errorf("listens on %s", r.Addr())
	}
	log.await(t, "cannot listen; the agent runs on")
	if !strings.Contains(log.String(), "flume.monitoring.port") {
		t.Errorf("no remedy in %s", log)
	}
	other.Close()
	log.await(t, "http monitoring listens")
	if r.Addr() != "127.0.0.1:"+port {
		t.Errorf("listens on %q", r.Addr())
	}
	if n := strings.Count(log.String(), "cannot listen"); n != 1 {
		t.Errorf("%d lines for one failure", n)
	}
}

func TestCloseWhilePortIsInUse(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	s := newServer("test", other.Addr().String(), "", http.NotFoundHandler(), options(t).Log)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestCloseWithoutStart(t *testing.T) {
	s := newServer("test", "127.0.0.1:0", "", http.NotFoundHandler(), options(t).Log)
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Start(t.Context()); err == nil {
		t.Error("a closed server starts")
	}
}

func TestCloseFreesThePort(t *testing.T) {
	s := newServer("test", "127.0.0.1:0", "", http.NotFoundHandler(), options(t).Log)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	address := s.Addr()
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	ln, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
}

// TestCloseCutsOff has a request that never ends.
func TestCloseCutsOff(t *testing.T) {
	entered := make(chan struct{})
	s := newServer("test", "127.0.0.1:0", "", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	}), options(t).Log)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	go func() {
		if resp, err := http.Get("http://" + s.Addr()); err == nil {
			resp.Body.Close()
		}
	}()
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Close(ctx); err == nil || !strings.Contains(err.Error(), "cut off") {
		t.Errorf("error %v", err)
	}
}

func TestGeneralOptionsIsForbidden(t *testing.T) {
	r, err := New(map[string]string{"type": "http", "bind": "127.0.0.1", "port": "0"}, newFake(), options(t))
	if err != nil {
		t.Fatal(err)
	}
	start(t, r)
	conn, err := net.Dial("tcp", r.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, conn); !strings.HasPrefix(got, "HTTP/1.1 403 ") {
		t.Errorf("answer %q", got)
	}
}

// pipes is a listener to which a client connects all the time.
type pipes struct{ net.Listener }

func (pipes) Accept() (net.Conn, error) {
	c, _ := net.Pipe()
	return c, nil
}

func (pipes) Close() error { return nil }

// TestLimited fills a listener's slots: one more connection waits for a slot.
func TestLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimited(pipes{}, 2)
		accepted := make(chan net.Conn, 10)
		go func() {
			defer close(accepted)
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				accepted <- c
			}
		}()
		synctest.Wait()
		if len(accepted) != 2 {
			t.Fatalf("%d connections at a time, want 2", len(accepted))
		}
		first := <-accepted
		first.Close()
		first.Close() // frees its slot once
		synctest.Wait()
		if len(accepted) != 2 {
			t.Fatalf("%d connections wait after one was closed, want 2", len(accepted))
		}
		l.Close()
		synctest.Wait()
		for c := range accepted {
			c.Close()
		}
	})
}
