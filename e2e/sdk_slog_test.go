//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/avro/ocf"

	"github.com/flume-go/flume/e2e/harness"
	"github.com/flume-go/flume/sdk/sloghandler"
)

// TestSDKSlogAvro logs typed records by way of an agent into a file of Avro's, with the schema in each event and with one
// that is found by its URL.
func TestSDKSlogAvro(t *testing.T) {
	t.Parallel()
	const schema = `{"type":"record","name":"Log","fields":[{"name":"level","type":"string"},{"name":"msg","type":"string"},
		{"name":"order","type":["null",{"type":"record","name":"Order","fields":[{"name":"id","type":"long"}]}],"default":null}]}`
	site := harness.NewSite(t)
	harness.WriteFile(t, site.Path("log.avsc"), schema)
	var c topology
	for _, name := range []string{"literal", "url"} {
		c.source(name, name, "type = avro", "bind = 127.0.0.1", "port = <port "+name+">")
		c.store(name, "sink.serializer = avro_body")
	}
	agent := harness.StartFlume(t, harness.Launch{Name: "a1", Conf: site.Expand(c.String())})
	for name, url := range map[string]string{"literal": "", "url": "file://" + site.Path("log.avsc")} {
		harness.Dial(t, site.Addr(name)).Close()
		client := openSDK(t, "hosts=h1", "hosts.h1="+site.Addr(name))
		a, err := sloghandler.NewAvro(schema, url)
		if err != nil {
			t.Fatal(err)
		}
		log := slog.New(sloghandler.New(client, sloghandler.Options{Avro: a, OnError: func(err error) { t.Error(err) }}))
		log.Info("zwei €", "more", true)
		log.WithGroup("order").Warn("late", "id", 17)
	}
	for _, name := range []string{"literal", "url"} {
		harness.Eventually(t, deliveryLimit, "the records of "+name, func() bool {
			return len(records(t, site.Dir(name))) == 2
		})
	}
	agent.Stop(t)
	for _, name := range []string{"literal", "url"} {
		want := []string{"map[level:INFO msg:zwei € order:<nil>]", "map[level:WARN msg:late order:map[id:17]]"}
		if diff := cmp.Diff(want, records(t, site.Dir(name))); diff != "" {
			t.Errorf("%s (-logged +stored):\n%s", name, diff)
		}
	}
}

// records returns what is in the Avro files of a folder, as text. A file that is being written may end anywhere.
func records(t *testing.T, dir string) (all []string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		r, err := ocf.NewReader(strings.NewReader(string(text)))
		if err != nil {
			continue // it has no header yet
		}
		for {
			var record map[string]any
			if err := r.Decode(&record); err != nil {
				if err != io.EOF {
					t.Logf("%s ends: %v", name, err)
				}
				break
			}
			all = append(all, fmt.Sprint(record))
		}
	}
	return all
}
