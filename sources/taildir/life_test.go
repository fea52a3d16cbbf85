//go:build unix

package taildir

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/vfs"
)

// put writes a file where positions are kept.
func (r *rig) put(name, text string) {
	r.t.Helper()
	r.must(vfs.MkdirAllSync(r.files, "/state", 0o755))
	r.must(vfs.ReplaceFile(r.files, name, []byte(text), 0o600))
}

func (r *rig) inode(name string) uint64 {
	r.t.Helper()
	info, err := os.Stat(r.path(name))
	r.must(err)
	return idOf(info, "").ino
}

// TestTakingOver starts the source on position files of Apache Flume.
func TestTakingOver(t *testing.T) {
	text, bodies := lines("old", 0, 5)
	at := func(r *rig, name string, inode uint64, pos int) string {
		return fmt.Sprintf(`{"inode":%d,"pos":%d,"file":%q}`, inode, pos, r.path(name))
	}
	for _, c := range []struct {
		name  string
		setup func(r *rig) string // writes files and returns the position file
		want  []string
		log   []string
	}{
		{
			"as it was left",
			func(r *rig) string {
				r.write("app.log", text)
				return "[" + at(r, "app.log", r.inode("app.log"), 26) + "]"
			},
			bodies[1:], []string{"taken over"},
		},
		{
			"of another machine",
			func(r *rig) string { r.write("app.log", text); return "[" + at(r, "app.log", 1, 26) + "]" },
			bodies, nil,
		},
		{
			"longer than the file",
			func(r *rig) string {
				r.write("app.log", text)
				return "[" + at(r, "app.log", r.inode("app.log"), 1000) + "]"
			},
			bodies, []string{"is not the one that was read before"},
		},
		{
			"renamed since",
			func(r *rig) string {
				r.write("app.log", text)
				p := "[" + at(r, "app.log", r.inode("app.log"), 26) + "]"
				r.rename("app.log", "app.log.1")
				return p
			},
			bodies[1:], nil,
		},
		{
			"damaged behind the entry",
			func(r *rig) string {
				r.write("app.log", text)
				return "[" + at(r, "app.log", r.inode("app.log"), 26) + `,{"inode":`
			},
			bodies[1:], []string{"the position file is damaged", stateFile + ".damaged"},
		},
		{
			"empty",
			func(r *rig) string { r.write("app.log", text); return "" },
			bodies, nil,
		},
		{
			"of a compressed file, which Flume reads as it is",
			func(r *rig) string {
				packed := packText([]byte(text), true)
				r.write("app.log.1.gz", string(packed))
				return "[" + at(r, "app.log.1.gz", r.inode("app.log.1.gz"), len(packed)) + "]"
			},
			nil, nil,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			follow(t, func(r *rig) {
				positions := c.setup(r)
				r.put(stateFile, positions)
				r.start()
				pass(looked)
				r.expect(slices.Clone(c.want)...)
				if len(c.log) > 0 && !r.log.has(c.log...) {
					t.Errorf("the log does not say %q:\n%s", c.log, r.log)
				}
				r.stop()
				r.start()
				pass(looked)
				r.expect()
			})
		})
	}
}

