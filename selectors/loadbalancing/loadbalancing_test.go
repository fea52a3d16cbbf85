package loadbalancing

import (
	"testing"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
)

// counts runs batches through a selector and returns how often each channel was
// chosen, and the order in which they were.
func counts(t *testing.T, policy string, channels []string, sizes ...int) (perChannel []int, order []int) {
	t.Helper()
	s, err := New(Config{Policy: policy}, component.Env{}, channels)
	if err != nil {
		t.Fatal(err)
	}
	perChannel = make([]int, len(channels))
	for _, n := range sizes {
		b := event.NewBatch()
		for range n {
			b.AppendCopy([]byte("x"))
		}
		var plan flow.Plan
		plan.Reset(len(channels))
		if err := s.Select(b, &plan); err != nil {
			t.Fatal(err)
		}
		chosen := make([]int, n)
		for c, share := range plan.Required() {
			if share.All {
				perChannel[c] += n
			}
			for _, i := range share.Indexes {
				perChannel[c]++
				chosen[i] = c
			}
		}
		order = append(order, chosen...)
		b.Release()
	}
	return perChannel, order
}

func TestRoundRobinGoesOnAcrossBatches(t *testing.T) {
	got, order := counts(t, "round_robin", []string{"a", "b", "c"}, 1, 4, 2)
	if got[0] != 3 || got[1] != 2 || got[2] != 2 {
		t.Errorf("shares %v", got)
	}
	for i, c := range order {
		if c != i%3 {
			t.Errorf("event %d went to channel %d", i, c)
		}
	}
}

func TestRandomGivesEachEventToOneChannel(t *testing.T) {
	got, _ := counts(t, "random", []string{"a", "b", "c"}, 3000)
	if got[0]+got[1]+got[2] != 3000 {
		t.Errorf("%v events in all, want 3000", got)
	}
	for c, n := range got {
		// Expectation 1000, standard deviation 26: nine of them never happen.
		if n < 760 || n > 1240 {
			t.Errorf("channel %d got %d of 3000", c, n)
		}
	}
}

func TestOneChannelGetsWholeBatches(t *testing.T) {
	if got, _ := counts(t, "round_robin", []string{"a"}, 5); got[0] != 5 {
		t.Errorf("got %v", got)
	}
}
