package http

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/internal/tlsconf"
)

// Jetty's own limits.
const (
	jettyIdle       = 30 * time.Second
	jettyHeaderSize = 8192
)

// jettySettings are those of Jetty's settings that mean something here. Jetty's
// setters are called behind Flume's, so what is set here wins.
type jettySettings struct {
	host        string
	port        *int
	idle        time.Duration // of a connection
	headerSize  int
	clientAuth  string // "" if nothing is said
	includeProt []string
	excludeProt []string
	includeSuit []string
	excludeSuit []string
}

// jettyProblem is something to tell about a setting.
type jettyProblem struct {
	key, what, remedy string
	fatal             bool
}

func (p jettyProblem) report(r *component.Report) {
	if p.fatal {
		r.Error(p.key, p.what, p.remedy)
	} else {
		r.Advise(p.key, p.what, p.remedy)
	}
}

// jetty reads Jetty's settings.
func (c Config) jetty() (jettySettings, []jettyProblem) {
	j := jettySettings{idle: jettyIdle, headerSize: jettyHeaderSize}
	var problems []jettyProblem
	for _, group := range []struct {
		name   string
		values map[string]string
	}{
		{"QueuedThreadPool", c.ThreadPool}, {"HttpConfiguration", c.HTTPConfig},
		{"ServerConnector", c.Connector}, {"SslContextFactory", c.SSLSettings},
	} {
		names := make([]string, 0, len(group.values))
		for name := range group.values {
			names = append(names, name)
		}
		sort.Strings(names)
		for _, name := range names {
			key := group.name + "." + name
			set, known := jettySetters[key]
			if !known {
				problems = append(problems, jettyProblem{key: key, what: "is a setting of Jetty that means nothing here", remedy: "remove it, or leave it to Apache Flume"})
				continue
			}
			if err := set(&j, strings.TrimSpace(group.values[name])); err != nil {
				problems = append(problems, jettyProblem{key, err.Error(), "give a value that Jetty takes", true})
			}
		}
	}
	return j, problems
}

// jettySetters are the settings with a meaning.
var jettySetters = map[string]func(*jettySettings, string) error{
	"ServerConnector.host": func(j *jettySettings, v string) error {
		j.host = v
		return nil
	},
	"ServerConnector.port": func(j *jettySettings, v string) error {
		n, err := jettyNumber(v, 0, 65535)
		j.port = &n
		return err
	},
	"ServerConnector.idleTimeout": setIdle,
	// Jetty's is that of a request; the shorter of the two ends a wait.
	"HttpConfiguration.idleTimeout": setIdle,
	"HttpConfiguration.requestHeaderSize": func(j *jettySettings, v string) (err error) {
		j.headerSize, err = jettyNumber(v, 256, 1<<30)
		return err
	},
	"SslContextFactory.includeProtocols": setList(func(j *jettySettings) *[]string { return &j.includeProt }),
	"SslContextFactory.excludeProtocols": setList(func(j *jettySettings) *[]string { return &j.excludeProt }),
	"SslContextFactory.includeCipherSuites": setList(func(j *jettySettings) *[]string {
		return &j.includeSuit
	}),
	"SslContextFactory.excludeCipherSuites": setList(func(j *jettySettings) *[]string {
		return &j.excludeSuit
	}),
	"SslContextFactory.needClientAuth": setClientAuth("require"),
	"SslContextFactory.wantClientAuth": setClientAuth("want"),
}

// setIdle takes milliseconds; none and fewer mean for ever, which is a day here.
func setIdle(j *jettySettings, v string) error {
	ms, err := jettyNumber(v, -1, 1<<62/int64(time.Millisecond))
	idle := time.Duration(ms) * time.Millisecond
	if ms <= 0 {
		idle = 24 * time.Hour
	}
	if j.idle == jettyIdle || idle < j.idle {
		j.idle = idle
	}
	return err
}

func setList(field func(*jettySettings) *[]string) func(*jettySettings, string) error {
	return func(j *jettySettings, v string) error {
		*field(j) = strings.Fields(v)
		return nil
	}
}

func setClientAuth(mode string) func(*jettySettings, string) error {
	return func(j *jettySettings, v string) error {
		if strings.EqualFold(v, "true") && j.clientAuth != "require" {
			j.clientAuth = mode
		}
		return nil
	}
}

func jettyNumber(v string, low, high int64) (int, error) {
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < low || n > high {
		return 0, fmt.Errorf("%q is not a whole number from %d to %d", v, low, high)
	}
	return int(n), nil
}

// tls puts what is set into t. Jetty takes names of suites as patterns.
func (j jettySettings) tls(t *tlsconf.Config) {
	for _, s := range []struct{ from, to *[]string }{
		{&j.includeProt, &t.IncludeProtocols}, {&j.excludeProt, &t.ExcludeProtocols},
		{&j.includeSuit, &t.IncludeSuites}, {&j.excludeSuit, &t.ExcludeSuites},
	} {
		if len(*s.from) > 0 {
			*s.to = slices.Clone(*s.from)
		}
	}
	if j.clientAuth != "" {
		t.ClientAuth = j.clientAuth
	}
}
