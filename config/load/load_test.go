package load

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/property"
)

// open returns a Loader that is closed at the end of the test.
func open(t *testing.T, opts Options) *Loader {
	t.Helper()
	if opts.Agent == "" {
		opts.Agent = "a1"
	}
	l, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func texts(p *Properties) map[string]string {
	out := map[string]string{}
	for k, v := range p.All() {
		out[k] = v.Text
	}
	return out
}

func TestLoadMerges(t *testing.T) {
	dir := t.TempDir()
	base := write(t, dir, "base.conf", "a1.sources = r1\nport = 1\nonly = ${port}\ngone = x\n")
	site := write(t, dir, "site.conf", "# site\n  port = 2\ngone =\n")
	uri := write(t, dir, "uri.conf", "port : 3\nport : 4\n")
	l := open(t, Options{Files: []string{base, site}, URIs: []string{"file://" + uri}})
	if diff := cmp.Diff([]string{base, site, uri}, l.Sources()); diff != "" {
		t.Error(diff)
	}
	result, err := l.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"a1.sources": "r1", "port": "4", "only": "4"}
	if diff := cmp.Diff(want, texts(result.Properties)); diff != "" {
		t.Error(diff)
	}
	port, _ := result.Properties.Get("port")
	if want := (property.Position{File: uri, Line: 2, Col: 8}); port.At != want {
		t.Errorf("port is at %v, want %v", port.At, want)
	}
	wantProblems := site + ":3:1: warning: gone: has no value and is ignored, together with its definition at " + base + ":4:1; give it a value or remove it\n" +
		uri + ":2:1: warning: port: is defined again and replaces the definition at " + uri + ":1:1; remove one of the two"
	if got := result.Problems.Error(); got != wantProblems {
		t.Errorf("problems:\n%s\nwant:\n%s", got, wantProblems)
	}
	var order []string
	for k := range result.Properties.All() {
		order = append(order, k)
	}
	if diff := cmp.Diff([]string{"a1.sources", "port", "only"}, order); diff != "" {
		t.Error(diff)
	}
}

func TestPropertiesSub(t *testing.T) {
	var p Properties
	for _, k := range []string{"a1.sinks.k1.type", "a1.sinks.k1.hdfs.path", "a1.sinks.k10.type", "a1.sinks.k1", "a1.sinks.k1."} {
		p.Set(k, property.Value{Text: k})
	}
	got := p.Sub("a1.sinks.k1")
	if diff := cmp.Diff([]string{"hdfs.path", "type"}, got.Keys()); diff != "" || p.Len() != 5 {
		t.Errorf("len %d, keys:\n%s", p.Len(), diff)
	}
}

func TestNewRefuses(t *testing.T) {
	tests := []struct {
		name string
		opts Options
		want string
	}{
		{"no agent", Options{Files: []string{"f"}}, "give it with -n"},
		{"nothing", Options{Agent: "a"}, "no configuration was given"},
		{"no scheme", Options{Agent: "a", URIs: []string{"conf/flume.conf"}}, "has no scheme"},
		{"scheme", Options{Agent: "a", URIs: []string{"ftp://u:pw@h/x"}}, `scheme "ftp" is unknown`},
		{"other host's file", Options{Agent: "a", URIs: []string{"file://h/x"}}, "names no file of this machine"},
		{"no host", Options{Agent: "a", URIs: []string{"http:///x"}}, "has no host"},
		{"no resource", Options{Agent: "a", URIs: []string{"classpath:"}}, "names no resource"},
		{"malformed", Options{Agent: "a", URIs: []string{"http://u:pw@h:x/"}}, "malformed"},
		{"no ZooKeeper server", Options{Agent: "a", ZooKeeper: " ,/x"}, "names no server"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := New(tt.opts)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error %v, want %q", err, tt.want)
			}
			if strings.Contains(err.Error(), "pw") {
				t.Errorf("error %v has the password", err)
			}
		})
	}
}