// TestPositionsOfOthers checks whose word counts when the position file is not the
// one that was written last.
func TestPositionsOfOthers(t *testing.T) {
	text, bodies := lines("old", 0, 60)
	stopped := func(t *testing.T, f func(r *rig)) {
		follow(t, func(r *rig) {
			r.write("app.log", text)
			r.start()
			pass(looked)
			r.stop()
			r.out.reset()
			f(r)
		})
	}
	t.Run("written back by Apache Flume", func(t *testing.T) {
		stopped(t, func(r *rig) {
			r.put(stateFile, strings.Replace(r.stored(), `"pos":1610`, `"pos":26`, 1))
			r.start()
			pass(looked)
			r.expect(bodies[1:]...)
		})
	})
	t.Run("removed", func(t *testing.T) {
		stopped(t, func(r *rig) {
			r.must(r.files.Remove(stateFile))
			r.start()
			pass(looked)
			r.expect(slices.Clone(bodies)...)
			if !r.log.has("the position file was removed") {
				t.Errorf("the log does not say so:\n%s", r.log)
			}
		})
	})
	t.Run("damaged, with a journal", func(t *testing.T) {
		stopped(t, func(r *rig) {
			r.put(stateFile, r.stored()[:10])
			r.write("app.log", "more\n")
			r.start()
			pass(looked)
			r.expect("more")
		})
	})
	t.Run("without a journal", func(t *testing.T) {
		stopped(t, func(r *rig) {
			r.must(r.files.Remove(stateFile + journalSuffix))
			r.write("app.log", "more\n")
			r.start()
			pass(looked)
			r.expect("more")
		})
	})
	t.Run("of something else", func(t *testing.T) {
		stopped(t, func(r *rig) {
			const foreign = `{"precious":"data"}`
			r.put(stateFile, foreign)
			err := r.src.Run(context.Background(), r.out)
			if err == nil || !strings.Contains(err.Error(), stateFile) || !strings.Contains(err.Error(), "positionFile") {
				t.Errorf("Run returned %v", err)
			}
			if r.stored() != foreign {
				t.Errorf("the file is now %s", r.stored())
			}
		})
	})
	t.Run("in use", func(t *testing.T) {
		stopped(t, func(r *rig) {
			lock, err := r.files.Lock(stateFile + ".lock")
			r.must(err)
			defer lock.Close()
			if err := r.src.Run(context.Background(), r.out); !errors.Is(err, vfs.ErrLocked) {
				t.Errorf("Run returned %v", err)
			}
		})
	})
}

// TestPositionFileOnTheWay reads the position file while the source runs, as people do.
func TestPositionFileOnTheWay(t *testing.T) {
	follow(t, func(r *rig) {
		r.start()
		pass(looked)
		if got := r.stored(); got != "[]" {
			t.Errorf("without files it is %q", got)
		}
		r.write("app.log", "a\nb\npart")
		pass(5 * time.Second)
		want := fmt.Sprintf(`[{"inode":%d,"pos":4,"file":"%s"}]`, r.inode("app.log"), r.path("app.log"))
		if got := r.stored(); got != want {
			t.Errorf("position file %s\nwant          %s", got, want)
		}
	})
}

// TestDiskFull lets positions fail to be stored for a while: events go on, and
// nothing comes again after a stop when they can be stored again.
func TestDiskFull(t *testing.T) {
	r := newRig(t)
	full := false
	synctest.Test(t, func(*testing.T) {
		defer r.close()
		failing := vfs.NewFailing(r.files, func(op vfs.Op) vfs.Action {
			if full && (op.Kind == vfs.OpWrite || op.Kind == vfs.OpSync) {
				return vfs.Action{Err: syscall.ENOSPC}
			}
			return vfs.Action{}
		})
		if err := r.make(); err != nil {
			t.Fatal(err)
		}
		r.src.fs = failing
		r.run()
		r.write("app.log", "a\n")
		pass(looked)
		full = true
		r.write("app.log", "b\n")
		pass(10 * time.Second)
		r.expect("a", "b")
		if !r.log.has("ERROR", "positions cannot be stored", stateFile) || r.counter("GenericProcessingFail") == 0 {
			t.Errorf("nobody is told:\n%s", r.log)
		}
		full = false
		r.write("app.log", "c\n")
		pass(10 * time.Second)
		if !r.log.has("positions can be stored again") {
			t.Errorf("the end of it is not told:\n%s", r.log)
		}
		r.stop()
		r.start()
		pass(looked)
		r.expect("c")
	})
}

