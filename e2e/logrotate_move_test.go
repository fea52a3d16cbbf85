//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/flume-go/flume/e2e/harness"
)

// TestTaildirMoves does to followed files what rotation does not, with an agent that is killed before it and one
// that runs, and requires each line once.
func TestTaildirMoves(t *testing.T) {
	t.Parallel()
	head := strings.Repeat("a line of the beginning\n", 60)
	for _, c := range []struct {
		name string
		do   func(t *testing.T, dir string)
		want string // behind the head
	}{
		{"deleted and created with the same inode", func(t *testing.T, dir string) {
			path := filepath.Join(dir, "one", "app.log")
			inode := inodeOf(t, path)
			for range 50 { // most file systems use the number again at once
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
				harness.WriteFile(t, path, "")
				if inodeOf(t, path) == inode {
					break
				}
			}
			harness.WriteFile(t, path, "another file\n"+strings.Repeat("of the same size, or larger\n", 60))
			t.Logf("the inode was %d and is %d", inode, inodeOf(t, path)) // while the agent holds the former it cannot be the same
		}, "another file\n" + strings.Repeat("of the same size, or larger\n", 60)},
		{"moved to another group", func(t *testing.T, dir string) {
			run(t, dir, "mv one/app.log two/app.log && echo more >>two/app.log")
		}, "more\n"},
		{"rotated three times with gzip", func(t *testing.T, dir string) {
			run(t, dir, "echo late >>one/app.log; mv one/app.log one/app.log.1; gzip one/app.log.1; mv one/app.log.1.gz one/app.log.3.gz; "+
				"echo two >one/app.log; mv one/app.log one/app.log.2; gzip one/app.log.2; echo three >one/app.log")
		}, "late\ntwo\nthree\n"},
	} {
		for _, killed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/killed=%v", c.name, killed), func(t *testing.T) {
				t.Parallel()
				site := harness.NewSite(t)
				var conf topology
				conf.source("r", "c", "type = taildir", "positionFile = <path positions.json>", "filegroups = a b", "compressedFiles = read",
					"filegroups.a = <dir one>/app[.]log.*", "filegroups.b = <dir two>/.*", "unterminatedLine = wait")
				conf.channel("c", "type = file", "checkpointDir = <path checkpoint>", "dataDirs = <path data>", "minimumRequiredSpace = 1048576")
				conf.sink("k", "c", "type = file_roll", "sink.directory = <dir out>", "sink.rollInterval = 0")
				text, port := site.Expand(conf.String()), harness.FreePort(t)
				harness.WriteFile(t, filepath.Join(site.Dir("one"), "app.log"), head)
				v := startVictim(t, site.Dir("agent"), text, port)
				defer func() { v.kill() }()
				requireStored(t, site, head)
				w := &world{metric: port}
				w.empty(t, v)
				if killed {
					v.kill()
				}
				c.do(t, site.Path(""))
				if killed {
					v = startVictim(t, site.Dir("agent"), text, port)
				}
				requireLines(t, site, head+c.want)
				v.stop(t)
				v = startVictim(t, site.Dir("agent"), text, port)
				harness.Eventually(t, deliveryLimit, "the source to have looked", func() bool { return v.log.contains("following files") })
				w.empty(t, v)
				v.stop(t)
				requireLines(t, site, head+c.want)
			})
		}
	}
}

// run runs a shell command.
func run(t *testing.T, dir, script string) {
	t.Helper()
	if out, status := harness.RunProgram(t, harness.Program{Argv: []string{"sh", "-e", "-c", script}, Dir: dir}); status != 0 {
		t.Fatalf("%s ended with status %d: %s", script, status, out)
	}
}

func inodeOf(t *testing.T, path string) uint64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		t.Fatalf("%s has no inode", path)
	}
	return stat.Ino
}

// requireLines waits until the store out has these lines, in any order, and not one more.
func requireLines(t *testing.T, site *harness.Site, want string) {
	t.Helper()
	var got string
	if !harness.Poll(deliveryLimit, func() bool {
		got = harness.ReadFiles(t, site.Dir("out"))
		return sortedLines(got) == sortedLines(want)
	}) {
		t.Errorf("stored are %d bytes, want %d; the end is %q", len(got), len(want), got[max(0, len(got)-200):])
	}
}

// sortedLines returns the lines of text in order.
func sortedLines(text string) string {
	all := strings.SplitAfter(text, "\n")
	slices.Sort(all)
	return strings.Join(all, "")
}
