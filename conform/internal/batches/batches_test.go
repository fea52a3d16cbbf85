package batches

import (
	"testing"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/invariants"
)

func TestCloneIsTheSameAndApart(t *testing.T) {
	b := event.NewBatch()
	b.SetHeader(b.AppendCopy([]byte("one")), "k", "v")
	b.AppendCopy(nil)
	was := Clone(b)
	for i, e := range b.Events() {
		if !Same(was[i], e) {
			t.Errorf("event %d: %v is not %v", i, was[i], e)
		}
	}
	b.At(0).Body[0] = 'O'
	if string(was[0].Body) != "one" || Same(was[0], b.Events()[0]) {
		t.Errorf("the clone follows its original: %s", was[0].Body)
	}
	was[1].Headers = append(was[1].Headers, event.Header{Key: "k"})
	if Same(was[1], b.Events()[1]) {
		t.Error("a header makes no difference")
	}
	b.Release()
}

func TestAlive(t *testing.T) {
	b := event.NewBatch()
	if !Alive(b) {
		t.Error("a batch that is held is not alive")
	}
	b.Release()
	if invariants.Enabled && Alive(b) {
		t.Error("a released batch is alive")
	}
}
