package taildir

import (
	"context"
	"io/fs"
	"os"
	"time"

	"github.com/flume-go/flume/internal/filewatch"
)

// system is what the source asks the operating system about names. Between any two
// of its answers everything may have changed: names, files and what they contain. The
// tests let exactly that happen.
type system interface {
	// stat describes what a path leads to.
	stat(path string) (fs.FileInfo, error)
	// lstat is stat for a link itself.
	lstat(path string) (fs.FileInfo, error)
	// open opens a file for reading, or a directory. The caller closes it.
	open(path string) (*os.File, error)
	// watch begins to collect notifications of changes. The caller closes it.
	watch() (watcher, error)
}

// watcher collects notifications, as filewatch.Watcher does.
type watcher interface {
	Add(dir string) error
	Remove(dir string)
	Wait(ctx context.Context, d time.Duration) bool
	Drain(each func(filewatch.Change)) (lost bool)
	Close() error
}

// realSystem is the operating system.
type realSystem struct{}

func (realSystem) stat(path string) (fs.FileInfo, error)  { return os.Stat(path) }
func (realSystem) lstat(path string) (fs.FileInfo, error) { return os.Lstat(path) }
func (realSystem) open(path string) (*os.File, error)     { return os.OpenFile(path, openFlags, 0) }

func (realSystem) watch() (watcher, error) {
	w, err := filewatch.New()
	if err != nil {
		return nil, err // not w, which would be no nil interface
	}
	return w, nil
}
