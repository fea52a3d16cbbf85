package syslogtcp

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/metrics"
	"github.com/flume-go/flume/property"
)

// decode reads lines "key = value" besides a port.
func decode(t *testing.T, settings ...string) *component.Decoded {
	t.Helper()
	set := property.Settings{"port": {Text: "0"}, "host": {Text: "127.0.0.1"}}
	for _, line := range settings {
		key, value, _ := strings.Cut(line, " = ")
		set[key] = property.Value{Text: value}
	}
	entry, ok := component.Lookup(component.KindSource, "org.apache.flume.source.SyslogTcpSource")
	if !ok {
		t.Fatal("the class name of Flume is not known")
	}
	return component.Decode(entry, set, component.Scope{Prefix: "a1.sources.r1."})
}

func build(d *component.Decoded) (flow.Source, error) {
	return component.New[flow.Source](d, component.Env{
		Agent: "a1", Name: "r1", FS: vfs.NewMem(1),
		Log: slog.New(slog.DiscardHandler), Metrics: metrics.NewSet(metrics.KindSource, "r1"),
	}, nil)
}

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		settings []string
		want     []string
	}{
		"defaults":      {nil, nil},
		"all":           {[]string{"eventSize = 10000", "keepFields = priority version", "clientIPHeader = ip", "clientHostnameHeader = host", "compat = flume", "structured-data = headers", "time-zone = Europe/Berlin"}, nil},
		"keeps nothing": {[]string{"keepFields = facility"}, []string{"warning keepFields"}},
		"no zone":       {[]string{"time-zone = Mars/Olympus"}, []string{"error time-zone"}},
		"bad regex":     {[]string{"format.regex = ("}, []string{"error format.regex"}},
		"few groups":    {[]string{"format.regex = (a)(b)"}, []string{"warning format.regex"}},
		"bad date":      {[]string{"format.regex = (a)(b)(c)(d)(e)", "format.dateFormat = 'x"}, []string{"error format.dateFormat"}},
		"no regex":      {[]string{"format.dateFormat = yyyy"}, []string{"warning format.dateFormat"}},
		"no store":      {[]string{"ssl = true"}, []string{"error keystore"}},
		"store, no ssl": {[]string{"keystore = x"}, []string{"warning keystore"}},
		"a typo":        {[]string{"eventsize = 1"}, []string{"warning eventsize"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("FLUME_SSL_KEYSTORE_PATH", "")
			var got []string
			d := decode(t, c.settings...)
			for _, p := range d.Problems {
				got = append(got, p.Severity.String()+" "+strings.TrimPrefix(p.Key, "a1.sources.r1."))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s\n%v", diff, d.Problems)
			}
		})
	}
}

// TestMissingStore: that a key store cannot be read shows when the source runs,
// and names the property.
func TestMissingStore(t *testing.T) {
	src, err := build(decode(t, "ssl = true", "keystore = /none/such.jks", "keystore-password = x"))
	if err != nil {
		t.Fatal(err)
	}
	err = src.Run(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), "/none/such.jks") || !strings.Contains(err.Error(), "keystore") {
		t.Errorf("Run returned %v", err)
	}
}

func TestClaims(t *testing.T) {
	if got := (Config{Port: 514, Host: "h"}).Claims(); len(got) != 1 || got[0].ID != "514" || got[0].Host != "h" {
		t.Errorf("claims are %v", got)
	}
	if got := (Config{}).Claims(); got != nil {
		t.Errorf("any port is claimed: %v", got)
	}
}
