package main

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestBadConfiguration gives the agent what it cannot run, and expects to be told
// where it is, what is wrong and what to do: by check, too.
func TestBadConfiguration(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		conf  string
		args  []string
		wants []string
	}{
		{
			"escape", change(plain, "127.0.0.1", `127\u00.1`), nil,
			[]string{`a.conf:5:25: a1.sources.r1.bind: malformed escape: \u is not followed by four hexadecimal digits; write \uXXXX, or \\u`},
		},
		{
			"cycle", change(plain, "127.0.0.1", "${sys:a}"), []string{"-Da=${sys:b}", "-Db=${sys:a}"},
			[]string{"a.conf:5:22: a1.sources.r1.bind: refers to itself: ${sys:a} → ${sys:b} → ${sys:a}; break the circle"},
		},
		{
			"cycle of keys", change(plain, "127.0.0.1", "${host}") + "host = ${name}\nname = ${host}\n", nil,
			[]string{"a.conf:12:8: name: refers to itself: host (a.conf:11:1) → name (a.conf:12:1) → host; break the circle"},
		},
		{
			"unknown type", change(plain, "= netcat", "= netkat"), nil,
			[]string{`a.conf:4:22: a1.sources.r1.type: unknown source type "netkat"; did you mean "netcat"?`},
		},
		{
			"unknown class", change(plain, "= logger", "= com.example.MySink"), nil,
			[]string{`a.conf:9:20: a1.sinks.k1.type: unknown sink type "com.example.MySink"; Java classes cannot be loaded; known types: avro, file_roll, logger, null, thrift (flume components describes them)`},
		},
		{
			"unknown channel", change(plain, "r1.channels = c1", "r1.channels = c2"), nil,
			[]string{`a.conf:7:26: a1.sources.r1.channels: there is no channel "c2"; did you mean "c1"?`},
		},
		{
			"no number", change(plain, "port = 0", "port = 0x50"), nil,
			[]string{`a.conf:6:22: a1.sources.r1.port: "0x50" is not a whole number; give a whole number from 0 to 65535`},
		},
		{
			"no port", change(plain, "a1.sources.r1.port = 0\n", ""), nil,
			[]string{`a.conf:1:14: a1.sources.r1.port: is required; set it: TCP port to listen on`},
		},
		{
			"port out of range", change(plain, "port = 0", "port = 65536"), nil,
			[]string{"a.conf:6:22: a1.sources.r1.port: ", "from 0 to 65535"},
		},
		{
			"batch larger than the channel", change(plain, "= logger", "= null\na1.sinks.k1.batchSize = 1000"), nil,
			[]string{"a.conf:10:25: a1.sinks.k1.batchSize: a batch of 1000 does not fit channel c1, whose transactionCapacity is 100; lower it, or set a1.channels.c1.transactionCapacity = 1000"},
		},
		{
			"expression", plain + "a1.sources.r1.interceptors = i\na1.sources.r1.interceptors.i.type = regex_filter\na1.sources.r1.interceptors.i.regex = (ab\n", nil,
			[]string{"a.conf:13:38: a1.sources.r1.interceptors.i.regex: is not a usable regular expression: ", "unclosed group"},
		},
		{
			"one port twice", twoSources("netcat", "127.0.0.1", "0.0.0.0"), nil,
			[]string{"a.conf:13:22: a1.sources.r2.port: TCP port 4444 is also used by a1.sources.r1 (a.conf:6:22); give each its own"},
		},
		{
			"one UDP port twice", twoSources("netcatudp", "127.0.0.1", "127.0.0.1"), nil,
			[]string{"a.conf:13:22: a1.sources.r2.port: UDP port 4444 is also used by a1.sources.r1 (a.conf:6:22); give each its own"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			writeFile(t, filepath.Join(dir, "a.conf"), tt.conf)
			code, _, stderr := runFlume(t, dir, append([]string{"agent", "-n", "a1", "-f", "a.conf"}, tt.args...)...)
			if code != exitUsage {
				t.Errorf("agent: exit code %d, want %d", code, exitUsage)
			}
			wantAll(t, "agent", stderr, append(tt.wants, "flume: agent a1 was not started: ")...)
			code, stdout, _ := runFlume(t, dir, append([]string{"check", "a.conf"}, tt.args...)...)
			if code != exitFail {
				t.Errorf("check: exit code %d, want %d", code, exitFail)
			}
			wantAll(t, "check", stdout, tt.wants...)
		})
	}
}

