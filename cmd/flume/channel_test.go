package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/internal/channeltool"
)

// staging is an agent whose sink cannot deliver, so that everything stays in its file channel. ROOT is a directory.
const staging = `a1.sources = r1
a1.channels = c1 m
a1.sinks = k1
a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = 0
a1.sources.r1.channels = c1
a1.channels.c1.type = file
a1.channels.c1.checkpointDir = ROOT/checkpoint
a1.channels.c1.dataDirs = ROOT/data1,ROOT/data2
a1.channels.c1.maxFileSize = 65536
a1.channels.c1.minimumRequiredSpace = 1048576
a1.channels.m.type = memory
a1.sinks.k1.type = file_roll
a1.sinks.k1.sink.directory = ROOT/none
a1.sinks.k1.channel = c1
`

const sealed = `a1.channels.c1.encryption.activeKey = key-1
a1.channels.c1.encryption.cipherProvider = AESGCM
a1.channels.c1.encryption.keyProvider = JCEKSFILE
a1.channels.c1.encryption.keyProvider.keyStoreFile = ../../internal/jceks/testdata/aes.jceks
a1.channels.c1.encryption.keyProvider.keyStorePasswordFile = ROOT/password
a1.channels.c1.encryption.keyProvider.keys = key-1
`

// hashes returns the content of all files below a directory.
func hashes(t *testing.T, root string) map[string]string {
	t.Helper()
	out := make(map[string]string)
	if err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		out[path] = fmt.Sprintf("%x", sha256.Sum256(data))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// stage runs an agent, sends it lines, and returns it with its configuration and what is in its channel.
func stage(t *testing.T, conf string, lines int) (p *process, confFile, root string, want []string) {
	t.Helper()
	root = t.TempDir()
	jceks, err := filepath.Abs("../../internal/jceks/testdata")
	if err != nil {
		t.Fatal(err)
	}
	conf = strings.NewReplacer("ROOT", filepath.ToSlash(root), "../../internal/jceks/testdata", filepath.ToSlash(jceks)).Replace(conf)
	writeFile(t, filepath.Join(root, "password"), "store-password\n")
	confFile = filepath.Join(t.TempDir(), "a.conf")
	writeFile(t, confFile, conf)
	p = startAgent(t, conf)
	conn := dial(t, p.address(t, "[source r1] listening"))
	for i := range lines {
		body := fmt.Sprintf("line %d %s", i, strings.Repeat("x", 400))
		send(t, conn, body)
		want = append(want, fmt.Sprintf(`{"headers":{},"body":%q}`, body))
	}
	return p, confFile, root, want
}

// TestChannel looks into the channel of an agent that runs, and of one that was killed, in the clear and encrypted, by
// the configuration and by the directories; every file stays as it was.
func TestChannel(t *testing.T) {
	t.Parallel()
	for name, conf := range map[string]string{"clear": staging, "encrypted": staging + sealed} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, confFile, root, want := stage(t, conf, 200)
			dirs := []string{filepath.Join(root, "data1"), filepath.Join(root, "data2")}
			if name == "encrypted" {
				dirs = append(dirs, "--key-store", "../../internal/jceks/testdata/aes.jceks", "--key-store-password-file", filepath.Join(root, "password"), "--key", "key-1")
			}
			look := func(open string) {
				t.Helper()
				before := hashes(t, root)
				for _, where := range [][]string{{"-f", confFile, "-n", "a1", "-c", "c1"}, dirs} {
					run := func(command string, more ...string) (stdout, stderr string) {
						t.Helper()
						args := append(append([]string{"channel", command}, where...), more...)
						code, stdout, stderr := runFlume(t, ".", args...)
						if code != exitOK {
							t.Errorf("%v: exit code %d, %s%s", args, code, stdout, stderr)
						}
						return stdout, stderr
					}
					stdout, _ := run("inspect")
					wantAll(t, "inspect", stdout, "staged      200 events, ", "oldest      ", "damage      none met", "open        "+open, "segment-00000001.wal  ", "data1")
					stdout, _ = run("inspect", "--format", "json")
					var reports []channeltool.Report
					if err := json.Unmarshal([]byte(stdout), &reports); err != nil || len(reports) != 1 || reports[0].Events != 200 || len(reports[0].Files) < 2 {
						t.Errorf("inspect as JSON: %v, %s", err, stdout)
					}
					stdout, _ = run("verify")
					wantAll(t, "verify", stdout, "with 200 events", "damage      none\n")
					stdout, stderr := run("export")
					if diff := cmp.Diff(strings.Join(want, "\n")+"\n", stdout); diff != "" || stderr != "" {
						t.Errorf("export says %q and writes (-want +got):\n%s", stderr, diff)
					}
				}
				if diff := cmp.Diff(before, hashes(t, root)); diff != "" {
					t.Errorf("looking has changed files:\n%s", diff)
				}
			}
			look("in ")
			_, _, stderr := runFlume(t, ".", "tool", "fcintegritytool", "-f", confFile)
			wantAll(t, "tool", stderr, "stop that agent first")
			if err := p.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			<-p.done
			look("no")

			out := filepath.Join(t.TempDir(), "events.jsonl")
			code, stdout, stderr := runFlume(t, ".", "channel", "export", "-f", confFile, "-o", out, "--limit", "3")
			text, err := os.ReadFile(out)
			if err != nil || code != exitOK || stdout != "" || !strings.Contains(stderr, "3 events were written to "+out) || string(text) != strings.Join(want[:3], "\n")+"\n" {
				t.Errorf("export to a file: exit code %d, %s%s, %v, %s", code, stdout, stderr, err, text)
			}
			code, _, stderr = runFlume(t, ".", "channel", "export", "-f", confFile, "-o", out)
			if code != exitUsage || !strings.Contains(stderr, "exists already") {
				t.Errorf("export over a file: exit code %d, %s", code, stderr)
			}
		})
	}
}

