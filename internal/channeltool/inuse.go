package channeltool

import (
	"errors"
	"path/filepath"

	"github.com/flume-go/flume/internal/javalock"
	"github.com/flume-go/flume/internal/vfs"
)

// walLock is the file by whose lock this program keeps its log from others of its kind.
const walLock = "wal.lock"

// user says who has one of these directories open, as "process 4711", by the lock of Apache Flume, which this program
// takes as well; empty if nobody is seen. told is false if that cannot be looked at. Nothing is locked.
func user(dirs []string) (by string, told bool) {
	told = true
	for _, dir := range dirs {
		by, err := javalock.User(vfs.OS{}, dir)
		if by != "" {
			return by, true
		}
		told = told && err == nil
	}
	return "", told
}

// locked says whether somebody holds the log's own lock of a directory, and whether that can be told at all. It has to
// take the lock to find out, and gives it back at once.
func locked(dirs []string) (held, told bool) {
	for _, dir := range dirs {
		path := filepath.Join(dir, walLock)
		if stat(path) == nil {
			continue // and is not made
		}
		l, err := vfs.OS{}.Lock(path)
		if errors.Is(err, vfs.ErrLocked) {
			return true, true
		}
		if err != nil {
			return false, false
		}
		l.Close()
	}
	return false, true
}