// TestBadInput puts things in the directory that are no logs. What is wrong is
// told once with its name, and the rest goes on.
func TestBadInput(t *testing.T) {
	for _, c := range []struct {
		name  string
		setup func(r *rig)
		log   []string // nil: nothing is said
		fix   func(r *rig)
		fixed []string
	}{
		{"named pipe", func(r *rig) { r.must(syscall.Mkfifo(r.path("app.bad"), 0o600)) }, []string{"app.bad", "not a regular file", "pattern"}, nil, nil},
		{"directory", func(r *rig) { r.must(os.Mkdir(r.path("app.bad"), 0o700)) }, nil, nil, nil},
		{"link to itself", func(r *rig) { r.must(os.Symlink(r.path("app.bad"), r.path("app.bad"))) }, []string{"app.bad", "too many levels"}, nil, nil},
		{"link to nowhere", func(r *rig) { r.must(os.Symlink(r.path("nowhere"), r.path("app.bad"))) }, nil, nil, nil},
		{"link to a device", func(r *rig) { r.must(os.Symlink("/dev/zero", r.path("app.bad"))) }, []string{"app.bad", "not a regular file"}, nil, nil},
		{"torn gzip file", func(r *rig) {
			r.set1("compressedFiles = read")
			packed := packText([]byte("whole\n"), true)
			r.write("app.bad", string(packed[:len(packed)-6]))
		}, []string{"app.bad", "unexpected EOF"}, func(r *rig) {
			r.must(os.WriteFile(r.path("app.bad"), packText([]byte("whole\n"), true), 0o600))
		}, []string{"whole"}},
		{"not gzip but for its first bytes", func(r *rig) {
			r.write("app.bad", "\x1f\x8b\x08 and so on, but this is not packed at all\n")
		}, []string{"app.bad", "compressedFiles"}, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			follow(t, func(r *rig) {
				c.setup(r)
				r.write("app.log", "good\n")
				r.start()
				pass(time.Minute)
				want := []string{"good"}
				if got := slices.DeleteFunc(r.out.bodies(), func(b string) bool { return b == "whole" }); !slices.Equal(got, want) {
					t.Errorf("events %q, want %q", got, want)
				}
				said := 0
				for _, line := range strings.Split(r.log.String(), "\n") {
					if strings.Contains(line, "app.bad") && !strings.Contains(line, "DEBUG") {
						said++
					}
				}
				if c.log == nil && said > 0 || c.log != nil && (said != 1 || !r.log.has(c.log...)) {
					t.Errorf("%d lines speak of it, wanted is one with %q:\n%s", said, c.log, r.log)
				}
				if c.fix != nil {
					c.fix(r)
					pass(time.Minute)
					if got := r.out.bodies(); !slices.Contains(got, c.fixed[0]) {
						t.Errorf("after it was corrected the events are %q", got)
					}
				}
			})
		})
	}
}

// TestCompressed has files that were compressed before the source ever saw them,
// and one that is while it is read.
func TestCompressed(t *testing.T) {
	text, bodies := lines("old", 0, 3000)
	for _, gz := range []bool{true, false} {
		suffix := map[bool]string{true: ".gz", false: ".zst"}[gz]
		t.Run("finish"+suffix, func(t *testing.T) {
			follow(t, func(r *rig) {
				r.write("app.log", text[:len(text)/2])
				r.start()
				pass(looked)
				r.stop()
				n := r.out.count()
				r.out.reset()
				r.must(os.WriteFile(r.path("app.log.1"+suffix), packText([]byte(text), gz), 0o600))
				r.remove("app.log")
				r.write("app.log", "new\n")
				r.must(os.WriteFile(r.path("app.log.2"+suffix), packText([]byte("unknown\n"), gz), 0o600))
				r.start()
				pass(looked)
				r.expect(append(slices.Clone(bodies[n:]), "new")...)
				r.stop()
				r.start()
				pass(looked)
				r.expect()
			})
		})
		t.Run("read"+suffix, func(t *testing.T) {
			follow(t, func(r *rig) {
				r.must(os.WriteFile(r.path("app.log.1"+suffix), packText([]byte(text+"open"), gz), 0o600))
				r.start()
				pass(looked)
				r.expect(append(slices.Clone(bodies), "open")...)
			}, "compressedFiles = read")
		})
		t.Run("raw"+suffix, func(t *testing.T) {
			follow(t, func(r *rig) {
				packed := packText([]byte(text), gz)
				r.must(os.WriteFile(r.path("app.log.1"+suffix), append(packed, '\n'), 0o600))
				r.start()
				pass(looked)
				if got := strings.Join(r.out.bodies(), "\n"); len(got) < len(packed)-100 {
					t.Errorf("%d of %d bytes have come", len(got), len(packed))
				}
			}, "compressedFiles = raw")
		})
	}
}