// twoSources is an agent with two sources of a type on one port.
func twoSources(kind, bind1, bind2 string) string {
	return change(plain, "sources = r1", "sources = r1 r2", "= netcat", "= "+kind, "bind = 127.0.0.1", "bind = "+bind1, "port = 0", "port = 4444") +
		"a1.sources.r2.type = " + kind + "\na1.sources.r2.bind = " + bind2 + "\na1.sources.r2.port = 4444\na1.sources.r2.channels = c1\n"
}

func wantAll(t *testing.T, who, output string, wants ...string) {
	t.Helper()
	for _, w := range wants {
		if !strings.Contains(output, w) {
			t.Errorf("%s does not say %q:\n%s", who, w, output)
		}
	}
}

// TestNoConfiguration gives what cannot be read at all.
func TestNoConfiguration(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "a.conf"), plain)
	writeFile(t, filepath.Join(dir, "empty.conf"), "# nothing yet\n")
	writeFile(t, filepath.Join(dir, "a.txt"), `{"a1": {"sources": "r1"}}`)
	if err := os.Mkdir(filepath.Join(dir, "conf.d"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ args, want string }{
		{"agent -n a1 -f none.conf", "opening configuration file: open none.conf: no such file or directory; check the path, which is relative to " + dir},
		{"agent -n a1 -f conf.d", "configuration file conf.d is a directory; name a file in it"},
		{"agent -n a1 -f empty.conf", "the configuration is empty: no line with key = value is in empty.conf"},
		{"agent -n a1 -u file:///none.conf", "open /none.conf: no such file or directory; check the path"},
		{"agent -n a1 -u ftp://host/a.conf", "ftp"},
		{"agent -n a1", "no configuration was given; name a file with -f, a URI with -u or ZooKeeper with -z"},
		{"agent -f a.conf", "the agent's name is missing; give it with --name"},
		{"agent -n a11 -f a.conf", `the configuration has no agent named "a11"; did you mean "a1"?`},
		{"agent -n other -f a.conf", `the configuration has no agent named "other"; it has a1`},
		{"check none.conf", "opening configuration file: open none.conf"},
		{"check conf.d", "configuration file conf.d is a directory"},
		{"check", "no configuration was given"},
		{"explain -f a.conf a1.sinks.k9", `agent a1 has no component "sinks.k9"; did you mean "sinks.k1"?`},
		{"explain -f a.conf -n a11", `the configuration has no agent named "a11"; did you mean "a1"?`},
		{"check a.txt", `the configuration names no agent: keys are written <agent>.sources, <agent>.channels, …, and the first one is "{\"a1\"" (a.txt:1:1); is it a properties file?`},
		{"explain -f a.txt", `the configuration names no agent: keys are written`},
		{"check -z 127.0.0.1:1", "the agent's name is missing; give it with --name: in ZooKeeper each agent has a node of its own"},
		{"explain -z 127.0.0.1:1 r1", "the agent's name is missing"},
		{"explain -f none.conf", "opening configuration file: open none.conf"},
	} {
		t.Run(tt.args, func(t *testing.T) {
			t.Parallel()
			code, _, stderr := runFlume(t, dir, strings.Fields(tt.args)...)
			if code != exitUsage {
				t.Errorf("exit code %d, want %d", code, exitUsage)
			}
			wantAll(t, "flume", stderr, tt.want)
		})
	}
}

