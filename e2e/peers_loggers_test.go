//go:build e2e

package e2e

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/flume-go/flume/e2e/harness"
)

// appenders is a logging library whose appenders send to avro sources, one for each of the loggers.
type appenders struct {
	program harness.JavaProgram
	file    string // name of its configuration
	conf    string // with placeholders of harness.Site
	option  string // of the virtual machine, before the path of the configuration
	loggers []string
	events  int // that come out of each logger
}

// run writes the configuration, runs the program to its end and checks that it got there.
func (a appenders) run(t *testing.T, site *harness.Site) {
	t.Helper()
	if out := harness.RunJavaProgram(t, a.prepare(t, site)); !strings.Contains(out, "done\n") {
		t.Errorf("%s did not get to its end:\n%.4000s", a.program.Main, out)
	}
}

// prepare writes the configuration and returns the program that reads it.
func (a appenders) prepare(t *testing.T, site *harness.Site) harness.JavaProgram {
	t.Helper()
	path := site.Path(a.file)
	harness.WriteFile(t, path, site.Expand(a.conf))
	p := a.program
	p.VM = append([]string{a.option + path}, p.VM...)
	return p
}

// compare logs to Apache Flume and to ours and requires the same of both: headers and bodies to the last byte but
// for times, numbers of processes and the like.
func (a appenders) compare(t *testing.T, want seen) {
	t.Helper()
	var c topology
	for _, name := range a.loggers {
		c.source(name, name, "type = avro", "bind = 127.0.0.1", "port = <port "+name+">")
		c.store(name, "sink.serializer = avro_event")
	}
	conf := c.String()
	differential(t, want, func(t *testing.T, s harness.System) seen {
		site := harness.NewSite(t)
		cutShort(t, s.Start(t, harness.Launch{Name: "a1", Conf: site.Expand(conf)}))
		for _, name := range a.loggers {
			harness.Dial(t, site.Addr(name)).Close()
		}
		a.run(t, site)
		got := make(seen)
		for _, name := range a.loggers {
			got[name] = shape(containers(t, site, name, a.events).events)
		}
		return got
	})
}

var (
	timeUUID    = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-1[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)
	syslogStart = regexp.MustCompile(`<(\d+)>1 \S+ \S+ (\S+) \d+ `)
	isoTime     = regexp.MustCompile(`20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.,]\d+([+-]\d\d:?\d\d|Z)?`)
	traceLine   = regexp.MustCompile(`\n?\tat .*`)
)

// shape is what events have in common from run to run: their headers in order and bodies, decompressed, without
// times, UUIDs made of times, the lines of stack traces and the head of an RFC 5424 line.
func shape(events []event) string {
	for i, e := range events {
		if r, err := gzip.NewReader(bytes.NewReader([]byte(e.body))); err == nil {
			if text, err := io.ReadAll(r); err == nil {
				events[i].body = "gzip of " + string(text)
			}
		}
	}
	text := ""
	for _, e := range events {
		e.body = traceLine.ReplaceAllString(e.body, "")
		one := container{events: []event{e}}.String()
		_, one, _ = strings.Cut(one, "\n")
		text += one
	}
	text = syslogStart.ReplaceAllString(text, "<$1>1 <time> <host> $2 <process> ")
	return mask(isoTime.ReplaceAllString(timeUUID.ReplaceAllString(text, "<time uuid>"), "<time>"))
}