// TestLongLines grows a line bit by bit to more than a block and to more than may be.
func TestLongLines(t *testing.T) {
	const limit = 1 << 20
	follow(t, func(r *rig) {
		r.start()
		long := strings.Repeat("0123456789abcdef", limit/16)
		for i := 0; i < len(long); i += 100_000 {
			r.write("app.log", long[i:min(i+100_000, len(long))])
			pass(time.Second)
		}
		if n := r.out.count(); n > 0 {
			t.Fatalf("%d events have come before the line has an end", n)
		}
		r.write("app.log", "\nshort\n")
		pass(looked)
		r.expect(long, "short")
		for range 3 {
			r.write("app.log", long)
			pass(time.Second)
		}
		r.write("app.log", "end\nshort\n")
		pass(looked)
		r.expect(long, long, long, "end", "short")
		if n := r.counter("split_lines"); n != 3 || !r.log.has("maxLineLength", r.path("app.log")) {
			t.Errorf("%d cuts are counted:\n%s", n, r.log)
		}
	}, fmt.Sprintf("maxLineLength = %d", limit))
}

// TestMultilineFollowed lets the lines of an event come one by one.
func TestMultilineFollowed(t *testing.T) {
	follow(t, func(r *rig) {
		r.start()
		for _, line := range []string{"first\n", "  a\n", "  b\n"} {
			r.write("app.log", line)
			pass(2 * time.Second)
		}
		r.expect() // it may go on
		r.write("app.log", "second\n")
		pass(looked)
		r.expect("first\n  a\n  b")
		r.stop() // the second is not lost with what is in memory
		r.write("app.log", "  c\n")
		r.start()
		pass(looked)
		r.expect()
		pass(6 * time.Second)
		r.expect("second\n  c")
	}, `multiline.pattern = ^\s`)
}

func TestHeaders(t *testing.T) {
	follow(t, func(r *rig) {
		r.write("app.log", "a\nbc\n")
		r.start()
		pass(looked)
		r.out.mu.Lock()
		defer r.out.mu.Unlock()
		var got []string
		for i := range r.out.events {
			var all []string
			for _, h := range r.out.events[i].Headers {
				all = append(all, h.Key+"="+h.Value)
			}
			got = append(got, string(r.out.events[i].Body)+": "+strings.Join(all, " "))
		}
		want := []string{
			"a: byteoffset=0 a.b=c origin=" + r.path("app.log"),
			"bc: byteoffset=2 a.b=c origin=" + r.path("app.log"),
		}
		if !slices.Equal(got, want) {
			t.Errorf("events %q\nwant   %q", got, want)
		}
	}, "byteOffsetHeader = true", "fileHeader = true", "fileHeaderKey = origin", "headers.g1.a.b = c", "headers.g1.origin = replaced")
}

// TestFairness has one file with much to read and many with little.
func TestFairness(t *testing.T) {
	follow(t, func(r *rig) {
		big, _ := lines("big", 0, 50_000)
		r.write("app-a.log", big)
		for i := range 50 {
			r.write(fmt.Sprintf("app-b%d.log", i), "small\n")
		}
		r.start()
		pass(looked)
		last := 0
		for i, b := range r.out.bodies() {
			if b == "small" {
				last = i
			}
		}
		if last > 25_000 {
			t.Errorf("the last of the small files was read after %d events of the big one", last)
		}
		if r.out.count() != 50_050 || r.out.most > 100 {
			t.Errorf("%d events have come, at most %d at once", r.out.count(), r.out.most)
		}
		if n := r.src.count.open.Value(); n > 8 {
			t.Errorf("%d files are open", n)
		}
	}, "maxOpenFiles = 8")
}

