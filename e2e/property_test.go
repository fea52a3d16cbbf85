//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/flume-go/flume/e2e/harness"
)

// value is one corner of the configuration language: what follows the key in the file, and what the
// component must get. Every value is the setting of a static interceptor, so that it shows as a header.
type value struct {
	name string
	text string // separator and value as written
	want string
}

var values = []value{
	{"padding", "  =   padded \t ", "padded"},
	{"colon", ":colon", "colon"},
	{"blank", "\t blank", "blank"},
	{"doubled", " = = twice", "= twice"},
	{"inner", " = a # b ! c = d : e", "a # b ! c = d : e"},
	{"escapes", ` = a\tb\\c\:d\q\#`, "a\tb\\c:dq#"},
	{"unicode", ` = \u0041\u00e9\uD83D\uDE00`, "Aé😀"},
	{"continued", " = one \\\n\t  two\\\n   three", "one twothree"},
	{"crlf", " = one \\\r\n   two\r", "one two"},
	{"backslashes", ` = end\\`, `end\`},
	{"protected", ` = \u0020kept?\u0020`, "kept?"},
	{"empty", " =", "value"},
	{"space", ` = \u0020\t`, "value"},
	{"env", " = ${env:E2E_WORD}", "word"},
	{"unset", " = ${env:E2E_NOPE}", "${env:E2E_NOPE}"},
	{"default", " = ${env:E2E_NOPE:-fall back}", "fall back"},
	{"emptydefault", " = <${env:E2E_NOPE:-}>", "<>"},
	{"sys", " = ${sys:e2e.prop}", "property"},
	{"nested", " = ${env:${sys:e2e.which}}", "word"},
	{"nesteddefault", " = ${env:E2E_NOPE:-${sys:e2e.prop}}", "property"},
	{"two", " = ${env:E2E_WORD}-${sys:e2e.prop}-%{h} $1 ${}", "word-property-%{h} $1 ${}"},
	{"escaped", " = $${env:E2E_WORD}", "${env:E2E_WORD}"},
	{"prefix", " = ${nosuch:E2E_WORD}", "${nosuch:E2E_WORD}"},
	{"unclosed", " = ${env:E2E_WORD", "${env:E2E_WORD"},
	{"recursive", " = ${env:E2E_REFERENCE}", "word"},
	{"script", " = ${base64Encoder:x}", "${base64Encoder:x}"},
	{"year", " = ${date:yyyy}", time.Now().Format("2006")},
	{"single", " = ${f1['E2E_WORD']}", "word"},
	{"double", ` = ${f1["E2E_WORD"]}`, "word"},
	{"bare", " = [${f1[E2E_WORD]},${f1[E2E_WORD]}]", "[word,word]"},
	{"missing", " = ${f1['E2E_NOPE']}", "${f1['E2E_NOPE']}"},
	{"external", " = ${f2['some-key']}", "said some-key"},
	{"nofilter", " = ${f9['key']}", "${f9['key']}"},
	{"duplicate", " = first\na1.sources.in.interceptors.duplicate.value = last", "last"},
	{"overridden", " = by the first file", "by the second file"},
}

// TestProperties compares how each corner of the configuration language reaches a component: properties
// syntax, ${…} substitution, configuration filters and several files.
func TestProperties(t *testing.T) {
	t.Parallel()
	var (
		c     topology
		names []string
		want  = make(seen)
	)
	c.store("out", "sink.serializer = avro_event")
	c.netcat("in", "out")
	for _, v := range values {
		names = append(names, v.name)
		c.add("sources", "in", "interceptors."+v.name+".type = static", "interceptors."+v.name+".key = "+v.name,
			"interceptors."+v.name+".value"+v.text)
		want[v.name] = v.want
	}
	c.add("sources", "in", "interceptors = "+strings.Join(names, " ")+" added")
	c.extra("configfilters = f1 f2", "configfilters.f1.type = env",
		"configfilters.f2.type = external", "configfilters.f2.command = echo said")
	conf := "# a comment \\\n! another\nnodot = 1\n" + c.String()
	second := "a1.sources.in.interceptors.overridden.value = by the second file\n" +
		"a1.sources.in.interceptors.added.type = static\na1.sources.in.interceptors.added.key = added\n" +
		`a1.sources.in.interceptors.added.val\u0075e = here` + "\n"
	want["added"] = "here"
	want["body"] = "x"
	differential(t, want, func(t *testing.T, s harness.System) seen {
		site := harness.NewSite(t)
		harness.WriteFile(t, site.Path("second.conf"), second)
		s.Start(t, harness.Launch{
			Name: "a1", Conf: site.Expand(conf),
			Args: []string{"-f", site.Path("second.conf"), "--no-reload-conf", "-De2e.prop=property", "-De2e.which=E2E_WORD"},
			Env:  []string{"E2E_WORD=word", "E2E_REFERENCE=${env:E2E_WORD}"},
		})
		harness.Converse(t, site.Addr("in"), "x\n")
		got := seen{}
		for _, e := range containers(t, site, "out", 1).events {
			for key, value := range e.headers {
				got[key] = value
			}
			got["body"] = e.body
		}
		return got
	})
}

// distributed is what the configuration template of Apache Flume's own distribution asks for, written
// anew, beside the one-node example of its user guide in the same file.
const distributed = `
# Two agents share this file. Only the one named on the command line runs.
agent.sources = seqGenSrc
agent.channels = memoryChannel
agent.sinks = loggerSink
agent.sources.seqGenSrc.type = seq
agent.sources.seqGenSrc.channels = memoryChannel
agent.sinks.loggerSink.type = logger
agent.sinks.loggerSink.channel = memoryChannel
agent.channels.memoryChannel.type = memory
agent.channels.memoryChannel.capacity = 100

a1.sources = r1
a1.sinks = k1
a1.channels = c1
a1.sources.r1.type = netcat
a1.sources.r1.bind = localhost
a1.sources.r1.port = <port guide>
a1.sinks.k1.type = logger
a1.channels.c1.type = memory
a1.channels.c1.capacity = 1000
a1.channels.c1.transactionCapacity = 100
a1.sources.r1.channels = c1
a1.sinks.k1.channel = c1
`

// TestDistributedConfiguration runs the first agents that every user of Flume meets.
func TestDistributedConfiguration(t *testing.T) {
	t.Parallel()
	differential(t, seen{"guide": "OK\n"}, func(t *testing.T, s harness.System) seen {
		site := harness.NewSite(t)
		guide := s.Start(t, harness.Launch{Name: "a1", Conf: site.Expand(distributed)})
		template := s.Start(t, harness.Launch{Name: "agent", Conf: site.Expand(distributed)})
		got := seen{"guide": harness.Converse(t, fmt.Sprintf("localhost:%d", site.Port("guide")), "Hello world!\n")}
		expectLog(t, guide, "Event: { headers:{} body: 48 65 6C 6C 6F 20 77 6F 72 6C 64 21             Hello world! }")
		expectLog(t, template, "Event: { headers:{} body: 30                                              0 }")
		expectLog(t, template, "Event: { headers:{} body: 31 30 30                                        100 }")
		return got
	})
}

// TestLenient runs a file in which parts are broken. Flume leaves them out and runs the rest; ours does so
// when told to and refuses to start otherwise.
func TestLenient(t *testing.T) {
	t.Parallel()
	var c topology
	c.store("out", "sink.serializer = header_and_text")
	c.netcat("in", "out nowhere", "interceptors = s", "interceptors.s.type = static", "interceptors.s.value = ${f1['key']}")
	c.netcat("noport", "out", "port = many")
	c.source("notype", "out", "bind = 127.0.0.1")
	c.netcat("nochannel", "missing")
	c.netcat("badfilter", "out", "interceptors = r", "interceptors.r.type = regex_filter", "interceptors.r.regex = (")
	c.sink("nowhere", "nowhere", "type = logger")
	c.sink("noroll", "out", "type = file_roll", "sink.directory = <dir noroll>", "sink.rollInterval = soon")
	c.channel("toosmall", "type = memory", "capacity = 10", "transactionCapacity = 20")
	c.extra("configfilters = f1 f2", "configfilters.f1.type = external", "configfilters.f1.command = false",
		"configfilters.f2.command = no type", "sources.unlisted.type = avro", "sourcs.in.type = avro")
	conf := c.String() + "other.sources = r\nother.channels = c\n"
	want := seen{"in": "OK\n", "out": "{key=${f1['key']}} here\n"}
	differential(t, want, func(t *testing.T, s harness.System) seen {
		site := harness.NewSite(t)
		l := harness.Launch{Name: "a1", Conf: site.Expand(conf)}
		if s.Name == "flume" {
			refused := s.Start(t, l)
			if status := refused.Wait(t, commandLimit); status != 2 {
				t.Errorf("without --lenient: exit status %d, want 2", status)
			}
			l.Args = []string{"--lenient"}
		}
		s.Start(t, l)
		got := seen{"in": harness.Converse(t, site.Addr("in"), "here\n")}
		stored(t, site, want, got, "out")
		return got
	})
}

// expectLog waits until an agent has logged a line.
func expectLog(t *testing.T, agent *harness.Process, line string) {
	t.Helper()
	harness.Eventually(t, deliveryLimit, "the log to say "+line, func() bool {
		return says(agent.Output(), line)
	})
}
