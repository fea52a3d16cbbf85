package component_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/property"
)

// Shared is what two types have in common.
type Shared struct {
	Dir   string `flume:"dir" default:"/tmp" doc:"Where it is."`
	Limit int    `flume:"limit,transaction" default:"10" doc:"The most of it."`
}

// Check implements component.Checker for all that embed Shared.
func (s Shared) Check(r *component.Report) {
	if s.Limit == 13 {
		r.Warn("limit", "is unlucky", "take another")
	}
}

type sharing struct {
	First string `flume:"first" default:"a" doc:"Comes before."`
	Shared
	Last string `flume:"last" default:"z" doc:"Comes after."`
}

func init() {
	component.RegisterInterceptor(component.Info{Type: "test_sharing", Summary: "Embeds properties."},
		func(sharing, component.Env) (flow.Interceptor, error) { return nil, nil })
}

func TestEmbeddedPropertiesStandAmongTheOthers(t *testing.T) {
	e, _ := component.Lookup(component.KindInterceptor, "test_sharing")
	var keys []string
	for _, f := range e.Schema.Flat() {
		keys = append(keys, f.Key)
	}
	if diff := cmp.Diff([]string{"first", "dir", "limit", "last"}, keys); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	d := component.Decode(e, property.Settings{
		"dir": {Text: "/data"}, "limit": {Text: "13"}, "last": {Text: "end"},
	}, component.Scope{Prefix: "a1.sources.r1.interceptors.i1."})
	want := sharing{First: "a", Shared: Shared{Dir: "/data", Limit: 13}, Last: "end"}
	if diff := cmp.Diff(want, d.Config); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	if n, key, ok := d.BatchSize(true); n != 13 || key != "limit" || !ok {
		t.Errorf("transaction capacity: %d, %q, %v", n, key, ok)
	}
	if len(d.Problems) != 1 || d.Problems[0].Key != "a1.sources.r1.interceptors.i1.limit" {
		t.Errorf("problems:\n%v", d.Problems)
	}
}