// TestDamagedChannel flips a byte, hears where, goes past it, and has it taken out of the way.
func TestDamagedChannel(t *testing.T) {
	t.Parallel()
	p, confFile, root, want := stage(t, staging, 30)
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.done
	path := filepath.Join(root, "data1", "segment-00000001.wal")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(string(data), "line 11 ")
	if at < 0 {
		t.Fatalf("%s does not have line 11", path)
	}
	data[at]++
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	before := hashes(t, root)
	code, stdout, _ := runFlume(t, ".", "channel", "verify", "-f", confFile)
	if code != exitFail {
		t.Errorf("verify: exit code %d", code)
	}
	wantAll(t, "verify", stdout, "damage      1 damaged place\n  "+path+": offset ", "with 29 events")
	code, stdout, _ = runFlume(t, ".", "channel", "verify", "--format", "json", "-f", confFile)
	var found []channeltool.Verification
	if err := json.Unmarshal([]byte(stdout), &found); err != nil || code != exitFail || len(found) != 1 || found[0].DamageCount != 1 ||
		found[0].Damage[0].Offset > int64(at) || found[0].Damage[0].Offset+found[0].Damage[0].Length < int64(at) {
		t.Errorf("verify as JSON: exit code %d, %v, %s", code, err, stdout)
	}
	kept := strings.Join(append(append([]string(nil), want[:11]...), want[12:]...), "\n") + "\n"
	code, stdout, stderr := runFlume(t, ".", "channel", "export", "-f", confFile)
	if diff := cmp.Diff(kept, stdout); diff != "" || code != exitFail {
		t.Errorf("export: exit code %d (-want +got):\n%s", code, diff)
	}
	wantAll(t, "export", stderr, path+": offset ", "passed over")
	if !maps.Equal(before, hashes(t, root)) {
		t.Error("looking has changed files")
	}

	code, stdout, stderr = runFlume(t, ".", "tool", "--conf", "./conf", "FcIntegrityTool", "-dataDirs", filepath.Join(root, "data1")+","+filepath.Join(root, "data2"),
		"--eventVal", "regex", "-Dregex", "line [^7]")
	if code != exitOK {
		t.Fatalf("tool: exit code %d, %s", code, stderr)
	}
	wantAll(t, "tool", stdout, "Number of Put Events Processed = 29\n", "Number of Valid Put Events = 28\n", "Number of Invalid Put Events = 1\n", "Number of Corrupt Events = 1\n")
	wantAll(t, "tool", stderr, "copied to "+filepath.Join(root, "data1", "quarantine"), "1 event that the validator rejected moved to ")
	_, stdout, _ = runFlume(t, ".", "channel", "inspect", "-f", confFile)
	wantAll(t, "inspect", stdout, "staged      28 events", "quarantine  2 copies")
}