// TestWarnings gives what is probably not meant as written: the agent tells and runs.
func TestWarnings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, conf, want string
	}{
		{
			"property", plain + "a1.sources.r1.max-line-lenght = 3\n",
			`a.conf:11:1: warning: a1.sources.r1.max-line-lenght: unknown property, it has no effect; did you mean "max-line-length"?`,
		},
		{
			"section", plain + "a1.sourcs.r1.max-line-length = 3\n",
			`a.conf:11:1: warning: a1.sourcs.r1.max-line-length: "sourcs" is not a section of an agent, the property has no effect; did you mean "a1.sources.r1.max-line-length"?`,
		},
		{
			"truth", change(plain, "= logger", "= file_roll\na1.sinks.k1.sink.directory = .\na1.sinks.k1.sink.createDirectory = yes"),
			`a.conf:11:36: warning: a1.sinks.k1.sink.createDirectory: "yes" is neither true nor false and counts as false; write true or false`,
		},
		{
			"undefined", plain + "a1.sources.r1.encoding = ${env:FLUME_TEST_NONE:-utf-8}\nname = ${nothing}\n",
			`a.conf:12:8: warning: name: ${nothing} is not defined and stays as written; define the key nothing, write a default as in ${nothing:-value}`,
		},
		{
			"twice", plain + "a1.sinks.k1.type = null\n",
			`a.conf:11:1: warning: a1.sinks.k1.type: is defined again and replaces the definition at a.conf:9:1; remove one of the two`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := startAgent(t, tt.conf)
			p.says(t, tt.want)
			if got := converse(t, p.address(t, "[source r1] listening"), "line\n"); got != "OK\n" {
				t.Errorf("answer %q, want OK", got)
			}
			code, stdout, _ := runFlume(t, p.cmd.Dir, "check", "a.conf")
			if code != exitFail {
				t.Errorf("check: exit code %d, want %d", code, exitFail)
			}
			wantAll(t, "check", stdout, tt.want, "1 warning")
		})
	}
}

// TestLatin1 reads a file in the encoding that Java wrote such files in.
func TestLatin1(t *testing.T) {
	t.Parallel()
	p := startAgent(t, plain+"a1.sources.r1.interceptors = i\na1.sources.r1.interceptors.i.type = static\n"+
		"a1.sources.r1.interceptors.i.key = caf\xe9\na1.sources.r1.interceptors.i.value = \xa9 \\u20ac\n")
	p.says(t, `a.conf:13:39: warning: byte 0xE9 is not UTF-8, so the whole text is read as ISO-8859-1; save the file as UTF-8, or write the character as a \uXXXX escape`)
	converse(t, p.address(t, "[source r1] listening"), "line\n")
	p.says(t, "headers:{café=© €}")
}

// TestBinary gives a file that is no text at all: what is printed of it must not
// reach the terminal as it is.
func TestBinary(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "a.conf"), "\x7fELF\x01\x1b]0;title\x07\x1b[31m.sources\x00=\x1b[2J\x9b31m\n\xff\xfe.x.y\n")
	for _, args := range [][]string{{"check", "a.conf"}, {"agent", "-n", "a1", "-f", "a.conf"}, {"explain", "-f", "a.conf", "-n", "a1"}} {
		code, stdout, stderr := runFlume(t, dir, args...)
		if code == exitOK {
			t.Errorf("%s: exit code 0", args[0])
		}
		if i := strings.IndexFunc(stdout+stderr, func(r rune) bool { return r != '\n' && (r < ' ' || r >= 0x7f && r < 0xa0) }); i >= 0 {
			t.Errorf("%s prints control characters: %q", args[0], (stdout + stderr)[i:])
		}
	}
}

// TestPortZeroTwice: a port that the system chooses is nobody's.
func TestPortZeroTwice(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	conf := strings.ReplaceAll(twoSources("netcat", "127.0.0.1", "127.0.0.1"), "4444", "0")
	writeFile(t, filepath.Join(dir, "a.conf"), conf)
	writeFile(t, filepath.Join(dir, "b.conf"), strings.ReplaceAll(conf, "r2.type = netcat", "r2.type = netcatudp"))
	for _, file := range []string{"a.conf", "b.conf"} {
		if code, stdout, _ := runFlume(t, dir, "check", file); code != exitOK {
			t.Errorf("%s: exit code %d:\n%s", file, code, stdout)
		}
	}
}

// TestLenient leaves out what is broken and runs the rest.
func TestLenient(t *testing.T) {
	t.Parallel()
	p := startAgent(t, change(plain, "sources = r1", "sources = r1 r2")+"a1.sources.r2.type = netkat\na1.sources.r2.channels = c1\n", "--lenient")
	p.says(t, `unknown source type "netkat"; did you mean "netcat"?`)
	if got := converse(t, p.address(t, "[source r1] listening"), "line\n"); got != "OK\n" {
		t.Errorf("answer %q, want OK", got)
	}
}

// busyPort returns a listener and its port.
func busyPort(t *testing.T) (net.Listener, string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln, strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)
}

func (p *process) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}