// log4j1 has Flume's two appenders for Log4j 1, with each of their settings: as many as loggers are named.
func log4j1(loggers ...string) appenders {
	a := appenders{
		program: harness.JavaProgram{Main: "Log4j1Log", Libraries: []string{"log4j1", "flume"}},
		file:    "log4j.properties", option: "-Dlog4j.configuration=file:",
		loggers: loggers, events: 11,
	}
	a.program.Args = a.loggers
	const class = "org.apache.flume.clients.log4jappender."
	var b strings.Builder
	appender := func(name, kind string, settings ...string) {
		if !slices.Contains(loggers, name) {
			return
		}
		fmt.Fprintf(&b, "log4j.appender.%s = %s%s\nlog4j.logger.%s = ALL, %s\nlog4j.additivity.%s = false\n", name, class, kind, name, name, name)
		for _, s := range settings {
			fmt.Fprintf(&b, "log4j.appender.%s.%s\n", name, s)
		}
	}
	to := func(name string) []string { return []string{"Hostname = 127.0.0.1", "Port = <port " + name + ">"} }
	appender("plain", "Log4jAppender", to("plain")...)
	appender("layout", "Log4jAppender", append(to("layout"), "Timeout = 5000", "layout = org.apache.log4j.PatternLayout",
		"layout.ConversionPattern = %p %c{1} %m%n")...)
	appender("schema", "Log4jAppender", append(to("schema"), "AvroSchemaUrl = http://schemas.example/order.avsc")...)
	appender("reflection", "Log4jAppender", append(to("reflection"), "AvroReflectionEnabled = true")...)
	// Both addresses are the same source, so that its store holds everything in order.
	appender("balanced", "LoadBalancingLog4jAppender", "Hosts = 127.0.0.1:<port balanced> localhost:<port balanced>", "MaxBackoff = 4000")
	a.conf = b.String()
	return a
}

// TestPeersLog4j1 logs with Log4j 1 and Flume's appenders: text, objects, Avro records and collections.
func TestPeersLog4j1(t *testing.T) {
	t.Parallel()
	const (
		common = `flume.client.log4j.address="127.0.0.1" flume.client.log4j.log.level="%d" flume.client.log4j.logger.name="plain" `
		text   = `%q {` + common + `flume.client.log4j.message.encoding="UTF8" flume.client.log4j.timestamp="<ms>"}` + "\n"
		record = `"\x06tea\x0e" {flume.avro.schema.literal=%q ` + common + `flume.client.log4j.timestamp="<ms>"}` + "\n"
		schema = `{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"item","type":"string"},{"name":"count","type":"int"}]}`
	)
	var plain strings.Builder
	for i, body := range []string{"a trace", "zwei € 😀", "", "two\nlines", "without its trace", "north 3"} {
		fmt.Fprintf(&plain, text, body, max(5000, 10000*i))
	}
	fmt.Fprintf(&plain, record, schema, 20000)
	fmt.Fprintf(&plain, text+text, "first", 20000, "second", 20000)
	fmt.Fprintf(&plain, record+text, schema, 20000, "last", 20000)
	log4j1("plain", "layout", "schema", "reflection", "balanced").compare(t, seen{"plain": plain.String()})
}

// log4j2Appenders are the settings of Log4j 2's appender for Flume: sending one by one, compressed batches, to the
// second of two agents, and through a database.
var log4j2Appenders = map[string]string{
	"single": `type="Avro" compress="false" connectTimeoutMillis="5000" requestTimeoutMillis="5000"
        mdcPrefix="mdc:" eventPrefix="event:" mdcExcludes="secret">
      <Agent host="127.0.0.1" port="<port single>"/>
      <PatternLayout pattern="%level %logger{1} %marker %msg%n"/>`,
	"packed": `type="Avro" batchSize="4">
      <Agent host="127.0.0.1" port="<port packed>"/>
      <Rfc5424Layout appName="shop" enterpriseNumber="18060" includeMDC="true" newLine="false" facility="LOCAL0"/>`,
	"failover": `type="Avro" compress="false" agentRetries="2">
      <Agent host="127.0.0.1" port="<port nobody>"/>
      <Agent host="127.0.0.1" port="<port failover>"/>
      <PatternLayout pattern="%msg"/>`,
	"persistent": `type="Persistent" compress="false" dataDir="<path events>" maxDelayMillis="1000">
      <Agent host="127.0.0.1" port="<port persistent>"/>
      <PatternLayout pattern="%msg"/>`,
}

// log4j2 has as many of them as loggers are named.
func log4j2(loggers ...string) appenders {
	a := appenders{
		program: harness.JavaProgram{Main: "Log4j2Log", Libraries: []string{"log4j2", "flume"}, Args: loggers},
		file:    "log4j2.xml", option: "-Dlog4j2.configurationFile=",
		loggers: loggers, events: 8,
	}
	var all, refs strings.Builder
	for _, name := range loggers {
		fmt.Fprintf(&all, "    <Flume name=%q ignoreExceptions=\"false\" %s\n    </Flume>\n", name, log4j2Appenders[name])
		fmt.Fprintf(&refs, "    <Logger name=%[1]q level=\"ALL\" additivity=\"false\"><AppenderRef ref=%[1]q/></Logger>\n", name)
	}
	a.conf = fmt.Sprintf(`<Configuration status="ERROR">
  <Appenders>
%s  </Appenders>
  <Loggers>
%s    <Root level="OFF"/>
  </Loggers>
</Configuration>
`, &all, &refs)
	return a
}

