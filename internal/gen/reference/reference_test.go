package reference

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/flow"
)

type fullConfig struct {
	Must     string               `flume:"must,required" doc:"Has to be given: x.<name>, y.*."`
	Mode     string               `flume:"mode" default:"a|b" enum:"a|b,c" doc:"How it works: a|b or c."`
	Port     int                  `flume:"port" default:"0" min:"0" max:"65535" doc:"The port."`
	Size     int64                `flume:"size" default:"512" unit:"bytes" min:"1" doc:"The size."`
	Wait     time.Duration        `flume:"wait" unit:"ms" max:"10" doc:"The time."`
	Loose    int                  `flume:"loose" default:"7" lenient:"true" alias:"looser" doc:"A number."`
	Old      string               `flume:"old" deprecated:"use mode" doc:"A word."`
	Password string               `flume:"password" secret:"true" doc:"A password."`
	Codec    component.Serializer `flume:"codec" doc:"How it is written."`
	Groups   []group              `flume:"groups" doc:"Names of groups."`
}

type group struct {
	Name   string            `flume:",name"`
	Labels map[string]string `flume:"labels.*" doc:"Labels."`
}

type empty struct{}

func init() {
	component.RegisterSink(component.Info{Type: "ref_full", Aliases: []string{"org.apache.flume.test.FullSink", "fuller"}, Summary: "Has a | everything."},
		func(fullConfig, component.Env) (flow.Sink, error) { return nil, errors.New("not for use") })
	component.RegisterSink(component.Info{Type: "ref_empty", Summary: "Has nothing."},
		func(empty, component.Env) (flow.Sink, error) { return nil, errors.New("not for use") })
	component.RegisterSerializer(component.Info{Type: "ref_codec", Summary: "Writes."},
		func(empty, component.Env) (flow.Encoding, error) { return nil, errors.New("not for use") })
}

func entry(t *testing.T, k component.Kind, name string) *component.Entry {
	t.Helper()
	e, ok := component.Lookup(k, name)
	if !ok {
		t.Fatalf("%s %s is not registered", k, name)
	}
	return e
}

const fullTable = "Keys stand below `<agent>.sinks.<sink>.`; see also [what all sinks have](../../docs/reference/common.md#sinks).\n" + `
| Property | Default | Meaning |
|---|---|---|
| ¸must¸ | *required* | Has to be given: x.\<name>, y.\*. |
| ¸mode¸ | ¸a\|b¸ | How it works: a\|b or c. One of ¸a\|b¸, ¸c¸. |
| ¸port¸ | ¸0¸ | The port. From 0 to 65535. |
| ¸size¸ | ¸512¸ bytes | The size. At least 1. |
| ¸wait¸ | – | The time. In milliseconds. At most 10. |
| ¸loose¸ | ¸7¸ | A number. A value that cannot be read counts as the default. Also written ¸looser¸. |
| ¸old¸ | – | A word. Deprecated: use mode. |
| ¸password¸ | – | A password. Never shown or logged. |
| ¸codec¸ | – | How it is written. Any [serializer](../../docs/reference/README.md#serializers). |
| ¸groups¸ | – | Names of groups. |
| ¸groups.<name>.labels.*¸ | – | Labels. |
`