// TestFullChannel lets the channel refuse for a while.
func TestFullChannel(t *testing.T) {
	follow(t, func(r *rig) {
		refused := 0
		r.out.fail = func(*event.Batch) error {
			if refused++; refused < 6 {
				return flow.ErrFull
			}
			return nil
		}
		r.write("app.log", "a\nb\n")
		r.start()
		pass(time.Minute)
		r.expect("a", "b")
		if !r.log.has("handing on events fails") || !r.log.has("works again") {
			t.Errorf("the log does not tell:\n%s", r.log)
		}
	})
}

// TestOrderOfRotation keeps a log's lines in order when the new file has lines
// before the former is read.
func TestOrderOfRotation(t *testing.T) {
	follow(t, func(r *rig) {
		text, bodies := lines("old", 0, 40_000) // several blocks
		r.write("app.log", "first\n")
		r.start()
		pass(looked)
		r.write("app.log", text)
		r.rename("app.log", "app.log.1")
		r.write("app.log", "new\n")
		pass(looked)
		want := append([]string{"first"}, bodies...)
		if got := r.out.bodies(); !slices.Equal(got, append(want, "new")) {
			t.Errorf("%d events have come, new is number %d", len(got), slices.Index(got, "new"))
		}
	}, "batchSize = 1000")
}

// TestTold checks with the system's clock that a line comes long before the next look.
func TestTold(t *testing.T) {
	r := newRig(t, "changeNotifications = true", "backoffSleepIncrement = 60000", "maxBackoffSleep = 600000")
	r.start()
	defer r.stop()
	r.write("app.log", "a\n")
	r.out.await(t, 1)
	r.write("app.log", "b\n")
	r.out.await(t, 2)
	r.rename("app.log", "app.log.1")
	r.write("app.log.1", "c\n")
	r.write("app.log", "d\n")
	r.out.await(t, 4)
	r.copy("app.log", "app.log.2")
	r.truncate("app.log")
	r.write("app.log", "e\n")
	r.out.await(t, 5)
	if got := r.out.bodies(); !slices.Equal(got, []string{"a", "b", "c", "d", "e"}) {
		t.Errorf("events %q", got)
	}
}

// TestMissingDirectory names the group whose directory is not there.
func TestMissingDirectory(t *testing.T) {
	r := newRig(t, "filegroups.g1 = $DIR/nowhere/.*")
	if err := r.make(); err != nil {
		t.Fatal(err)
	}
	err := r.src.Run(t.Context(), r.out)
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "filegroups.g1") || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("Run returned %v", err)
	}
}

// TestDirectoryComesAndGoes takes the directory away from a running source.
func TestDirectoryComesAndGoes(t *testing.T) {
	follow(t, func(r *rig) {
		r.must(os.Mkdir(r.path("d"), 0o700))
		r.start()
		r.write("d/app.log", "a\n")
		pass(looked)
		r.must(os.RemoveAll(r.path("d")))
		pass(looked)
		if !r.log.has("cannot be listed", r.path("d")) {
			t.Errorf("the log does not say so:\n%s", r.log)
		}
		r.must(os.Mkdir(r.path("d"), 0o700))
		r.write("d/app.log", "b\n")
		pass(looked)
		r.expect("a", "b")
	}, "filegroups.g1 = $DIR/d/.*")
}

func TestConfig(t *testing.T) {
	for _, c := range []struct {
		setting string
		want    string // part of the problem; "" for none
	}{
		{"batchSize = 7", ""},
		{"filegroups.g1 = $DIR/(", "column 2"},
		{"filegroups.g1 = $DIR/", "no pattern"},
		{"filegroups = g1 g2", `group "g2" has no path`},
		{"filegroups = g2", "no group has a path"},
		{"filegroups.g3 = /x/y", "not listed"},
		{"headers.g1 = x", "names no header"},
		{"headers.g7.a = x", `no group "g7"`},
		{"multiline.pattern = (", "regular expression"},
		{"multiline.what = next", "no effect"},
		{"maxBatchCount = 0", "maxBatchCount"},
		{"fileheader = true", `"fileHeader"`},
	} {
		t.Run(c.setting, func(t *testing.T) {
			r := newRig(t, c.setting)
			if got := r.problems(); (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
				t.Errorf("problems %q, want %q", got, c.want)
			}
		})
	}
}
