package intake

import (
	"context"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/internal/netio"
)

// TestBacklog: what clients have sent on connections that were not accepted when the
// source stopped is stored.
func TestBacklog(t *testing.T) {
	out := new(recorder)
	tcp := newTCP(Options{}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	ln, err := tcp.Listen(ctx, "127.0.0.1", "0", "port")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := range 50 {
		name := fmt.Sprintf("client %02d", i)
		want = append(want, name)
		conn := dial(t, ln.Addr().String())
		if _, err := fmt.Fprintf(conn, "<13>1 - h %s\n", name); err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 { // both those that wait and those that have gone
			conn.Close()
		}
	}
	cancel()
	if err := tcp.Serve(ctx, ln, nil, out); err != nil {
		t.Errorf("Serve returned %v", err)
	}
	got := out.bodies()
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-sent +stored):\n%s", diff)
	}
	if conn, err := net.Dial("tcp", ln.Addr().String()); err == nil {
		conn.Close()
		t.Error("the listener is still there")
	}
}

// TestBacklogIsBounded: clients that connect again and again do not keep a source
// that was told to stop.
func TestBacklogIsBounded(t *testing.T) {
	out := new(recorder)
	tcp := newTCP(Options{}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ln, err := tcp.Listen(ctx, "127.0.0.1", "0", "port")
	if err != nil {
		t.Fatal(err)
	}
	refused := make(chan int)
	go func() {
		n := 0
		for {
			conn, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				refused <- n
				return
			}
			conn.Close()
			if n++; n == 10 {
				cancel()
			}
		}
	}()
	began := time.Now()
	if err := tcp.Serve(ctx, ln, nil, out); err != nil {
		t.Errorf("Serve returned %v", err)
	}
	if took := time.Since(began); took > netio.Grace {
		t.Errorf("the stop took %v", took)
	}
	if n := <-refused; n < 10 {
		t.Errorf("only %d connections before the stop", n)
	}
}
