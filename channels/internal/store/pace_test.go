package store

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/wal"
)

const large = 600 << 10 // two of it are more than may be ready

// beginLarge starts a put of one large event; the channel gets how long it took.
func (r *rig) beginLarge() <-chan time.Duration {
	done := make(chan time.Duration, 1)
	go func() {
		start := time.Now()
		if err := r.put(1, large); err != nil {
			r.t.Error(err)
		}
		done <- time.Since(start)
	}()
	synctest.Wait()
	return done
}

// TestPutLetsTheSinkGoFirst has a put return once the sink has taken what was ready, all of which the sink could have from memory.
func TestPutLetsTheSinkGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, vfs.NewMem(1), Options{})
		if took := <-r.beginLarge(); took != 0 {
			t.Errorf("the first put took %v", took)
		}
		second := r.beginLarge()
		if len(second) > 0 {
			t.Fatal("the second put is through while all is ready")
		}
		d := r.take(2, 2) // what was put is there before the put returns
		synctest.Wait()
		if len(second) == 0 {
			t.Fatal("the second put waits for more than a take")
		}
		if took := <-second; took != 0 {
			t.Errorf("the second put took %v", took)
		}
		r.ack(d)
	})
}

// TestPutsWaitForNoIdleSink has one put find out that the sink does not take, and the next ones return at once, until it takes again.
func TestPutsWaitForNoIdleSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, vfs.NewMem(1), Options{})
		<-r.beginLarge()
		if took := <-r.beginLarge(); took <= 0 || took > 100*time.Millisecond {
			t.Errorf("the second put took %v", took)
		}
		if took := <-r.beginLarge(); took != 0 {
			t.Errorf("the third put took %v", took)
		}
		r.ack(r.take(1, 1))
		if took := <-r.beginLarge(); took == 0 {
			t.Error("after a take nobody waits, though much is ready")
		}
	})
}

// TestPutsDoNotWaitBehindBacklog has puts return at once while the sink has to read from the disk.
func TestPutsDoNotWaitBehindBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, vfs.NewMem(1), Options{Log: wal.Options{CacheBytes: 2*large - 1}})
		for i := range 4 {
			if took := <-r.beginLarge(); took != 0 {
				t.Errorf("put %d took %v", i, took)
			}
		}
	})
}

// TestCloseEndsPuts has Close let go a put that lets the sink go first.
func TestCloseEndsPuts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, vfs.NewMem(1), Options{})
		<-r.beginLarge()
		second := r.beginLarge()
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if took := <-second; took != 0 {
			t.Errorf("the put took %v", took)
		}
	})
}
