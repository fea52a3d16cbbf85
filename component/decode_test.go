package component_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/property"
)

func ptr[T any](v T) *T { return &v }

func TestDecodeDefaults(t *testing.T) {
	d := decode(t, "must = yes")
	if len(d.Problems) > 0 || d.Failed() {
		t.Fatalf("problems: %v", d.Problems)
	}
	want := everything{
		Text: "hello", Must: "yes", Mode: "FAST", Flag: true, Count: 100, Size: 4096, Loose: 7, Ratio: 0.5,
		Wait: 3 * time.Second, Pause: 250 * time.Millisecond, Words: []string{"a", "b"}, Named: "x",
		Extra: map[string]string{}, Raw: property.Settings{},
	}
	got, ok := d.Config.(everything)
	if !ok {
		t.Fatalf("Config is a %T", d.Config)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreTypes(component.Serializer{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got.Codec.Type() != "test_plain" {
		t.Errorf("codec %q", got.Codec.Type())
	}
}

// TestDecodeField gives one property at a time and looks at the field.
func TestDecodeField(t *testing.T) {
	field := func(get func(everything) any) func(everything) any { return get }
	tests := []struct {
		name string
		line string
		get  func(everything) any
		want any
	}{
		{"text keeps its spaces", "text =   a b ", field(func(c everything) any { return c.Text }), "  a b "},
		{"empty text is given, not defaulted", "text = ", field(func(c everything) any { return c.Text }), ""},
		{"enum in another case", "mode = safe", field(func(c everything) any { return c.Mode }), "SAFE"},
		{"true in another case", "flag = TRUE", field(func(c everything) any { return c.Flag }), true},
		{"false", "flag = false", field(func(c everything) any { return c.Flag }), false},
		{"anything else is false", "flag = yes", field(func(c everything) any { return c.Flag }), false},
		{"smallest", "count = 1", field(func(c everything) any { return c.Count }), 1},
		{"largest", "count = 1000", field(func(c everything) any { return c.Count }), 1000},
		{"spaces around a number", "count =  12 ", field(func(c everything) any { return c.Count }), 12},
		{"first alias", "countOld = 5", field(func(c everything) any { return c.Count }), 5},
		{"second alias", "count.older = 6", field(func(c everything) any { return c.Count }), 6},
		{"long", "size = 9223372036854775807", field(func(c everything) any { return c.Size }), int64(math.MaxInt64)},
		{"negative long", "size = -1", field(func(c everything) any { return c.Size }), int64(-1)},
		{"lenient, good", "loose = 9", field(func(c everything) any { return c.Loose }), 9},
		{"lenient, bad", "loose = many", field(func(c everything) any { return c.Loose }), 7},
		{"lenient, out of range", "loose = -1", field(func(c everything) any { return c.Loose }), 7},
		{"fraction", "ratio = 0.25", field(func(c everything) any { return c.Ratio }), 0.25},
		{"exponent", "ratio = 1e-3", field(func(c everything) any { return c.Ratio }), 0.001},
		{"seconds", "wait = 90", field(func(c everything) any { return c.Wait }), 90 * time.Second},
		{"milliseconds", "pause = 1500", field(func(c everything) any { return c.Pause }), 1500 * time.Millisecond},
		{"for ever", "pause = 9223372036854775807", field(func(c everything) any { return c.Pause }), time.Duration(math.MaxInt64 / int64(time.Millisecond) * int64(time.Millisecond))},
		{"since ever", "pause = -9223372036854775808", field(func(c everything) any { return c.Pause }), -time.Duration(math.MaxInt64 / int64(time.Millisecond) * int64(time.Millisecond))},
		{"list by white space", "words = x \t y", field(func(c everything) any { return c.Words }), []string{"x", "y"}},
		{"list by comma", "parts = x y, z,,", field(func(c everything) any { return c.Parts }), []string{"x y", "z"}},
		{"optional number", "maybe = 3", field(func(c everything) any { return c.Maybe }), ptr(3)},
		{"optional text", "maybeText = t", field(func(c everything) any { return c.MaybeStr }), ptr("t")},
		{"secret", "password = pw", field(func(c everything) any { return c.Password }), "pw"},
		{"map", "extra.a.b = 1", field(func(c everything) any { return c.Extra }), map[string]string{"a.b": "1"}},
		{"a property below a map is not in it", "extra.named = 2", field(func(c everything) any { return []any{c.Named, len(c.Extra)} }), []any{"2", 0}},
		{"settings", "raw.a.b = 1", field(func(c everything) any { return c.Raw["a.b"].Text }), "1"},
		{"reference by class", "codec = org.apache.flume.test.PlainSerializer$Builder", field(func(c everything) any { return c.Codec.Type() }), "test_plain"},
		{"reference in another case", "codec = TEST_PLAIN", field(func(c everything) any { return c.Codec.Type() }), "test_plain"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := decode(t, "must = yes", tt.line)
			if d.Failed() {
				t.Fatal(d.Problems)
			}
			if diff := cmp.Diff(tt.want, tt.get(d.Config.(everything))); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestDecodeProblems compares what is said, word for word: it is what users read.
func TestDecodeProblems(t *testing.T) {
	const must = "must = yes"
	tests := []struct {
		name  string
		lines []string
		want  string
	}{
		{"missing", nil, "x.conf:99:1: a1.sinks.k1.must: is required; set it: Text that has to be given."},
		{"not a number", []string{must, "count = ten"}, `x.conf:2:9: a1.sinks.k1.count: "ten" is not a whole number; give a whole number from 1 to 1000; without it, 100 is used`},
		{"a fraction", []string{must, "count = 1.5"}, `x.conf:2:9: a1.sinks.k1.count: "1.5" is not a whole number; give a whole number from 1 to 1000; without it, 100 is used`},
		{"too small", []string{must, "count = 0"}, `x.conf:2:9: a1.sinks.k1.count: 0 is less than 1; give a whole number from 1 to 1000; without it, 100 is used`},
		{"too large", []string{must, "count = 1001"}, `x.conf:2:9: a1.sinks.k1.count: 1001 is more than 1000; give a whole number from 1 to 1000; without it, 100 is used`},
		{"by an alias", []string{must, "countOld = 0"}, `x.conf:2:12: a1.sinks.k1.count: 0 is less than 1; give a whole number from 1 to 1000; without it, 100 is used`},
		{"more than a long", []string{must, "size = 9223372036854775808"}, `x.conf:2:8: a1.sinks.k1.size: "9223372036854775808" is too large; give a whole number (bytes); without it, 4096 is used`},
		{"duration", []string{must, "wait = 3s"}, `x.conf:2:8: a1.sinks.k1.wait: "3s" is not a whole number; give the number alone, without "s": it counts seconds`},
		{"duration that is text", []string{must, "wait = soon"}, `x.conf:2:8: a1.sinks.k1.wait: "soon" is not a whole number; give a whole number of seconds of at least 0; without it, 3 is used`},
		{"comment behind a number", []string{must, "count = 5 # five"}, `x.conf:2:9: a1.sinks.k1.count: "5 # five" is not a whole number; "# five" belongs to the value: a comment needs a line of its own`},
		{"comment behind nothing good", []string{must, "count = x # five"}, `x.conf:2:9: a1.sinks.k1.count: "x # five" is not a whole number; give a whole number from 1 to 1000; without it, 100 is used`},
		{"comment behind a fraction", []string{must, "ratio = 0.5\t! half"}, `x.conf:2:9: a1.sinks.k1.ratio: "0.5\t! half" is not a number; "! half" belongs to the value: a comment needs a line of its own`},
		{"comment behind a truth", []string{must, "flag = true # yes"}, `x.conf:2:8: warning: a1.sinks.k1.flag: "true # yes" is neither true nor false and counts as false; "# yes" belongs to the value: a comment needs a line of its own`},
		{"comment behind one of several", []string{must, "mode = safe // slow"}, `x.conf:2:8: a1.sinks.k1.mode: "safe // slow" is none of FAST, SAFE, OFF; "// slow" belongs to the value: a comment needs a line of its own`},
		{"comment behind a lenient number", []string{must, "loose = 5 # five"}, `x.conf:2:9: warning: a1.sinks.k1.loose: "5 # five" is not a whole number; 7 is used instead; "# five" belongs to the value: a comment needs a line of its own`},
		{"comment behind a lenient, optional number", []string{must, "guess = 5 # five"}, `x.conf:2:9: warning: a1.sinks.k1.guess: "5 # five" is not a whole number; it counts as not set; "# five" belongs to the value: a comment needs a line of its own`},
		{"comment behind free text", []string{must, "text = /var/log # where"}, `x.conf:2:8: advice: a1.sinks.k1.text: "# where" belongs to the value; put it on a line of its own if it is a comment`},
		{"number sign in free text", []string{must, "text = tail -F #1 !x"}, ""},
		{"comment in a secret", []string{must, "password = a # b", "text = a#b"}, ""},
		{"comment behind the names of groups", []string{must, "groups = g1 # one", "groups.g1.path = p"}, `x.conf:2:10: a1.sinks.k1.groups: "# one" belongs to the value; a comment needs a line of its own`},
		{"commas between the names of groups", []string{must, "groups = g1,g2", "groups.g1.path = p", "groups.g2.path = p"},
			`x.conf:2:10: a1.sinks.k1.groups: "g1,g2" is no name; write names without commas and quotes, and white space between them`},
		{"group with a sign in its name", []string{must, "groups = g;1", "groups.g;1.path = p"}, ""},
		{"quotes", []string{must, `count = "5"`}, `x.conf:2:9: a1.sinks.k1.count: "\"5\"" is not a whole number; leave out the quotes, which belong to the value`},
		{"line joined to the next", []string{must, "count = 5 a1.sinks.k1.text = x"}, `x.conf:2:9: a1.sinks.k1.count: "5 a1.sinks.k1.text = x" is not a whole number; "a1.sinks.k1.text = x", most likely the next line, belongs to the value: remove the backslash that joins them`},
		{"group names joined to the next line", []string{must, "groups = g1 a1.sinks.k1.text=x", "groups.g1.path = p"}, `x.conf:2:10: a1.sinks.k1.groups: "a1.sinks.k1.text=x" belongs to the value; if it is the next line, remove the backslash that joins them`},
		{"semicolon", []string{must, "count = 5;"}, `x.conf:2:9: a1.sinks.k1.count: "5;" is not a whole number; leave out ";", which belongs to the value`},
		{"digits in groups", []string{must, "count = 1,000"}, `x.conf:2:9: a1.sinks.k1.count: "1,000" is not a whole number; write 1000`},
		{"digits in groups that are too many", []string{must, "count = 10,000"}, `x.conf:2:9: a1.sinks.k1.count: "10,000" is not a whole number; give a whole number from 1 to 1000; without it, 100 is used`},
		{"decimal comma", []string{must, "ratio = 0,5"}, `x.conf:2:9: a1.sinks.k1.ratio: "0,5" is not a number; give a number from 0 to 1; without it, 0.5 is used`},
		{"number with a unit", []string{must, "size = 100 MB"}, `x.conf:2:8: a1.sinks.k1.size: "100 MB" is not a whole number; give the number alone, without "MB": it counts bytes`},
		{"lenient number with a unit", []string{must, "loose = 1k"}, `x.conf:2:9: warning: a1.sinks.k1.loose: "1k" is not a whole number; 7 is used instead; give the number alone, without "k"`},
		{"required, in another case", []string{"Must = yes"}, "x.conf:99:1: a1.sinks.k1.must: is required; rename Must (x.conf:1:1): upper and lower case differ in keys\n" +
			`x.conf:1:1: warning: a1.sinks.k1.Must: unknown property, it has no effect; did you mean "must"?`},
		{"settings without their type", []string{must, "raw = x"}, `x.conf:2:1: warning: a1.sinks.k1.raw: unknown property, it has no effect; did you mean "raw.type"?`},
		{"mistyped above settings", []string{must, "raws.a.b = x"}, `x.conf:2:1: warning: a1.sinks.k1.raws.a.b: unknown property, it has no effect; did you mean "raw.a.b"?`},
		{"fraction out of range", []string{must, "ratio = 1.5"}, `x.conf:2:9: a1.sinks.k1.ratio: 1.5 is more than 1; give a number from 0 to 1; without it, 0.5 is used`},
		{"not a fraction", []string{must, "ratio = half"}, `x.conf:2:9: a1.sinks.k1.ratio: "half" is not a number; give a number from 0 to 1; without it, 0.5 is used`},
		{"NaN is in no range", []string{must, "ratio = NaN"}, `x.conf:2:9: a1.sinks.k1.ratio: NaN is less than 0; give a number from 0 to 1; without it, 0.5 is used`},
		{"enum with a near value", []string{must, "mode = saef"}, `x.conf:2:8: a1.sinks.k1.mode: "saef" is none of FAST, SAFE, OFF; did you mean "SAFE"?; give one of FAST, SAFE, OFF; without it, FAST is used`},
		{"enum", []string{must, "mode = whatever"}, `x.conf:2:8: a1.sinks.k1.mode: "whatever" is none of FAST, SAFE, OFF; give one of FAST, SAFE, OFF; without it, FAST is used`},
		{"optional out of range", []string{must, "maybe = 0"}, `x.conf:2:9: a1.sinks.k1.maybe: 0 is less than 1; give a whole number of at least 1`},
		{"lenient", []string{must, "loose = many"}, `x.conf:2:9: warning: a1.sinks.k1.loose: "many" is not a whole number; 7 is used instead`},
		{"lenient and optional", []string{must, "guess = many"}, `x.conf:2:9: warning: a1.sinks.k1.guess: "many" is not a whole number; it counts as not set`},
		{"neither true nor false", []string{must, "flag = yes"}, `x.conf:2:8: warning: a1.sinks.k1.flag: "yes" is neither true nor false and counts as false; write true or false`},
		{"deprecated", []string{must, "old = x"}, `x.conf:2:1: advice: a1.sinks.k1.old: is deprecated; use text`},
		{"two names", []string{must, "count = 2", "countOld = 3"}, `x.conf:3:1: warning: a1.sinks.k1.countOld: is another name of count, which is also given; remove one of the two`},
		{"unknown, near", []string{must, "txet = x"}, `x.conf:2:1: warning: a1.sinks.k1.txet: unknown property, it has no effect; did you mean "text"?`},
		{"unknown, other case and signs", []string{must, "maybe-text = x"}, `x.conf:2:1: warning: a1.sinks.k1.maybe-text: unknown property, it has no effect; did you mean "maybeText"?`},
		{"unknown, far", []string{must, "something.else = x"}, `x.conf:2:1: warning: a1.sinks.k1.something.else: unknown property, it has no effect; remove it, or see the component's reference for its properties`},
		{"group without a required key", []string{must, "groups = g1"}, `x.conf:99:1: a1.sinks.k1.groups.g1.path: is required; set it: Where the group is.`},
		{"group listed twice", []string{must, "groups = g1 g1", "groups.g1.path = p"}, `x.conf:2:10: warning: a1.sinks.k1.groups: lists "g1" twice; remove one`},
		{"group not listed", []string{must, "groups = g1", "groups.g1.path = p", "groups.g2.path = p"}, `x.conf:4:1: warning: a1.sinks.k1.groups.g2.path: unknown property, it has no effect; did you mean "groups.g1.path"?`},
		{"rule of a group", []string{must, "groups = g1", "groups.g1.path = p", "groups.g1.max = 101"}, `x.conf:4:17: a1.sinks.k1.groups.g1.max: is too many; take 100`},
		{"reference to nothing", []string{must, "codec = test_plian"}, `x.conf:2:9: a1.sinks.k1.codec: unknown serializer type "test_plian"; did you mean "test_plain"?`},
		{"reference without a required key", []string{must, "codec = test_strict"}, `x.conf:99:1: a1.sinks.k1.codec.schema: is required; set it: The schema.`},
		{"unknown key of a reference", []string{must, "codec.newlin = true"}, `x.conf:2:1: warning: a1.sinks.k1.codec.newlin: unknown property, it has no effect; did you mean "codec.newline"?`},
		{"rule that warns", []string{must, "mode = off"}, `x.conf:2:8: warning: a1.sinks.k1.mode: switches everything off; choose another`},
		{"rule that fails", []string{must, "text = bad"}, `x.conf:2:8: a1.sinks.k1.text: is bad; write good`},
		{"rule about an alias", []string{must, "countOld = 13"}, `x.conf:2:12: advice: a1.sinks.k1.count: is unlucky; take 12`},
		{"all at once", []string{"count = 0", "ratio = 2"}, "x.conf:99:1: a1.sinks.k1.must: is required; set it: Text that has to be given.\n" +
			"x.conf:1:9: a1.sinks.k1.count: 0 is less than 1; give a whole number from 1 to 1000; without it, 100 is used\n" +
			"x.conf:2:9: a1.sinks.k1.ratio: 2 is more than 1; give a number from 0 to 1; without it, 0.5 is used"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := decode(t, tt.lines...)
			if diff := cmp.Diff(tt.want, d.Problems.Error()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if d.Failed() != d.Problems.HasErrors() {
				t.Errorf("Failed is %v", d.Failed())
			}
		})
	}
}

func TestDecodeGroups(t *testing.T) {
	d := decode(t, "must = yes", "groups = b a",
		"groups.a.path = /a", "groups.a.labels.x.y = 1", "groups.b.path = /b", "groups.b.max = 3")
	if len(d.Problems) > 0 {
		t.Fatal(d.Problems)
	}
	want := []group{
		{Name: "b", Path: "/b", Max: 3, Labels: map[string]string{}},
		{Name: "a", Path: "/a", Max: 10, Labels: map[string]string{"x.y": "1"}},
	}
	if diff := cmp.Diff(want, d.Config.(everything).Groups); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestDecodeReference(t *testing.T) {
	d := decode(t, "must = yes", "codec = test_strict", "codec.schema = s")
	if len(d.Problems) > 0 {
		t.Fatal(d.Problems)
	}
	c := d.Config.(everything)
	enc, err := c.Codec.New(component.Env{})
	if err != nil {
		t.Fatal(err)
	}
	if got := enc.(recordCodec).config; got != (strictCodec{"s"}) {
		t.Errorf("the encoding was made from %#v", got)
	}
	var none component.Serializer
	if _, err := none.New(component.Env{}); err == nil || none.Type() != "" {
		t.Errorf("a reference to nothing: type %q, error %v", none.Type(), err)
	}
}

func TestDecodeUnknownReferenceHidesItsSettings(t *testing.T) {
	d := decode(t, "must = yes", "codec = com.example.Codec", "codec.anything = 1")
	if len(d.Problems) != 1 || !strings.Contains(d.Problems[0].What, "com.example.Codec") {
		t.Errorf("problems: %v", d.Problems)
	}
}

// TestSecrets looks for a secret in everything that is shown.
func TestSecrets(t *testing.T) {
	const secret = `s3"cr\et`
	for _, key := range []string{"password", "pin"} {
		d := decode(t, "must = yes", key+" = "+secret)
		if strings.Contains(d.Problems.Error(), "s3") {
			t.Errorf("%s is told in %v", key, d.Problems)
		}
		for _, v := range d.Effective {
			if strings.Contains(v.Text, "s3") {
				t.Errorf("%s is shown as %q", v.Key, v.Text)
			}
		}
	}

	// A value that a config filter supplied is secret whatever the property is: also
	// what looks like a comment in it.
	for _, line := range []string{
		"text = " + secret, "count = " + secret, "flag = " + secret, "mode = " + secret, "loose = " + secret,
		"extra.x = " + secret, "groups = " + secret, "codec = " + secret,
		"text = a # " + secret, "count = 5 # " + secret, "flag = true # " + secret, "mode = safe # " + secret, "loose = 5 # " + secret,
		"codec = test_plain # " + secret,
	} {
		in := settings(t, "must = yes", line)
		key, _, _ := strings.Cut(line, " = ")
		v := in[key]
		v.Secret, v.Origin = true, "config filter f1"
		in[key] = v
		d := component.Decode(entry(t), in, scope)
		for _, e := range d.Effective {
			if e.Setting.Secret && strings.Contains(e.Text, "s3") {
				t.Errorf("%s is shown as %q", e.Key, e.Text)
			}
		}
		if strings.Contains(d.Problems.Error(), "s3") && key != "groups" {
			t.Errorf("%s is told in %v", key, d.Problems)
		}
	}
}

func TestEffective(t *testing.T) {
	d := decode(t, "must = yes", "countOld = 5", "extra.a = 1")
	type row struct {
		Text         string
		Given, Unset bool
	}
	want := map[string]row{
		"a1.sinks.k1.must":          {"yes", true, false},
		"a1.sinks.k1.count":         {"5", true, false},
		"a1.sinks.k1.text":          {"hello", false, false},
		"a1.sinks.k1.maybe":         {"", false, true},
		"a1.sinks.k1.extra.a":       {"1", true, false},
		"a1.sinks.k1.codec":         {"test_plain", false, false},
		"a1.sinks.k1.codec.newline": {"true", false, false},
	}
	got := map[string]row{}
	for _, e := range d.Effective {
		if _, ok := want[e.Key]; ok {
			got[e.Key] = row{e.Text, e.Given, e.Unset}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if at := d.At("count"); at.Line != 2 {
		t.Errorf("count stands at %v", at)
	}
	if at := d.At("text"); at != scope.At {
		t.Errorf("text stands at %v", at)
	}
}

func TestBatchSize(t *testing.T) {
	d := decode(t, "must = yes", "count = 42")
	if n, key, ok := d.BatchSize(false); n != 42 || key != "count" || !ok {
		t.Errorf("batch size %d, %q, %v", n, key, ok)
	}
	if n, _, ok := d.BatchSize(true); n != 0 || ok {
		t.Errorf("transaction size %d, %v", n, ok)
	}
}

func TestCommon(t *testing.T) {
	type common struct {
		Type    string   `flume:"type,required" doc:"The type."`
		Channel []string `flume:"channels" doc:"The channels."`
	}
	var c common
	d := component.Decode(entry(t), settings(t, "must = yes", "type = x", "channels = c1 c2"), scope, &c)
	if len(d.Problems) > 0 {
		t.Error(d.Problems)
	}
	if diff := cmp.Diff(common{"x", []string{"c1", "c2"}}, c); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}

	var alone common
	_, ps := component.DecodeCommon(settings(t, "channels = c1", "whatever = 1"), scope, &alone)
	if len(ps) != 1 || ps[0].Key != "a1.sinks.k1.type" || ps[0].What != "is required" {
		t.Errorf("problems: %v", ps)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("count", "12")
	f.Add("groups.g1.path", "x")
	f.Add("ratio", "NaN")
	f.Add("codec", "org.apache.flume.test.PlainSerializer$Builder")
	e, _ := component.Lookup(component.KindSink, "test_everything")
	f.Fuzz(func(t *testing.T, key, value string) {
		at := property.Position{File: "x.conf", Line: 1, Col: 1}
		d := component.Decode(e, property.Settings{
			"must": {Text: "yes", Key: at, At: at}, "groups": {Text: "g1", Key: at, At: at}, key: {Text: value, Raw: value, Key: at, At: at},
		}, scope)
		c := d.Config.(everything)
		if d.Failed() {
			return
		}
		if c.Count < 1 || c.Count > 1000 || !(c.Ratio >= 0 && c.Ratio <= 1) || c.Wait < 0 || c.Loose < 0 {
			t.Errorf("%q = %q is accepted as %+v", key, value, c)
		}
	})
}
