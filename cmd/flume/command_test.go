package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestHelp(t *testing.T) {
	t.Parallel()
	commands := []string{"agent  ", "check  ", "explain  ", "components  ", "version  "}
	agent := []string{
		"flume agent --name NAME --conf-file FILE", "-n, --name NAME ", "-f, --conf-file FILE ", "-i, --poll-interval SECONDS ",
		"-user", "-pwd", "--stop-timeout TIME ", "(default 30s)", "SIGHUP reloads", "Exit code 0",
	}
	for _, tt := range []struct {
		args  string
		code  int
		wants []string
		not   string
	}{
		{"help", exitOK, commands, "node"},
		{"--help", exitOK, commands, "[flags]"},
		{"help agent", exitOK, agent, "stringArray"},
		{"agent --help", exitOK, agent, "stringArray"},
		{"agent -n a1 -h", exitOK, agent, "string "},
		{"help check", exitOK, []string{"flume check [FILE…]", "Exit code 0", "--format FORMAT "}, "--poll-interval"},
		{"explain --help", exitOK, []string{"flume explain [COMPONENT | PROPERTY]", "--name NAME "}, "--stop-timeout"},
		{"help components", exitOK, []string{"flume components [TYPE]", "JSON Schema"}, "string "},
		{"help version", exitOK, []string{"Print the version"}, "--name"},
		{"", exitUsage, append(commands, "flume: no command was given"), ""},
		{"agnet -n a1", exitUsage, []string{`flume: unknown command "agnet"; did you mean "agent"?`}, ""},
		{"--no-such-option", exitUsage, []string{"flume: no command was given"}, ""},
		{"agent --no-such-option", exitUsage, []string{"unknown option --no-such-option", `Run "flume agent --help" for usage.`}, ""},
		{"agent --conf x", exitUsage, []string{"the agent's name is missing; give it with --name"}, ""},
		{"agent --con x", exitUsage, []string{"option --con is ambiguous: it may be --conf, --conf-file"}, ""},
		{"agent -n", exitUsage, []string{"option --name needs a value"}, ""},
		{"agent -n a1 -f x -i often", exitUsage, []string{"often", "poll-interval"}, ""},
		{"agent -n a1 -f x -Xmx12q", exitUsage, []string{`-Xmx12q: "12q" is not a size; write for example 512m`}, ""},
		{"agent -n a1 -f x --log-level loud", exitUsage, []string{`log level "loud" is none of DEBUG, INFO, WARN, ERROR, OFF`}, ""},
		{"agent -n a1 -f x --stop-timeout soon", exitUsage, []string{"soon", "stop-timeout"}, ""},
		{"agent -n a1 x", exitUsage, []string{`"x" is not an option`}, ""},
		{"check --format xml x", exitUsage, []string{"xml"}, ""},
	} {
		t.Run(tt.args, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := runFlume(t, t.TempDir(), strings.Fields(tt.args)...)
			if code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			wantAll(t, "flume", stdout+stderr, tt.wants...)
			if tt.not != "" && strings.Contains(stdout, tt.not) {
				t.Errorf("the help has %q:\n%s", tt.not, stdout)
			}
			if tt.code == exitOK && stderr != "" {
				t.Errorf("standard error has %q", stderr)
			}
		})
	}
}

// TestFlumeNG: under the name of Flume's launcher the program answers as that does.
func TestFlumeNG(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "flume-ng")
	if err := os.Symlink(binary, name); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args string
		code int
		want string
	}{
		{"help", exitOK, "flume-ng [command]"},
		{"agent --help", exitOK, "flume-ng agent --name NAME"},
		{"version", exitOK, "Flume "},
		{"", exitFail, "no command was given"},
		{"agnet", exitFail, `unknown command "agnet"; did you mean "agent"?`},
		{"node -n a1 -f none", exitUsage, "the command node is deprecated; use agent"},
	} {
		code, stdout, stderr := runCommand(t, t.TempDir(), name, strings.Fields(tt.args)...)
		if code != tt.code {
			t.Errorf("%q: exit code %d, want %d", tt.args, code, tt.code)
		}
		wantAll(t, "flume-ng "+tt.args, stdout+stderr, tt.want)
	}
}