// TestInspectMissingFiles: the exit code tells a script that events are not where they were.
func TestInspectMissingFiles(t *testing.T) {
	t.Parallel()
	p, confFile, root, _ := stage(t, staging, 30)
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.done
	if code, stdout, stderr := runFlume(t, ".", "channel", "inspect", "-f", confFile); code != exitOK {
		t.Errorf("inspect of what is whole: exit code %d, %s%s", code, stdout, stderr)
	}
	if err := os.Remove(filepath.Join(root, "data1", "segment-00000001.wal")); err != nil {
		t.Fatal(err)
	}
	code, stdout, _ := runFlume(t, ".", "channel", "inspect", "-f", confFile)
	if code != exitFail {
		t.Errorf("inspect: exit code %d", code)
	}
	wantAll(t, "inspect", stdout, "segment-00000001.wal: offset 0: the file is missing; ", "files are missing: ")
	code, stdout, _ = runFlume(t, ".", "channel", "inspect", "--format", "json", "-f", confFile)
	var reports []channeltool.Report
	if err := json.Unmarshal([]byte(stdout), &reports); err != nil || code != exitFail || len(reports) != 1 || reports[0].MissingFiles != 1 {
		t.Errorf("inspect as JSON: exit code %d, %v, %s", code, err, stdout)
	}
}

// TestChannelMistakes gives what is no channel, and expects to be told what it is and what to do.
func TestChannelMistakes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	conf := strings.ReplaceAll(staging, "ROOT", "never")
	writeFile(t, filepath.Join(dir, "a.conf"), conf)
	writeFile(t, filepath.Join(dir, "two.conf"), change(conf, "= c1 m", "= c1 c2 m")+"a1.channels.c2.type = file\na1.channels.c2.dataDirs = d\na1.channels.c2.checkpointDir = e\n")
	writeFile(t, filepath.Join(dir, "bad.conf"), change(conf, "maxFileSize = 65536", "maxFileSize = big"))
	for name, files := range map[string][]string{
		"empty": nil, "foreign": {"readme.txt"}, "ckpt": {"wal.lock", "wal.checkpoint"}, "java": {"checkpoint", "checkpoint.meta"},
		"outer/data": {"segment-00000001.wal"}, "outer/checkpoint": {"wal.checkpoint"}, "broken": {"segment-00000001.wal"},
	} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			writeFile(t, filepath.Join(dir, name, f), strings.Repeat("text", 1000))
		}
	}
	for _, tt := range []struct{ args, want string }{
		{"", "channel needs a command: inspect, verify or export"},
		{"inspct x", `unknown command "inspct" of channel; did you mean "inspect"?`},
		{"inspect", "which channel? Name its data directories, or the configuration with --conf-file"},
		{"inspect none", "directory none does not exist; check the path"},
		{"inspect a.conf", "a.conf is a file; name the directory that it is in: ."},
		{"inspect empty", "empty: the directory is empty, no channel was ever opened in it"},
		{"verify foreign", "foreign: there is no file channel, which has files segment-….wal, or log-1, log-2, … of Apache Flume; there are readme.txt; check the path"},
		{"export ckpt", "there is a channel's checkpoint and no log; name the channel's data directories, and this one with --checkpoint"},
		{"export java", "there is a channel's checkpoint and no log"},
		{"inspect outer", "give: --checkpoint " + filepath.Join("outer", "checkpoint") + " " + filepath.Join("outer", "data")},
		{"inspect broken --checkpoint none", "directory none does not exist"},
		{"inspect broken --layout java", "there is no log of Apache Flume, only one of this program; leave out --layout"},
		{"inspect broken --layout go", `layout "go" is neither wal nor java`},
		{"inspect broken --format xml", `format "xml" is neither text nor json`},
		{"export broken --format csv", `format "csv" is neither json nor avro`},
		{"export broken --limit -1", "a limit of -1 events is negative"},
		{"export broken -o none/x", "making none/x: "},
		{"inspect broken --key-store x", "name the file it is in with --key-store-password-file"},
		{"inspect broken --key k", "keys are in a key store; name it with --key-store"},
		{"inspect broken --key-store none.jceks --key-store-password-file a.conf", "none.jceks"},
		{"inspect broken -n a1", "--name and --channel need the configuration"},
		{"inspect broken -f a.conf", "give either --conf-file or directories"},
		{"inspect -f none.conf", "none.conf: no such file"},
		{"inspect -f a.conf", "data1 of channel c1 of agent a1 does not exist: the agent has not opened the channel yet, or a disk is not mounted"},
		{"inspect -f a.conf -n a2", `the configuration has no agent named "a2"; did you mean "a1"?`},
		{"inspect -f a.conf -c m", `channel "m" of agent a1 is of type memory, which keeps nothing in directories`},
		{"inspect -f a.conf -c c3", `agent a1 has no channel "c3"; did you mean "c1"?`},
		{"inspect -f two.conf", `agent a1 has the file channels "c1", "c2"; choose one with --channel`},
		{"inspect -f bad.conf -c c1", "bad.conf:11:30: a1.channels.c1.maxFileSize: "},
	} {
		code, stdout, stderr := runFlume(t, dir, append([]string{"channel"}, strings.Fields(tt.args)...)...)
		if code != exitUsage || stdout != "" {
			t.Errorf("%q: exit code %d, %s", tt.args, code, stdout)
		}
		wantAll(t, tt.args, stderr, tt.want)
	}
	// A file that is no segment any more is damage, not a mistake.
	code, stdout, _ := runFlume(t, dir, "channel", "verify", "broken")
	if code != exitFail || !strings.Contains(stdout, "both copies of the header are damaged") {
		t.Errorf("verify of a broken segment: exit code %d, %s", code, stdout)
	}
}

