package componenttest

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/vfs"
)

// patience bounds every call of a component: none of them has anything to wait for.
const patience = 10 * time.Second

var errTouched = errors.New("a constructor has no business with files")

func checkNew(t *testing.T, s *subject) {
	before := descriptors(t)
	running := goleak.IgnoreCurrent()
	s.make(t, vfs.NewFailing(vfs.NewMem(1), func(op vfs.Op) vfs.Action {
		t.Errorf("the constructor does %v", op)
		return vfs.Action{Err: errTouched}
	}))
	if err := goleak.Find(running); err != nil {
		t.Error(err)
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors were open before the constructor, %d are after it", before, after)
	}
}

// descriptors counts the process's open descriptors where the system tells them,
// else it is always 0.
func descriptors(t *testing.T) int {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Logf("descriptors are not counted on this system: %v", err)
	}
	return len(open)
}

func checkLifecycle(t *testing.T, s *subject) {
	running := goleak.IgnoreCurrent()
	closeTwice := func(what string, l flow.Lifecycle) {
		for range 2 {
			if err := l.Close(limited(t)); err != nil {
				t.Errorf("Close %s: %v", what, err)
			}
		}
	}
	alone, ok := s.lifecycle(t)
	if !ok {
		return
	}
	closeTwice("without Open", alone)

	l, _ := s.lifecycle(t)
	for _, round := range []string{"after Open", "after Open again"} {
		// Only channels open without anyone on the other side.
		if err := l.Open(limited(t)); err != nil && s.Entry.Kind == component.KindChannel {
			t.Errorf("Open: %v", err)
		}
		closeTwice(round, l)
	}
	if err := goleak.Find(running); err != nil {
		t.Errorf("after Close: %v", err)
	}
}

// lifecycle constructs the component on a file system in memory, in which the
// example's directories exist. ok is false if it has nothing to open.
func (s *subject) lifecycle(t *testing.T) (l flow.Lifecycle, ok bool) {
	files := vfs.NewMem(1)
	d, _ := s.configured(t)
	for _, v := range d.Effective {
		if strings.HasPrefix(v.Text, "/tmp/") {
			if err := files.MkdirAll(v.Text, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	l, ok = s.make(t, files).(flow.Lifecycle)
	if !ok && s.Entry.Kind == component.KindChannel {
		t.Error("a channel must have Open and Close")
	}
	return l, ok
}

func limited(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// idleSink stands for the members of a group.
type idleSink struct{}

func (*idleSink) Deliver(context.Context, *event.Batch) error { return nil }