// TestCheck looks at exit codes and at what programs read.
func TestCheck(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "good.conf"), plain)
	writeFile(t, filepath.Join(dir, "bad.conf"), change(plain, "= netcat", "= netkat"))
	writeFile(t, filepath.Join(dir, "override.conf"), "a1.sources.r1.type = netcat\n")
	for _, tt := range []struct {
		args string
		code int
		want string
	}{
		{"check good.conf", exitOK, "ok: 1 agent(s) checked\n"},
		{"check -n a1 -f good.conf -b backup -i 3 --no-reload-conf", exitOK, "ok: 1 agent(s) checked\n"},
		{"check bad.conf", exitFail, "1 error\n"},
		{"check bad.conf override.conf", exitOK, "ok: 1 agent(s) checked\n"},
		{"check -n a2 good.conf", exitFail, `the configuration has no agent named "a2"; did you mean "a1"?`},
		{"check none.conf", exitUsage, ""},
	} {
		code, stdout, _ := runFlume(t, dir, strings.Fields(tt.args)...)
		if code != tt.code {
			t.Errorf("%s: exit code %d, want %d", tt.args, code, tt.code)
		}
		wantAll(t, tt.args, stdout, tt.want)
	}
	if _, err := os.Stat(filepath.Join(dir, "backup")); err == nil {
		t.Error("check left a backup behind")
	}
	for file, problems := range map[string]int{"good.conf": 0, "bad.conf": 1} {
		var got struct {
			Agents   []string
			Problems []struct {
				Severity, Key, What, Remedy string
				At                          struct {
					File      string
					Line, Col int
				}
			}
		}
		_, stdout, _ := runFlume(t, dir, "check", file, "--format", "json")
		if err := json.Unmarshal([]byte(stdout), &got); err != nil {
			t.Fatalf("%s: %v in %s", file, err, stdout)
		}
		if len(got.Agents) != 1 || got.Agents[0] != "a1" || len(got.Problems) != problems {
			t.Errorf("%s: %+v", file, got)
		}
		if problems == 0 {
			continue
		}
		p := got.Problems[0]
		if p.Severity != "error" || p.At.File != file || p.At.Line != 4 || p.At.Col != 22 || p.Key != "a1.sources.r1.type" || p.Remedy != `did you mean "netcat"?` {
			t.Errorf("%s: %+v", file, p)
		}
	}
}

// TestSecrets looks for a secret in all that is printed.
func TestSecrets(t *testing.T) {
	const secret = "correct-horse"
	t.Setenv("FLUME_TEST_SECRET", secret)
	dir := t.TempDir()
	conf := change(plain, "port = 0", `port = ${f["FLUME_TEST_SECRET"]}`) +
		"a1.configfilters = f\na1.configfilters.f.type = env\n" +
		"a1.sources.r1.interceptors = i\na1.sources.r1.interceptors.i.type = static\n" +
		`a1.sources.r1.interceptors.i.value = x${f["FLUME_TEST_SECRET"]}` + "\n"
	writeFile(t, filepath.Join(dir, "a.conf"), conf)
	for _, tt := range []struct {
		args string
		code int
		want string
	}{
		{"explain -f a.conf", exitFail, "(secret)"},
		{"explain -f a.conf r1", exitFail, "set at a.conf:15:38, from config filter f"},
		{"check a.conf", exitFail, "a.conf:6:22: a1.sources.r1.port: the value, which is secret, cannot be used; give a whole number from 0 to 65535"},
		{"check a.conf --format json", exitFail, "the value, which is secret, cannot be used"},
		{"agent -n a1 -f a.conf", exitUsage, "the value, which is secret, cannot be used"},
		{"agent -n a1 -d -f a.conf -u http://u:" + secret + "@host/x --conf-password " + secret, exitOK, "--conf-uri=http://u:xxxxx@host/x"},
		{"agent -n a1 -u http://u:" + secret + "@127.0.0.1:1/x", exitUsage, "requesting configuration http://u:xxxxx@127.0.0.1:1/x"},
		{"agent -n a1 -u http://u:" + secret + "%zz@127.0.0.1:1/x", exitUsage, "malformed"},
	} {
		code, stdout, stderr := runFlume(t, dir, strings.Fields(tt.args)...)
		if code != tt.code {
			t.Errorf("%s: exit code %d, want %d", tt.args, code, tt.code)
		}
		wantAll(t, tt.args, stdout+stderr, tt.want)
		if strings.Contains(stdout+stderr, secret) {
			t.Errorf("%s prints the secret:\n%s%s", tt.args, stdout, stderr)
		}
	}
}