// TestTool answers as Apache Flume's launcher does.
func TestTool(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "flume-ng")
	if err := os.Symlink(binary, name); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args     string
		code, ng int
		want     string
	}{
		{"", exitUsage, exitFail, "The name of a tool is missing. There is:\nFCINTEGRITYTOOL\n"},
		{"mend", exitUsage, exitFail, `cannot find tool matching "mend"; there is FCINTEGRITYTOOL`},
		{"fcintegritytool --help", exitOK, exitFail, "-l, --dataDirs DIRS "},
		{"FCINTEGRITYTOOL", exitUsage, exitFail, "option --dataDirs is missing"},
		{"FCINTEGRITYTOOL -l", exitUsage, exitFail, "option --dataDirs needs a value"},
		{"FCINTEGRITYTOOL -l x y", exitUsage, exitFail, `"y" is not an option`},
		{"FCINTEGRITYTOOL --key x", exitUsage, exitFail, "option --dataDirs is missing"},
		{"FCINTEGRITYTOOL --frob", exitUsage, exitFail, "unknown option --frob"},
		{"FCINTEGRITYTOOL -l none", exitFail, exitFail, "directory none does not exist; check the path"},
		{"-Xmx1g --conf conf FCINTEGRITYTOOL --dataDirs=none,nil -e org.apache.flume.MyEventValidator -DmaxSize 2000", exitFail, exitFail, "event validator org.apache.flume.MyEventValidator: Java classes cannot be run; use one of noop, nonempty, utf8, maxsize, regex"},
	} {
		for path, want := range map[string]int{binary: tt.code, name: tt.ng} {
			code, stdout, stderr := runCommand(t, t.TempDir(), path, append([]string{"tool"}, strings.Fields(tt.args)...)...)
			if code != want {
				t.Errorf("%s tool %s: exit code %d, want %d", filepath.Base(path), tt.args, code, want)
			}
			wantAll(t, "tool "+tt.args, stdout+stderr, tt.want)
		}
	}
}

// FuzzToolArguments: what was made of a command line is one that stays as it is.
func FuzzToolArguments(f *testing.F) {
	for _, s := range []string{"FCINTEGRITYTOOL -l a,b", "-c conf x -dataDirs=d -e regex -Dregex=a=b", "-D", "-D k v -Dk", "--key x -X -", "-h --= -=", "--k"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		first := &integrity{}
		c := toolCommand()
		name, rest, err := first.normalize(c.Flags(), strings.Fields(line))
		if err != nil {
			return
		}
		again, normal, err := (&integrity{}).normalize(c.Flags(), rest)
		if err != nil || again != "" || !cmp.Equal(rest, normal) {
			t.Fatalf("%q became %q %q, and that %q %q, %v", line, name, rest, again, normal, err)
		}
	})
}
