package rpc

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestBackoff follows the time for which a host is left alone.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o order
		o.limit = 30 * time.Second
		o.penalties = make([]penalty, 1)
		tried := func(want bool) {
			t.Helper()
			if got := len(o.next(time.Now(), false)) == 1; got != want {
				t.Errorf("tried: %v, want %v", got, want)
			}
		}
		tried(true)
		for _, seconds := range []int{2, 4, 8, 16, 30, 30} {
			o.failed(0, time.Now())
			left := time.Duration(seconds) * time.Second
			<-time.After(left)
			tried(false)
			<-time.After(time.Millisecond)
			tried(true)
		}
		// An hour after its last penalty nothing is left of it.
		<-time.After(time.Hour + 30*time.Second)
		o.failed(0, time.Now())
		<-time.After(2*time.Second + time.Millisecond)
		tried(true)
		// Many failures do not overflow.
		o.limit = 1000 * time.Hour
		for range 100 {
			o.failed(0, time.Now())
		}
		<-time.After(65536*time.Second - time.Millisecond)
		tried(false)
		<-time.After(2 * time.Millisecond)
		tried(true)
	})
}
