package component_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/property"
)

// TestSchemaRefuses has the mistakes of those who write components.
func TestSchemaRefuses(t *testing.T) {
	type inner struct {
		Bad chan int `flume:"bad" doc:"Bad."`
	}
	tests := []struct {
		name   string
		config any
		want   string
	}{
		{"no struct", 7, "configuration type int is not a struct"},
		{"nothing", nil, "is not a struct"},
		{"pointer", &nothing{}, "is not a struct"},
		{"no tag", struct{ A string }{}, "has no flume tag or is not exported"},
		{"not exported", struct {
			a string `flume:"a" doc:"A."`
		}{}, "has no flume tag or is not exported"},
		{"no name", struct {
			A string `flume:"" doc:"A."`
		}{}, "the flume tag names no property"},
		{"no documentation", struct {
			A string `flume:"a"`
		}{}, "has no doc tag"},
		{"unknown option", struct {
			A string `flume:"a,needed" doc:"A."`
		}{}, `unknown option "needed"`},
		{"type", struct {
			A chan int `flume:"a" doc:"A."`
		}{}, "type chan int cannot be configured"},
		{"duration without unit", struct {
			A time.Duration `flume:"a" doc:"A."`
		}{}, `a duration needs unit ms or s, not ""`},
		{"duration in hours", struct {
			A time.Duration `flume:"a" unit:"h" doc:"A."`
		}{}, `a duration needs unit ms or s, not "h"`},
		{"default of another type", struct {
			A int `flume:"a" default:"x" doc:"A."`
		}{}, `default: "x" is not a whole number`},
		{"default out of range", struct {
			A int `flume:"a" default:"0" min:"1" doc:"A."`
		}{}, "default: 0 is less than 1"},
		{"default out of range, fraction", struct {
			A float64 `flume:"a" default:"2.5" max:"1" doc:"A."`
		}{}, "default: 2.5 is more than 1"},
		{"default not in enum", struct {
			A string `flume:"a" default:"z" enum:"x,y" doc:"A."`
		}{}, `default: "z" is none of x, y`},
		{"default of an optional field", struct {
			A *int `flume:"a" default:"1" doc:"A."`
		}{}, "an optional (pointer) field has no default"},
		{"limit that is no number", struct {
			A int `flume:"a" min:"low" doc:"A."`
		}{}, "min: "},
		{"limit of text", struct {
			A string `flume:"a" max:"3" doc:"A."`
		}{}, "min and max go with numbers"},
		{"enum of numbers", struct {
			A int `flume:"a" enum:"1,2" doc:"A."`
		}{}, "enum goes with text"},
		{"map without star", struct {
			A map[string]string `flume:"a" doc:"A."`
		}{}, `".*" goes with maps`},
		{"star without map", struct {
			A string `flume:"a.*" doc:"A."`
		}{}, `".*" goes with maps`},
		{"settings without star", struct {
			A property.Settings `flume:"a" doc:"A."`
		}{}, `".*" goes with maps`},
		{"optional list", struct {
			A *[]string `flume:"a" doc:"A."`
		}{}, "only single values can be optional"},
		{"optional component", struct {
			A *component.Serializer `flume:"a" doc:"A."`
		}{}, "only single values can be optional"},
		{"batch that is text", struct {
			A string `flume:"a,batch" doc:"A."`
		}{}, "batch and transaction go with plain whole numbers"},
		{"optional transaction", struct {
			A *int `flume:"a,transaction" doc:"A."`
		}{}, "batch and transaction go with plain whole numbers"},
		{"name that is a number", struct {
			A int `flume:",name"`
		}{}, "the name of an element is a string"},
		{"mistake in a group", struct {
			A []inner `flume:"a" doc:"A."`
		}{}, "field inner.Bad: type chan int cannot be configured"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := component.SchemaOf(tt.config)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
		})
	}
}

func TestSchemaSkips(t *testing.T) {
	s, err := component.SchemaOf(struct {
		A string   `flume:"a" doc:"A."`
		B chan int `flume:"-"`
	}{})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Fields) != 1 || s.Fields[0].Key != "a" {
		t.Errorf("fields %+v", s.Fields)
	}
}

func TestFlat(t *testing.T) {
	var keys []string
	for _, f := range entry(t).Schema.Flat() {
		keys = append(keys, f.Key)
	}
	want := []string{"text", "must", "mode", "flag", "count", "size", "loose", "ratio", "wait", "pause", "words", "parts", "maybe", "maybeText",
		"guess", "old", "password", "pin", "extra.*", "extra.named", "raw.*", "groups", "groups.<name>.path", "groups.<name>.max", "groups.<name>.labels.*", "codec"}
	if diff := cmp.Diff(want, keys); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestRange(t *testing.T) {
	want := map[string]string{
		"must": "required", "text": "default hello", "mode": "default FAST; one of FAST, SAFE, OFF", "size": "default 4096 bytes",
		"wait": "default 3 s", "maybe": "", "parts": "",
	}
	for _, f := range entry(t).Schema.Flat() {
		if w, ok := want[f.Key]; ok && f.Range() != w {
			t.Errorf("%s: %q, want %q", f.Key, f.Range(), w)
		}
	}
}

func TestJSONSchema(t *testing.T) {
	text, err := json.Marshal(component.JSONSchema(entry(t)))
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		Title      string
		Required   []string
		Properties map[string]map[string]any
		Patterns   map[string]map[string]any `json:"patternProperties"`
	}
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	if s.Title != "sink test_everything" || cmp.Diff([]string{"type", "must"}, s.Required) != "" {
		t.Errorf("title %q, required %q", s.Title, s.Required)
	}
	want := map[string]map[string]any{
		"count":    {"description": "A number.", "type": "integer", "minimum": 1.0, "maximum": 1000.0, "default": 100.0},
		"flag":     {"description": "A switch.", "type": "boolean", "default": true},
		"ratio":    {"description": "A number with a fraction.", "type": "number", "minimum": 0.0, "maximum": 1.0, "default": 0.5},
		"mode":     {"description": "How it works.", "type": "string", "enum": []any{"FAST", "SAFE", "OFF"}, "default": "FAST"},
		"wait":     {"description": "A time in seconds.", "type": "integer", "x-unit": "s", "minimum": 0.0, "default": 3.0},
		"old":      {"description": "Some text, once.", "type": "string", "deprecated": true},
		"password": {"description": "A password.", "type": "string", "writeOnly": true},
	}
	for key, w := range want {
		if diff := cmp.Diff(w, s.Properties[key]); diff != "" {
			t.Errorf("%s: -want +got:\n%s", key, diff)
		}
	}
	// Each pattern takes the keys of its own field and no others.
	for _, key := range []string{"extra.a.b", "groups.g1.path", "groups.g1.labels.x"} {
		matched := 0
		for p := range s.Patterns {
			if regexp.MustCompile(p).MatchString(key) {
				matched++
			}
		}
		if matched != 1 {
			t.Errorf("%s is matched by %d patterns of %v", key, matched, s.Patterns)
		}
	}
}
