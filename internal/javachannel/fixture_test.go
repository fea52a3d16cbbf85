package javachannel_test

import (
	"archive/tar"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/internal/javachannel"
	"github.com/flume-go/flume/internal/javachannel/javachanneltest"
	"github.com/flume-go/flume/internal/vfs"
)

// fixture is a directory tree that Java Flume left behind.
type fixture struct {
	fs   *vfs.Mem
	keys string
	want []string // what Java read from it
}

// loadFixture unpacks an archive of testdata/flume; its README says how they were made.
func loadFixture(t *testing.T, name string) fixture {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zip, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	fix := fixture{fs: vfs.NewMem(1)}
	for archive := tar.NewReader(zip); ; {
		entry, err := archive.Next()
		if err == io.EOF {
			return fix
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		switch entry.Name {
		case "keys":
			fix.keys = string(content)
		case "want":
			fix.want = strings.FieldsFunc(string(content), func(r rune) bool { return r == '\n' })
		default:
			store(t, fix.fs, "/"+entry.Name, content)
		}
	}
}

func store(t *testing.T, fsys vfs.FS, name string, content []byte) {
	t.Helper()
	if err := fsys.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := fsys.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if _, err := out.Write(content); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) options(t *testing.T) javachannel.Options {
	t.Helper()
	options, err := javachanneltest.Options(f.fs, "/channel")
	if err != nil {
		t.Fatal(err)
	}
	options.Key = javachanneltest.Keys(f.keys)
	return options
}

func (f *fixture) open(t *testing.T) *javachannel.Dir {
	t.Helper()
	dir, err := javachannel.Open(t.Context(), f.options(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := dir.Close(); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// expected is what is known about a fixture beside its events.
var expected = map[string]func(r *javachannel.Report) bool{
	"open-transactions": func(r *javachannel.Report) bool {
		return r.ReturnedTakes == 11 && r.OpenTakes == 6 && r.UncommittedPuts == 10
	},
	"rolled":                 func(r *javachannel.Report) bool { return r.Logs > 2 && r.PendingTakes == 0 },
	"several-directories":    func(r *javachannel.Report) bool { return r.Logs >= 3 },
	"dual-broken":            func(r *javachannel.Report) bool { return r.Source == javachannel.FromBackup },
	"dual-compressed-broken": func(r *javachannel.Report) bool { return r.Source == javachannel.FromBackup },
	"rotated-keys":           func(r *javachannel.Report) bool { return len(r.Aliases) == 2 },
	"flume-1.2":              func(r *javachannel.Report) bool { return cmp.Equal(r.Versions, []int{2}) },
	"flume-1.2-killed":       func(r *javachannel.Report) bool { return cmp.Equal(r.Versions, []int{2}) },
	"flume-1.2-then-1.11":    func(r *javachannel.Report) bool { return cmp.Equal(r.Versions, []int{2, 3}) },
}

// TestFixtures reads what Java Flume left behind, and compares it with what Java read from it.
func TestFixtures(t *testing.T) {
	names, err := filepath.Glob("testdata/flume/*.tar.gz")
	if err != nil || len(names) < len(expected) {
		t.Fatalf("there are %d fixtures (%v)", len(names), err)
	}
	for _, name := range names {
		short := strings.TrimSuffix(filepath.Base(name), ".tar.gz")
		t.Run(short, func(t *testing.T) {
			f := loadFixture(t, name)
			dir := f.open(t)
			got, err := javachanneltest.Lines(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			r := dir.Report()
			want, got := javachanneltest.Comparable(f.want, r.ReturnedTakes), javachanneltest.Comparable(got, r.ReturnedTakes)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("events (-java +ours):\n%.2000s", diff)
			}
			if dir.Len() != len(want) || r.Delivered != len(want) || r.CorruptCount+r.TornCount+r.Lost > 0 {
				t.Errorf("report: %+v", r)
			}
			if check := expected[short]; check != nil && !check(&r) {
				t.Errorf("report: %+v", r)
			}
		})
	}
}
