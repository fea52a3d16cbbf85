package netio

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"
)

// TestListenAfterClose listens where another listener goes in a moment, and where it does not.
func TestListenAfterClose(t *testing.T) {
	first, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	address := first.Addr().String()
	if _, err := Listen(t.Context(), address); !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatalf("Listen on an address in use = %v, want %v", err, syscall.EADDRINUSE)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Listen(ended, address); err == nil {
		t.Error("Listen with an ended context works on an address in use")
	}
	// Long before it gives up, and after it has begun.
	time.AfterFunc(10*time.Millisecond, func() { first.Close() })
	second, err := Listen(t.Context(), address)
	if err != nil {
		t.Fatalf("Listen on an address that is freed = %v", err)
	}
	second.Close()
}