func TestLoadFailures(t *testing.T) {
	dir := t.TempDir()
	tests := []struct {
		name, path, want string
	}{
		{"missing", filepath.Join(dir, "none"), "opening configuration file: open " + dir},
		{"directory", dir, "is a directory"},
		{"empty", write(t, dir, "empty.conf", "# nothing\n"), "no line with key = value is in "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := open(t, Options{Files: []string{tt.path}}).Load(t.Context())
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestExtension(t *testing.T) {
	tests := []struct{ path, want string }{
		{"/etc/flume/agent.json", "json"}, {"/etc/flume/agent.conf", "conf"}, {"/etc/flume.d/agent.json", "d/agent.json"},
		{"/etc/flume/agent", "properties"}, {"/.json", "properties"}, {"/a.yaml", "yaml"}, {"", "properties"},
	}
	for _, tt := range tests {
		if got := extension(tt.path); got != tt.want {
			t.Errorf("extension(%q) = %q, want %q", tt.path, got, tt.want)
		}
	}
	dir := t.TempDir() // has no dot in its name, else the rest would be the extension
	for _, ext := range []string{"json", "yaml", "xml"} {
		path := write(t, dir, "agent."+ext, "a = b")
		result, err := open(t, Options{Files: []string{path}}).Load(t.Context())
		if err != nil || !result.Problems.HasErrors() || !strings.Contains(result.Problems.Error(), path+": is a "+ext+" file") {
			t.Errorf("%s: problems %v, error %v", ext, result.Problems, err)
		}
	}
}

func TestFileChanges(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "f", "a=1")
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	l := open(t, Options{Files: []string{path}})
	if _, err := l.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	poll := func(step string, want map[string]string) {
		t.Helper()
		result, changed, err := l.Poll(t.Context())
		if err != nil {
			t.Fatalf("%s: %v", step, err)
		}
		if changed != (want != nil) {
			t.Fatalf("%s: changed = %v", step, changed)
		}
		if changed {
			if diff := cmp.Diff(want, texts(result.Properties)); diff != "" {
				t.Errorf("%s: %s", step, diff)
			}
		}
		if _, again, _ := l.Poll(t.Context()); again {
			t.Errorf("%s: the same change was reported twice", step)
		}
	}
	poll("unchanged", nil)
	write(t, dir, "f", "a=2")
	poll("other time", map[string]string{"a": "2"})
	write(t, dir, "f", "a=3") // perhaps within the clock's grain, and as long
	poll("fresh file", map[string]string{"a": "3"})
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	poll("touched back in time", map[string]string{"a": "3"})
	write(t, dir, "g", "a=4")
	if err := os.Chtimes(filepath.Join(dir, "g"), old, old); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "g"), path); err != nil {
		t.Fatal(err)
	}
	poll("other inode, same time and size", map[string]string{"a": "4"})
	l.Reload()
	poll("Reload", map[string]string{"a": "4"})

	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, changed, err := l.Poll(t.Context()); changed || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("removed: changed %v, error %v", changed, err)
	}
	write(t, dir, "f", "a=\\u1\nb=2")
	result, changed, err := l.Poll(t.Context())
	if !changed || err != nil || !result.Problems.HasErrors() {
		t.Errorf("broken: changed %v, error %v, problems %v", changed, err, result.Problems)
	}
}

func TestPollKeepsUnreachableSource(t *testing.T) {
	dir := t.TempDir()
	a, b := write(t, dir, "a", "a=1"), write(t, dir, "b", "b=1")
	l := open(t, Options{Files: []string{a, b}})
	if _, err := l.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(a); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "b", "b=22")
	result, changed, err := l.Poll(t.Context())
	if !changed || err == nil {
		t.Fatalf("changed %v, error %v", changed, err)
	}
	if diff := cmp.Diff(map[string]string{"a": "1", "b": "22"}, texts(result.Properties)); diff != "" {
		t.Error(diff)
	}
}

func TestClasspath(t *testing.T) {
	conf, extra := t.TempDir(), t.TempDir()
	write(t, extra, "r.conf", "from=extra")
	jar := write(t, extra, "x.jar", "")
	opts := Options{ConfDir: conf, ClassPath: jar + string(filepath.ListSeparator) + extra}
	for _, uri := range []string{"classpath:r.conf", "classpath:/r.conf", "classpath://r.conf", "classpath:///r.conf"} {
		opts.URIs = []string{uri}
		result, err := open(t, opts).Load(t.Context())
		if err != nil {
			t.Errorf("%s: %v", uri, err)
			continue
		}
		if got := texts(result.Properties)["from"]; got != "extra" {
			t.Errorf("%s: from = %q", uri, got)
		}
		if v, _ := result.Properties.Get("from"); v.At.File != uri {
			t.Errorf("%s: position %v", uri, v.At)
		}
	}
	l := open(t, opts)
	if _, err := l.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	write(t, conf, "r.conf", "from=conf")
	result, changed, err := l.Poll(t.Context())
	if err != nil || !changed || texts(result.Properties)["from"] != "conf" {
		t.Errorf("after adding to the first directory: changed %v, %v, error %v", changed, result.Properties, err)
	}
	opts.URIs = []string{"classpath:none"}
	if _, err := open(t, opts).Load(t.Context()); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), conf) {
		t.Errorf("missing resource: %v", err)
	}
}

