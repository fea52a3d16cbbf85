package component_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/flow"
)

func TestLookup(t *testing.T) {
	for _, name := range []string{"test_everything", "TEST_Everything", "testEVERY", "org.apache.flume.test.EverythingSink", "ORG.apache.flume.test.everythingsink"} {
		if e, ok := component.Lookup(component.KindSink, name); !ok || e.Info.Type != "test_everything" {
			t.Errorf("Lookup(%q) = %v, %v", name, e, ok)
		}
	}
	if _, ok := component.Lookup(component.KindSource, "test_everything"); ok {
		t.Error("a sink is found among the sources")
	}
	if got := entry(t).Package(); got != "github.com/flume-go/flume/component_test" {
		t.Errorf("package %q", got)
	}
}

func TestAllListsEachTypeOnce(t *testing.T) {
	var types []string
	for _, e := range component.All(component.KindSink) {
		types = append(types, e.Info.Type)
	}
	if diff := cmp.Diff([]string{"test_everything", "test_nothing"}, types); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := component.All(component.KindChannel); len(got) != 0 {
		t.Errorf("channels: %v", got)
	}
}

func TestUnknown(t *testing.T) {
	tests := []struct{ name, what, remedy string }{
		{"test_everythingg", `unknown sink type "test_everythingg"`, `did you mean "test_everything"?`},
		{"org.apache.flume.EverythingSink", `unknown sink type "org.apache.flume.EverythingSink"`, `did you mean "org.apache.flume.test.EverythingSink"?`},
		{"com.example.EverythingSink", `unknown sink type "com.example.EverythingSink"`,
			`Java classes cannot be loaded; of those that are built in, "org.apache.flume.test.EverythingSink" comes nearest (flume components lists all)`},
		{"com.example.Codec$Builder", `unknown sink type "com.example.Codec$Builder"`,
			"Java classes cannot be loaded; known types: test_everything, test_nothing (flume components describes them)"},
		{"test_nothing # for now", `unknown sink type "test_nothing # for now"`, `"# for now" belongs to the value: a comment needs a line of its own`},
		{"test_nothing ; for now", `unknown sink type "test_nothing ; for now"`, `"; for now" belongs to the value: a comment needs a line of its own`},
		{`"test_nothing"`, `unknown sink type "\"test_nothing\""`, "leave out the quotes, which belong to the value"},
		{"test_nothing;", `unknown sink type "test_nothing;"`, `leave out ";", which belongs to the value`},
		{"test_plain", `unknown sink type "test_plain"`, `"test_plain" is a type of serializer`},
		{"12.5", `unknown sink type "12.5"`, "known types: test_everything, test_nothing"},
		{"kafka", `unknown sink type "kafka"`, "known types: test_everything, test_nothing"},
	}
	for _, tt := range tests {
		what, remedy := component.Unknown(component.KindSink, tt.name)
		if what != tt.what || remedy != tt.remedy {
			t.Errorf("Unknown(%q) = %q, %q", tt.name, what, remedy)
		}
	}
}

func TestUnknownType(t *testing.T) {
	tests := []struct{ name, want string }{
		{"hdfs", `type "hdfs" is one of Apache Flume's that this version does not have (sink); see docs/compatibility.md for what it has`},
		{"jms", `type "jms" is one of Apache Flume's that this version does not have (source); see docs/compatibility.md for what it has`},
		{"org.apache.flume.sink.hdfs.HDFSEventSink", `type "org.apache.flume.sink.hdfs.HDFSEventSink" is one of Apache Flume's that this version does not have (sink); see docs/compatibility.md for what it has`},
		{"test_plian", `unknown type "test_plian"; did you mean "test_plain"?`},
		{"com.example.Codec", `unknown type "com.example.Codec"; Java classes cannot be loaded; run the command components without a type to see all`},
		{"whatever", `unknown type "whatever"; run the command components without a type to see all`},
	}
	for _, tt := range tests {
		what, remedy := component.UnknownType(tt.name)
		if got := what + "; " + remedy; got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestNew(t *testing.T) {
	d := decode(t, "must = yes")
	s, err := component.New[flow.Sink](d, component.Env{Name: "k1"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.(testSink).config.Must; got != "yes" {
		t.Errorf("must = %q", got)
	}
	if _, err := component.New[flow.Sink](decode(t, "must = yes", "text = fails"), component.Env{}, nil); err == nil || err.Error() != "constructing fails" {
		t.Errorf("error %v", err)
	}
	_, err = component.New[flow.Source](d, component.Env{}, nil)
	if err == nil || !strings.Contains(err.Error(), "sink test_everything") {
		t.Errorf("a sink is a source: %v", err)
	}
}

// TestRegisterPanics has the mistakes that show at the first start of a program.
func TestRegisterPanics(t *testing.T) {
	refused := func(component.Env) (flow.Sink, error) { return testSink{}, nil }
	tests := map[string]func(){
		`component: sink "test_nothing" is registered twice`: func() {
			component.RegisterSink(component.Info{Type: "TEST_NOTHING"}, func(_ nothing, env component.Env) (flow.Sink, error) { return refused(env) })
		},
		`component: sink "testevery" is registered twice`: func() {
			component.RegisterSink(component.Info{Type: "test_other", Aliases: []string{"testevery"}}, func(_ nothing, env component.Env) (flow.Sink, error) { return refused(env) })
		},
		`component: sink "test_bad": configuration type string is not a struct`: func() {
			component.RegisterSink(component.Info{Type: "test_bad"}, func(_ string, env component.Env) (flow.Sink, error) { return refused(env) })
		},
	}
	for want, register := range tests {
		func() {
			defer func() {
				if got := recover(); got != want {
					t.Errorf("panic %v, want %q", got, want)
				}
			}()
			register()
		}()
	}
	if _, ok := component.Lookup(component.KindSink, "test_other"); ok {
		t.Error("a refused type is registered by half")
	}
}

func TestNearest(t *testing.T) {
	keys := []string{"hdfs.rollInterval", "hdfs.rollSize", "hdfs.path", "channel", "type", "port", "org.apache.flume.sink.hdfs.HDFSEventSink"}
	tests := map[string]string{
		"hdfs.rollIntervall":        "hdfs.rollInterval",
		"hdfs.roll-interval":        "hdfs.rollInterval",
		"HDFS.ROLLSIZE":             "hdfs.rollSize",
		"chanel":                    "channel",
		"tpye":                      "type", // neighbours swapped
		"prot":                      "port",
		"por":                       "port",
		"portal":                    "",
		"com.example.HDFSEventSink": "org.apache.flume.sink.hdfs.HDFSEventSink",
		"HDFSEventSinks":            "org.apache.flume.sink.hdfs.HDFSEventSink",
		"entirely different":        "",
		"":                          "",
		strings.Repeat("hdfs.rollInterval", 1000): "",
	}
	for name, want := range tests {
		if got := component.Nearest(name, keys); got != want {
			t.Errorf("Nearest(%.40q) = %q, want %q", name, got, want)
		}
	}
	if got := component.Nearest("x", nil); got != "" {
		t.Errorf("among none: %q", got)
	}
}
