package multiplexing

import (
	"fmt"
	"testing"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
)

var channels = []string{"a", "b", "c"}

func newSelector(t *testing.T, cfg Config) flow.Selector {
	t.Helper()
	s, err := New(cfg, component.Env{}, channels)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// batch makes events whose header "k" has these values; "-" leaves it out.
func batch(values ...string) *event.Batch {
	b := event.NewBatch()
	for _, v := range values {
		e := b.AppendCopy([]byte("body"))
		if v != "-" {
			b.SetHeader(e, "k", v)
		}
	}
	return b
}

// show writes a plan as "required/optional" by channel; * means the whole batch.
func show(plan *flow.Plan) string {
	out := ""
	for _, shares := range [][]flow.Share{plan.Required(), plan.Optional()} {
		for i := range shares {
			if shares[i].All {
				out += channels[i] + "*"
			} else if len(shares[i].Indexes) > 0 {
				out += channels[i] + fmt.Sprint(shares[i].Indexes)
			}
		}
		out += "/"
	}
	return out
}

func TestSelect(t *testing.T) {
	cfg := Config{
		Header:   "k",
		Mapping:  map[string]string{"x": "a b", "a.dotted value": "b"},
		Default:  "c",
		Optional: map[string]string{"x": "b c", "unmapped": "a"},
	}
	for _, c := range []struct {
		values []string
		want   string
	}{
		{[]string{"x", "x"}, "a*b*/c*/"}, // b is required already
		{[]string{"a.dotted value"}, "b*//"},
		{[]string{"X", "-", " "}, "c*//"}, // case counts; missing and blank go to the default
		{[]string{"unmapped"}, "c*/a*/"},  // optional beside the default
		{[]string{"x", "other", "x"}, "a[0 2]b[0 2]c[1]/c[0 2]/"},
	} {
		s := newSelector(t, cfg)
		b := batch(c.values...)
		var plan flow.Plan
		plan.Reset(len(channels))
		if err := s.Select(b, &plan); err != nil {
			t.Fatal(err)
		}
		if got := show(&plan); got != c.want {
			t.Errorf("%q: plan %s, want %s", c.values, got, c.want)
		}
		b.Release()
	}
}

func TestWithoutDefaultUnmappedEventsGoNowhere(t *testing.T) {
	s := newSelector(t, Config{Header: "k", Mapping: map[string]string{"x": "a"}})
	b := batch("other", "x")
	defer b.Release()
	var plan flow.Plan
	plan.Reset(len(channels))
	if err := s.Select(b, &plan); err != nil {
		t.Fatal(err)
	}
	if got := show(&plan); got != "a[1]//" {
		t.Errorf("plan %s", got)
	}
}

func TestUnknownChannelIsNamed(t *testing.T) {
	for key, cfg := range map[string]Config{
		"selector.default":    {Default: "z"},
		"selector.mapping.x":  {Mapping: map[string]string{"x": "a z"}},
		"selector.optional.x": {Optional: map[string]string{"x": "z"}},
	} {
		_, err := New(cfg, component.Env{}, channels)
		if want := key + `: "z" is not a channel of the source`; err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