func TestTables(t *testing.T) {
	full, none := entry(t, component.KindSink, "ref_full"), entry(t, component.KindSink, "ref_empty")
	want := strings.ReplaceAll(fullTable, "¸", "`")
	if diff := cmp.Diff(want, Tables([]*component.Entry{full})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	place, _, _ := strings.Cut(want, "\n")
	both := "**`ref_full`**\n\n" + want + "\n**`ref_empty`**\n\n" + place + "\n\nThere are no properties of its own.\n"
	if diff := cmp.Diff(both, Tables([]*component.Entry{full, none})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestFill(t *testing.T) {
	entries := []*component.Entry{entry(t, component.KindSink, "ref_empty")}
	readme := "# x\n\n" + Begin + "\nstale\ntable\n" + End + "\n\nmore\n"
	once, err := Fill(readme, entries)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(once, "# x\n\n"+Begin+"\nKeys stand") || !strings.HasSuffix(once, "of its own.\n"+End+"\n\nmore\n") || strings.Contains(once, "stale") {
		t.Errorf("filled:\n%s", once)
	}
	twice, err := Fill(once, entries)
	if err != nil || twice != once {
		t.Errorf("filling again, %v, changes:\n%s", err, cmp.Diff(once, twice))
	}
	for name, text := range map[string]string{
		"no marks": "# x\n", "no end": Begin + "\n", "no begin": End + "\n", "wrong order": End + "\n" + Begin + "\n",
		"two begins": Begin + "\n" + Begin + "\n" + End + "\n", "two ends": Begin + "\n" + End + "\n" + End + "\n",
	} {
		if _, err := Fill(text, entries); !errors.Is(err, ErrNoMarks) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestPage(t *testing.T) {
	e := entry(t, component.KindSink, "ref_full")
	page := Page(Component{
		Entry: e, Folder: "sinks/full",
		Readme: "# full\n\nSee [the example](example.conf), [another](../other/README.md#part), [here](#below), [there](https://example.com/x) and\n" +
			"[all](../../docs/reference/common.md#sinks).\n\n```\n[code](stays.md)\n```\n",
		Example: "a1.sinks = k1\n",
	})
	want := Mark + "# Sink: ref_full\n\nHas a | everything.\n\n" +
		"| | |\n|---|---|\n| Type | `ref_full` |\n| Also | `org.apache.flume.test.FullSink`, `fuller` |\n| Source | [sinks/full](../../sinks/full) |\n\n" +
		"See [the example](../../sinks/full/example.conf), [another](../../sinks/other/README.md#part), [here](#below), [there](https://example.com/x) and\n" +
		"[all](common.md#sinks).\n\n```\n[code](stays.md)\n```\n\n" +
		"## Complete configuration\n\n```properties\na1.sinks = k1\n```\n"
	if diff := cmp.Diff(want, page); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestLinks(t *testing.T) {
	got := Links("[a](b.md) [c](d.md#e) [f](#g) [h](https://i/j)\n```\n[k](l.md)\n```\n[m](../n/)\n")
	if diff := cmp.Diff([]string{"b.md", "d.md", "../n/"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestPages(t *testing.T) {
	all := []Component{
		{Entry: entry(t, component.KindSink, "ref_empty"), Folder: "sinks/empty", Readme: "# e\n"},
		{Entry: entry(t, component.KindSink, "ref_full"), Folder: "sinks/full", Readme: "# f\n"},
		{Entry: entry(t, component.KindSerializer, "ref_codec"), Folder: "codecs/codec", Readme: "# c\n"},
	}
	pages, err := Pages(all)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Pages(all)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(pages, again); diff != "" {
		t.Errorf("the second run differs:\n%s", diff)
	}
	for _, name := range []string{"README.md", "common.md", "schema.json", "sink-ref_empty.md", "sink-ref_full.md", "serializer-ref_codec.md"} {
		if len(pages[name]) == 0 {
			t.Errorf("%s is missing", name)
		}
		for _, l := range Links(string(pages[name])) {
			if _, ok := pages[l]; !ok && !strings.HasPrefix(l, "../../") {
				t.Errorf("%s links to %s", name, l)
			}
		}
	}
	index := string(pages["README.md"])
	for _, row := range []string{
		"| [ref_full](sink-ref_full.md) | `org.apache.flume.test.FullSink` | Has a \\| everything. |\n",
		"| [ref_empty](sink-ref_empty.md) | – | Has nothing. |\n",
		"## Serializers\n",
	} {
		if !strings.Contains(index, row) {
			t.Errorf("the index lacks %q:\n%s", row, index)
		}
	}
	if strings.Contains(index, "## Channels") {
		t.Error("the index has a heading without types")
	}
	if !strings.Contains(string(pages["common.md"]), "| `deadLetter` | – | A channel") {
		t.Errorf("common.md:\n%s", pages["common.md"])
	}
}

func TestSchema(t *testing.T) {
	all := []Component{
		{Entry: entry(t, component.KindSink, "ref_full")},
		{Entry: entry(t, component.KindSerializer, "ref_codec")},
	}
	text, err := Schema(all)
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		Defs map[string]struct {
			AllOf      []map[string]string
			Properties map[string]any
			Required   []string
		} `json:"$defs"`
	}
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	full := s.Defs["sink-ref_full"]
	if diff := cmp.Diff([]map[string]string{{"$ref": "#/$defs/sinks"}}, full.AllOf); diff != "" {
		t.Errorf("allOf: %s", diff)
	}
	if diff := cmp.Diff([]string{"type", "must"}, full.Required); diff != "" {
		t.Errorf("required: %s", diff)
	}
	if diff := cmp.Diff([]string{"channel", "type"}, s.Defs["sinks"].Required); diff != "" {
		t.Errorf("required of all sinks: %s", diff)
	}
	// A serializer's type is the value of the key above it.
	if codec := s.Defs["serializer-ref_codec"]; len(codec.Required) > 0 || codec.Properties["type"] != nil || len(codec.AllOf) > 0 {
		t.Errorf("serializer: %+v", codec)
	}
}

func TestEveryKindIsDescribed(t *testing.T) {
	for _, k := range component.Kinds {
		if c := commonOf(k); c.heading == "" || c.prefix == "" {
			t.Errorf("%s: %+v", k, c)
		}
	}
}

func TestFolder(t *testing.T) {
	if got, err := Folder(entry(t, component.KindSink, "ref_full")); err != nil || got != "internal/gen/reference" {
		t.Errorf("folder %q, %v", got, err)
	}
}
