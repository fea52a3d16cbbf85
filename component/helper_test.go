package component_test

import (
	"strings"
	"testing"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/property"

	"context"
	"errors"
	"io"
)

// everything has a field of every kind.
type everything struct {
	Text     string               `flume:"text" default:"hello" doc:"Some text."`
	Must     string               `flume:"must,required" doc:"Text that has to be given."`
	Mode     string               `flume:"mode" default:"FAST" enum:"FAST,SAFE,OFF" doc:"How it works."`
	Flag     bool                 `flume:"flag" default:"true" doc:"A switch."`
	Count    int                  `flume:"count,batch" default:"100" min:"1" max:"1000" alias:"countOld,count.older" doc:"A number."`
	Size     int64                `flume:"size" default:"4096" unit:"bytes" doc:"A large number."`
	Loose    int                  `flume:"loose" default:"7" min:"0" lenient:"true" doc:"A number that Flume guesses."`
	Ratio    float64              `flume:"ratio" default:"0.5" min:"0" max:"1" doc:"A number with a fraction."`
	Wait     time.Duration        `flume:"wait" default:"3" unit:"s" min:"0" doc:"A time in seconds."`
	Pause    time.Duration        `flume:"pause" default:"250" unit:"ms" doc:"A time in milliseconds."`
	Words    []string             `flume:"words" default:"a b" doc:"Words."`
	Parts    []string             `flume:"parts" sep:"," doc:"Parts."`
	Maybe    *int                 `flume:"maybe" min:"1" doc:"A number that may be missing."`
	MaybeStr *string              `flume:"maybeText" doc:"Text that may be missing."`
	Guess    *int                 `flume:"guess" lenient:"true" doc:"A number that may be missing, and that Flume guesses."`
	Old      string               `flume:"old" deprecated:"use text" doc:"Some text, once."`
	Password string               `flume:"password" secret:"true" doc:"A password."`
	Pin      int                  `flume:"pin" secret:"true" default:"0" doc:"A secret number."`
	Extra    map[string]string    `flume:"extra.*" doc:"Anything below extra."`
	Named    string               `flume:"extra.named" default:"x" doc:"A property of its own below extra."`
	Raw      property.Settings    `flume:"raw.*" doc:"Settings for someone else."`
	Groups   []group              `flume:"groups" doc:"Names of groups."`
	Codec    component.Serializer `flume:"codec" default:"test_plain" doc:"How it is written."`
}

type group struct {
	Name   string            `flume:",name"`
	Path   string            `flume:"path,required" doc:"Where the group is."`
	Max    int               `flume:"max" default:"10" doc:"The most of it."`
	Labels map[string]string `flume:"labels.*" doc:"Labels of the group."`
}

// Check implements component.Checker.
func (c everything) Check(r *component.Report) {
	if c.Mode == "OFF" {
		r.Warn("mode", "switches everything off", "choose another")
	}
	if c.Text == "bad" && r.Given("text") {
		r.Error("text", "is bad", "write good")
	}
	if r.Given("count") && c.Count == 13 {
		r.Advise("count", "is unlucky", "take 12")
	}
}

// Check implements component.Checker.
func (g group) Check(r *component.Report) {
	if g.Max > 100 {
		r.Error("max", "is too many", "take 100")
	}
}

type plainCodec struct {
	Newline bool `flume:"newline" default:"true" doc:"Whether lines end."`
}

type strictCodec struct {
	Schema string `flume:"schema,required" doc:"The schema."`
}

type nothing struct{}

// recordCodec is an encoding that shows what it was made from.
type recordCodec struct{ config any }

func (recordCodec) NewEncoder(io.Writer, bool) (flow.Encoder, error) {
	return nil, errors.New("the test needs no encoder")
}

type testSink struct{ config everything }

func (testSink) Deliver(context.Context, *event.Batch) error { return nil }

func init() {
	component.RegisterSerializer(component.Info{Type: "test_plain", Aliases: []string{"org.apache.flume.test.PlainSerializer$Builder"}, Summary: "Plain."},
		func(c plainCodec, _ component.Env) (flow.Encoding, error) { return recordCodec{c}, nil })
	component.RegisterSerializer(component.Info{Type: "test_strict", Summary: "Strict."},
		func(c strictCodec, _ component.Env) (flow.Encoding, error) { return recordCodec{c}, nil })
	component.RegisterSink(component.Info{
		Type: "test_everything", Aliases: []string{"org.apache.flume.test.EverythingSink", "testEvery"}, Summary: "Has every field.", Readme: "# Test\n",
	}, func(c everything, _ component.Env) (flow.Sink, error) {
		if c.Text == "fails" {
			return nil, errors.New("constructing fails")
		}
		return testSink{c}, nil
	})
	component.RegisterSink(component.Info{Type: "test_nothing", Summary: "Has no field."},
		func(nothing, component.Env) (flow.Sink, error) { return testSink{}, nil })
}

func entry(t *testing.T) *component.Entry {
	t.Helper()
	e, ok := component.Lookup(component.KindSink, "test_everything")
	if !ok {
		t.Fatal("test_everything is not registered")
	}
	return e
}

// settings reads "key = value" lines; each key stands on its own line of x.conf.
func settings(t *testing.T, lines ...string) property.Settings {
	t.Helper()
	s := property.Settings{}
	for i, l := range lines {
		k, v, ok := strings.Cut(l, " = ")
		if !ok {
			t.Fatalf("line %q", l)
		}
		s[k] = property.Value{
			Text: v, Raw: v,
			Key: property.Position{File: "x.conf", Line: i + 1, Col: 1},
			At:  property.Position{File: "x.conf", Line: i + 1, Col: len(k) + 4},
		}
	}
	return s
}

var scope = component.Scope{Prefix: "a1.sinks.k1.", At: property.Position{File: "x.conf", Line: 99, Col: 1}}

func decode(t *testing.T, lines ...string) *component.Decoded {
	t.Helper()
	return component.Decode(entry(t), settings(t, lines...), scope)
}