func TestBackup(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "f", "a1.x = ${env:X}\ny=$${z} é\\u0020\nport=1\n")
	opts := Options{Files: []string{path}, BackupDir: filepath.Join(dir, "deep", "backup"), LookupEnv: lookupIn(map[string]string{"X": "${b"})}
	first, err := open(t, opts).Load(t.Context())
	if err != nil || first.Backup || len(first.Problems) > 0 {
		t.Fatalf("backup %v, problems %v, error %v", first.Backup, first.Problems, err)
	}
	backup := filepath.Join(opts.BackupDir, ".a1.properties")
	info, err := os.Stat(backup)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("backup %v: %v", info, err)
	}
	if entries, err := os.ReadDir(opts.BackupDir); err != nil || len(entries) != 1 {
		t.Errorf("backup directory has %v, error %v", entries, err)
	}

	// An erroneous configuration leaves the backup alone.
	write(t, dir, "f", "a=\\u1")
	if result, err := open(t, opts).Load(t.Context()); err != nil || !result.Problems.HasErrors() {
		t.Errorf("problems %v, error %v", result.Problems, err)
	}
	for _, step := range []struct {
		name string
		do   func() error
		why  string
	}{
		{"file emptied", func() error { return os.WriteFile(path, nil, 0o600) }, "no line with key = value is in "},
		{"file missing", func() error { return os.Remove(path) }, "no such file"},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		l := open(t, opts)
		second, err := l.Load(t.Context())
		if err != nil || !second.Backup || second.Problems.HasErrors() {
			t.Fatalf("%s: backup %v, problems %v, error %v", step.name, second.Backup, second.Problems, err)
		}
		if diff := cmp.Diff(texts(first.Properties), texts(second.Properties)); diff != "" {
			t.Errorf("%s: %s", step.name, diff)
		}
		if got := second.Problems.Error(); !strings.Contains(got, step.why) || !strings.Contains(got, backup) {
			t.Errorf("%s: problems %s", step.name, got)
		}
	}

	l := open(t, opts)
	if _, err := l.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, changed, err := l.Poll(t.Context()); changed || err == nil {
		t.Errorf("still missing: changed %v, error %v", changed, err)
	}
	write(t, dir, "f", "a=new")
	result, changed, err := l.Poll(t.Context())
	if err != nil || !changed || result.Backup || texts(result.Properties)["a"] != "new" {
		t.Errorf("file is back: %v, changed %v, error %v", result, changed, err)
	}

	opts.BackupDir = path // a file
	if result, err := open(t, opts).Load(t.Context()); err != nil || len(result.Problems) != 1 || result.Problems.HasErrors() {
		t.Errorf("backup cannot be written: problems %v, error %v", result.Problems, err)
	}
}

func TestWatch(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "f", "a=1")
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		l := open(t, Options{Files: []string{path}, Log: slog.New(slog.NewTextHandler(&log, nil))})
		if _, err := l.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var (
			mu  sync.Mutex
			got []string
		)
		done := make(chan struct{})
		go func() {
			defer close(done)
			l.Watch(ctx, 30*time.Second, func(_ context.Context, r Result, _ error) {
				mu.Lock()
				defer mu.Unlock()
				got = append(got, texts(r.Properties)["a"])
			})
		}()
		pass := func(d time.Duration, want ...string) {
			t.Helper()
			timer := time.NewTimer(d)
			<-timer.C
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("applied: %s", diff)
			}
		}
		pass(time.Minute)
		write(t, dir, "f", "a=22")
		pass(time.Second)
		pass(30*time.Second, "22")
		pass(time.Minute, "22")
		l.Reload()
		pass(time.Second, "22", "22")
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		pass(5*time.Minute, "22", "22")
		write(t, dir, "f", "a=333")
		pass(time.Minute, "22", "22", "333")
		if n := strings.Count(log.String(), "cannot be read"); n != 1 || !strings.Contains(log.String(), "can be read again") {
			t.Errorf("log:\n%s", &log)
		}
		cancel()
		<-done
	})
}

func TestWatchWithoutInterval(t *testing.T) {
	path := write(t, t.TempDir(), "f", "a=1")
	synctest.Test(t, func(t *testing.T) {
		l := open(t, Options{Files: []string{path}})
		if _, err := l.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		applied := make(chan Result)
		go func() {
			defer close(applied)
			l.Watch(ctx, 0, func(_ context.Context, r Result, _ error) { applied <- r })
		}()
		l.Reload()
		if r := <-applied; texts(r.Properties)["a"] != "1" {
			t.Errorf("applied %v", r)
		}
		cancel()
		if _, more := <-applied; more {
			t.Error("Watch applied after its end")
		}
	})
}

func TestPollInterval(t *testing.T) {
	tests := []struct {
		seconds int
		uris    []string
		want    time.Duration
	}{
		{0, nil, 30 * time.Second}, {0, []string{"file:///x"}, 30 * time.Second}, {0, []string{"file:///x", "https://x"}, 300 * time.Second}, {7, []string{"http://x"}, 7 * time.Second},
	}
	for _, tt := range tests {
		opts := Options{URIs: tt.uris}
		if got := opts.PollInterval(tt.seconds); got != tt.want {
			t.Errorf("PollInterval(%d) with %v = %v, want %v", tt.seconds, tt.uris, got, tt.want)
		}
	}
}