// TestExplainWhatIsBroken: explain answers with what check says of it.
func TestExplainWhatIsBroken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "a.conf"), change(plain, "type = netcat", "type = netcta"))
	writeFile(t, filepath.Join(dir, "a.json"), `{"a1": {"sources": "r1"}}`)
	const unknown = `unknown source type "netcta"; did you mean "netcat"?`
	for _, tt := range []struct {
		args   string
		code   int
		stdout string
		stderr string
	}{
		{"explain -f a.conf a1.sources.r1", exitFail, "a1.sources.r1  (source)\n  " + unknown, "a.conf:4:22: a1.sources.r1.type: " + unknown},
		{"explain -f a.conf r1.port", exitUsage, "", "a1.sources.r1 (source) has properties only when its type is known: " + unknown},
		{"explain --lenient -f a.conf r1", exitUsage, "", "a1.sources.r1 is left out because its configuration is broken (--lenient): a.conf:4:22: warning: a1.sources.r1.type: " + unknown},
		{"explain -f a.json", exitFail, "", "a.json: is a json file"},
	} {
		code, stdout, stderr := runFlume(t, dir, strings.Fields(tt.args)...)
		if code != tt.code {
			t.Errorf("%s: exit code %d, want %d", tt.args, code, tt.code)
		}
		wantAll(t, tt.args, stdout, tt.stdout)
		wantAll(t, tt.args, stderr, tt.stderr)
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "a.conf"), change(plain, "127.0.0.1", "${sys:host}"))
	code, stdout, stderr := runFlume(t, dir, "explain", "-f", "a.conf", "-Dhost=127.0.0.1", "a1.sources.r1")
	if code != exitOK || stderr != "" {
		t.Errorf("exit code %d, standard error %q", code, stderr)
	}
	wantAll(t, "explain", stdout, "a1.sources.r1  (source netcat)", "= 127.0.0.1", "set at a.conf:5:22", "= 512", "default", "Longest line in characters")
	if strings.Contains(stdout, "a1.sinks.k1") {
		t.Errorf("explain of one component tells of others:\n%s", stdout)
	}
	code, stdout, _ = runFlume(t, dir, "explain", "-f", "a.conf", "-Dhost=127.0.0.1", "a1.sources.r1.bind")
	if code != exitOK || !strings.HasPrefix(stdout, "a1.sources.r1.bind = 127.0.0.1\n") || strings.Contains(stdout, "port") {
		t.Errorf("explain of one property: exit code %d\n%s", code, stdout)
	}
	code, _, stderr = runFlume(t, dir, "explain", "-f", "a.conf", "-Dhost=127.0.0.1", "a1.sources.r1.bnid")
	if code != exitUsage {
		t.Errorf("exit code %d, want %d", code, exitUsage)
	}
	wantAll(t, "explain", stderr, `a1.sources.r1 (source netcat) has no property "bnid"; did you mean "bind"?`)
	code, _, stderr = runFlume(t, dir, "explain", "-f", "a.conf", "a1.sink.k1")
	if code != exitUsage {
		t.Errorf("exit code %d, want %d", code, exitUsage)
	}
	wantAll(t, "explain", stderr, `agent a1 has no component "sink.k1"; did you mean "sinks.k1"?`)
}

func TestComponents(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	code, stdout, _ := runFlume(t, dir, "components")
	if code != exitOK {
		t.Errorf("exit code %d", code)
	}
	wantAll(t, "components", stdout, "SOURCE\n", "  netcat ", "CHANNEL\n", "  memory ", "SINK\n", "  file_roll ", "INTERCEPTOR\n", "  regex_filter ")
	_, stdout, _ = runFlume(t, dir, "components", "org.apache.flume.source.NetcatSource")
	wantAll(t, "components", stdout, "source netcat\n", "Also: org.apache.flume.source.NetcatSource", "max-line-length")
	for _, args := range [][]string{{"components", "--format", "json"}, {"components", "--format", "json", "memory"}} {
		_, stdout, _ = runFlume(t, dir, args...)
		if !json.Valid([]byte(stdout)) {
			t.Errorf("%v is not JSON:\n%s", args, stdout)
		}
	}
	for name, want := range map[string]string{
		"netkat":             `unknown type "netkat"; did you mean "netcat"?`,
		"hive":               `type "hive" is one of Apache Flume's that this version does not have (sink); see docs/compatibility.md for what it has`,
		"com.example.MySink": `unknown type "com.example.MySink"; Java classes cannot be loaded; run the command components without a type to see all`,
	} {
		code, _, stderr := runFlume(t, dir, "components", name)
		if code != exitUsage {
			t.Errorf("components %s: exit code %d, want %d", name, code, exitUsage)
		}
		wantAll(t, "components", stderr, want)
	}
}
