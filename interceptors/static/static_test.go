package static

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/interceptors/internal/interceptortest"
)

func TestIntercept(t *testing.T) {
	for name, c := range map[string]struct {
		settings interceptortest.Settings
		in, want []string
	}{
		"defaults preserve": {
			nil,
			[]string{"a", "b|key=old"},
			[]string{"a|key=value", "b|key=old"},
		},
		"overwrite": {
			interceptortest.Settings{"key": "dc", "value": "NY 1", "preserveExisting": "false"},
			[]string{"a", "b|dc=SF", "c|x=y"},
			[]string{"a|dc=NY 1", "b|dc=NY 1", "c|x=y|dc=NY 1"},
		},
		"an empty value is a value": {
			interceptortest.Settings{"key": "dc"},
			[]string{"a|dc="},
			[]string{"a|dc="},
		},
		"case counts": {
			interceptortest.Settings{"key": "dc", "value": "x"},
			[]string{"a|DC=y"},
			[]string{"a|DC=y|dc=x"},
		},
		"empty batch": {nil, nil, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			b := interceptortest.Batch(c.in...)
			defer b.Release()
			if d := cmp.Diff(c.want, interceptortest.New(t, "static", c.settings).Run(t, b)); d != "" {
				t.Error(d)
			}
		})
	}
}

// One interceptor serves many batches: what it sets must not be memory of one.
func TestValueOutlivesABatch(t *testing.T) {
	i := interceptortest.New(t, "org.apache.flume.interceptor.StaticInterceptor$Builder", interceptortest.Settings{"value": "v"})
	for range 3 {
		b := interceptortest.Batch("a")
		if got := i.Run(t, b); got[0] != "a|key=v" {
			t.Errorf("got %s", got[0])
		}
		b.Release()
	}
}

func TestCheck(t *testing.T) {
	interceptortest.ExpectProblems(t, "static", nil, "advice: key: is not set")
	interceptortest.ExpectProblems(t, "static", interceptortest.Settings{"key": "dc"})
}
