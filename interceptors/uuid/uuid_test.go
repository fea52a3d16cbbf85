package uuid

import (
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/interceptors/internal/interceptortest"
)

var pattern = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)

func TestIntercept(t *testing.T) {
	for name, c := range map[string]struct {
		settings interceptortest.Settings
		in, want []string
	}{
		"defaults preserve": {
			nil,
			[]string{"a", "b|id=old", "c|x=y"},
			[]string{"a|id=UUID", "b|id=old", "c|x=y|id=UUID"},
		},
		"overwrite, other name, prefix": {
			interceptortest.Settings{"headerName": "key", "preserveExisting": "false", "prefix": "web-"},
			[]string{"a", "b|key=old"},
			[]string{"a|key=web-UUID", "b|key=web-UUID"},
		},
		"long prefix": {
			interceptortest.Settings{"prefix": strings.Repeat("p", 300)},
			[]string{"a", "b"},
			[]string{"a|id=" + strings.Repeat("p", 300) + "UUID", "b|id=" + strings.Repeat("p", 300) + "UUID"},
		},
		"all have one": {nil, []string{"a|id=1", "b|id="}, []string{"a|id=1", "b|id="}},
		"empty batch":  {nil, nil, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			b := interceptortest.Batch(c.in...)
			defer b.Release()
			got := interceptortest.New(t, "uuid", c.settings).Run(t, b)
			for i := range got {
				got[i] = pattern.ReplaceAllString(got[i], "UUID")
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// All are different, within a batch (of more than one read of randomness) and
// across batches, and every free bit is set in half of them.
func TestRandomness(t *testing.T) {
	i := interceptortest.New(t, "org.apache.flume.sink.solr.morphline.UUIDInterceptor$Builder", nil)
	const batches, size = 20, 500
	seen := map[string]bool{}
	var ones [32][4]int
	for range batches {
		b := interceptortest.Batch(make([]string, size)...)
		i.Run(t, b)
		for n := range b.Len() {
			v, _ := b.At(n).Header("id")
			if m := pattern.FindString(v); m != v {
				t.Fatalf("%q is not a UUID", v)
			}
			seen[strings.Clone(v)] = true
			for d, c := range strings.ReplaceAll(v, "-", "") {
				digit := strings.IndexRune("0123456789abcdef", c)
				for bit := range 4 {
					ones[d][bit] += digit >> bit & 1
				}
			}
		}
		b.Release()
	}
	if len(seen) != batches*size {
		t.Errorf("%d different UUIDs in %d events", len(seen), batches*size)
	}
	const n = batches * size
	for d := range ones {
		for bit, count := range ones[d] {
			if d == 12 || d == 16 && bit > 1 {
				continue // version and variant
			}
			// Seven standard deviations: wrong once in 10^11 runs.
			if math.Abs(float64(count)-n/2) > 7*math.Sqrt(n)/2 {
				t.Errorf("bit %d of digit %d is set in %d of %d", bit, d, count, n)
			}
		}
	}
}

func TestText(t *testing.T) {
	id := []byte{0, 1, 2, 3, 4, 5, 0xff, 7, 0xff, 9, 10, 11, 12, 13, 14, 15}
	if got := string(appendUUID([]byte("p:"), id)); got != "p:00010203-0405-4f07-bf09-0a0b0c0d0e0f" {
		t.Error(got)
	}
}

func BenchmarkIntercept(bench *testing.B) {
	i := interceptor{Config{HeaderName: "id"}}
	bench.ReportAllocs()
	for bench.Loop() {
		b := event.NewBatch()
		for range 100 {
			b.Append(nil)
		}
		if err := i.Intercept(b); err != nil {
			bench.Fatal(err)
		}
		b.Release()
	}
	bench.ReportMetric(float64(bench.Elapsed().Nanoseconds())/float64(bench.N)/100, "ns/event")
}