// TestPeersLog4j2 logs with Log4j 2's own appender for Flume.
func TestPeersLog4j2(t *testing.T) {
	t.Parallel()
	const (
		text   = `"%s single %s %s\n" {guId="<time uuid>" %stimeStamp="<ms>"}` + "\n"
		user   = `mdc:user="jürgen" `
		audit  = `"INFO single  Audit [Transfer@18060 Amount=\"200\" Note=\"a \"quoted\" ]\" guId=\"<time uuid>\"] done\n" `
		fields = `{event:Amount="200" event:Note="a \"quoted\" ]" event:eventId="Transfer" event:eventType="Audit" ` +
			`event:guId="<time uuid>" timeStamp="<ms>"}` + "\n"
		mapped = `"INFO single  color=\"grün\" guId=\"<time uuid>\" size=\"9\"\n" ` +
			`{event:color="grün" event:guId="<time uuid>" event:size="9" timeStamp="<ms>"}` + "\n"
	)
	var single strings.Builder
	fmt.Fprintf(&single, text+text, "TRACE", "", "zwei € 😀", user, "INFO", "", "", user)
	fmt.Fprintf(&single, text+text, "WARN", "", `two\nlines`, user, "ERROR", "", `with its trace\njava.lang.IllegalStateException: boom`, user)
	fmt.Fprintf(&single, text, "FATAL", "AUDIT", "number 5 of 8", user)
	single.WriteString(audit + fields + mapped)
	fmt.Fprintf(&single, text, "INFO", "", "last", "")
	log4j2("single", "packed", "failover", "persistent").compare(t, seen{"single": single.String()})
}

// TestPeersLogback logs with an appender for Logback that brings the client library of Flume 1.5.
func TestPeersLogback(t *testing.T) {
	t.Parallel()
	var want strings.Builder
	for _, e := range [][4]string{
		{"TRACE", "jürgen", "zwei € 😀"}, {"DEBUG", "jürgen", ""}, {"INFO", "jürgen", "two\nlines"},
		{"WARN", "jürgen", "number 4 of 6", "number {} of {}"}, {"ERROR", "", "with its trace"}, {"INFO", "", "last"},
	} {
		message := e[2]
		if e[3] != "" {
			message = e[3] // the header has it as it was written
		}
		fmt.Fprintf(&want, `%q {application="shop" host="host.example" level=%[2]q logger="app" message=%q myHeader="myValue" `+
			`thread="main" timestamp="<ms>" type=%[2]q}`+"\n", strings.TrimRight(e[0]+" "+e[1]+" "+e[2], " "), e[0], message)
	}
	appenders{
		program: harness.JavaProgram{Main: "LogbackLog", Libraries: []string{"logback"}, Args: []string{"app", "4000"}},
		file:    "logback.xml", option: "-Dlogback.configurationFile=",
		loggers: []string{"app"}, events: 6,
		conf: `<configuration>
  <appender name="flume" class="com.teambytes.logback.flume.FlumeLogstashV1Appender">
    <flumeAgents>127.0.0.1:<port app>,localhost:<port app></flumeAgents>
    <flumeProperties>connect-timeout=4000;request-timeout=8000</flumeProperties>
    <batchSize>3</batchSize>
    <reportingWindow>500</reportingWindow>
    <reporterMaxThreadPoolSize>1</reporterMaxThreadPoolSize>
    <reporterMaxQueueSize>150</reporterMaxQueueSize>
    <additionalAvroHeaders>myHeader=myValue</additionalAvroHeaders>
    <application>shop</application>
    <hostname>host.example</hostname>
    <layout class="ch.qos.logback.classic.PatternLayout"><pattern>%level %X{user} %msg%n%nopex</pattern></layout>
  </appender>
  <logger name="app" level="ALL"><appender-ref ref="flume"/></logger>
</configuration>
`,
	}.compare(t, seen{"app": want.String()})
}
