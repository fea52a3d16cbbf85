//go:build linux

package scenario

import (
	"crypto/tls"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flume-go/flume/bench/proc"
)

// TestHopsWithBareProgram has the two bare programs do their work once.
func TestHopsWithBareProgram(t *testing.T) {
	s := settings(t)
	s.Runs, s.Block = 1, 0
	for _, sc := range []Scenario{Hop(s, "avro", 100), DurableHop(s, 1000)} {
		t.Run(sc.Name, func(t *testing.T) {
			result := Execute(t.Context(), sc, s)
			bare := figures(t, result, Bare)
			for _, metric := range []Metric{events, rate, peak, duration} {
				if bare[metric.Name].Median <= 0 {
					t.Errorf("%s: %+v, want more than nothing", metric.Name, bare[metric.Name])
				}
			}
			if len(result.Remarks) != 1 || !strings.Contains(result.Remarks[0], "taken") {
				t.Errorf("remarks %q, want the sizes of the buffer that were tried", result.Remarks)
			}
		})
	}
}

// TestBareHopBesideJava has the bare program of the comparison with Apache Flume pour once.
func TestBareHopBesideJava(t *testing.T) {
	s := settings(t)
	s.Runs, s.Block = 1, 64<<10
	sc := HopAgainstJava(s, JavaFlume{}, "avro", 100, 10)
	sc.Programs = sc.Programs[len(sc.Programs)-1:]
	bare := figures(t, Execute(t.Context(), sc, s), Bare)
	for _, metric := range []Metric{events, perCPU, cpu, peak} {
		if bare[metric.Name].Median <= 0 {
			t.Errorf("%s: %+v, want more than nothing", metric.Name, bare[metric.Name])
		}
	}
}

// TestPairThatBreaks has a process in front, or behind, that ends at once.
func TestPairThatBreaks(t *testing.T) {
	s := settings(t)
	good := bareHop(func() int { return 64 << 10 }, "", 0)
	bad := script("echo no such port >&2; exit 4").Spec
	for name, program := range map[string]Program{
		"front": {Name: "hop", Blind: true, Spec: good.Spec, Front: bad},
		"back":  {Name: "hop", Blind: true, Spec: bad, Front: good.Front},
	} {
		sc := Hop(s, "avro", 100)
		sc.Programs, sc.Prepare = []Program{program}, nil
		if result := Execute(t.Context(), sc, s); !strings.Contains(result.Error, "no such port") {
			t.Errorf("%s: error %q, want that of the process", name, result.Error)
		}
	}
}

// TestHopThatLosesLines has a front that passes nothing on.
func TestHopThatLosesLines(t *testing.T) {
	s := settings(t)
	good := bareHop(func() int { return 64 << 10 }, "", 0)
	swallow := bare(64 << 10)
	sc := Hop(s, "avro", 100)
	sc.Programs, sc.Prepare, sc.Limit = []Program{{Name: "hop", Blind: true, Spec: good.Spec, Front: func(r *Run) (spec proc.Spec, err error) {
		spec, err = swallow.Spec(r)
		for i, arg := range spec.Args {
			if arg == "-out" {
				spec.Args[i+1] = filepath.Join(r.Dir, "swallowed")
			}
		}
		return spec, err
	}}}, nil, 2*time.Second
	if result := Execute(t.Context(), sc, s); !strings.Contains(result.Error, "waiting for the output of hop, which has 0 of") {
		t.Errorf("error %q, want that nothing arrived", result.Error)
	}
}

func TestHopConfigs(t *testing.T) {
	front, back := &Run{Dir: "/d/front", Shared: "/s", Port: 4141, Next: 4142}, &Run{Dir: "/d", Shared: "/s", Port: 4141, Next: 4142}
	h := hop{kind: "avro", batch: 100, channel: fileChannelOf}.secured().deflated()
	for _, c := range []struct {
		name string
		text string
		want []string
	}{
		{"front", h.departure(tagged(netcat))(front), []string{
			"r1.port = 4141\n", "r1.interceptors = i1 i2 i3\n", "i3.value = shop\n", "c1.dataDirs = /d/front/data\n", "k1.type = avro\n",
			"k1.port = 4142\n", "k1.batch-size = 100\n", "k1.ssl = true\n", "k1.truststore = /s/keystore.pem\n", "k1.compression-type = deflate\n",
		}},
		{"back", toFile(h.arrival, h.channel)(back), []string{
			"r1.type = avro\n", "r1.port = 4142\n", "c1.dataDirs = /d/data\n", "r1.keystore = /s/keystore.pem\n", "r1.compression-type = deflate\n",
		}},
		{"stress", hop{kind: "thrift", batch: 7, channel: memoryChannel}.departure(tagged(stressOf(7)))(front), []string{
			"r1.batchSize = 7\n", "k1.type = thrift\n", "r1.interceptors.i1.type = static\n",
		}},
	} {
		for _, want := range c.want {
			if !strings.Contains(c.text, want) {
				t.Errorf("%s: configuration lacks %q:\n%s", c.name, want, c.text)
			}
		}
	}
}

func TestKeyStore(t *testing.T) {
	r := &Run{Shared: t.TempDir()}
	if err := writeKeyStore(r.keyStore()); err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(r.keyStore(), r.keyStore())
	if err != nil {
		t.Fatal(err)
	}
	if err := pair.Leaf.VerifyHostname("127.0.0.1"); err != nil {
		t.Error(err)
	}
	if err := pair.Leaf.CheckSignatureFrom(pair.Leaf); err != nil {
		t.Error(err)
	}
}

func TestPerCore(t *testing.T) {
	got := Sample{{events, 10}, {cpu, 0.5}}.perCore()
	if len(got) != 3 || got[2] != (Value{perCPU, 2e6}) {
		t.Errorf("%v, want 2,000,000 events per second of processor time", got)
	}
	if got := (Sample{{cpu, 0}}).perCore(); len(got) != 1 {
		t.Errorf("%v of no time, want no rate", got)
	}
}
