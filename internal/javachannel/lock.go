package javachannel

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/flume-go/flume/internal/javalock"
)

// guard finds the directories that others use, and locks all that there are if the options say so.
func guard(opts Options) (held io.Closer, inUse []string, err error) {
	if opts.Held {
		return nil, nil, nil
	}
	var dirs []string
	for _, dir := range opts.dirs() {
		by, err := javalock.User(opts.FS, dir)
		if err != nil {
			return nil, nil, fmt.Errorf("examining the lock of directory %s: %w", dir, err)
		}
		if by != "" {
			if inUse = append(inUse, dir); !opts.InUse {
				return nil, inUse, fmt.Errorf("directory %s is %w (%s has it open)", dir, ErrInUse, by)
			}
		}
		if _, err := opts.FS.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			dirs = append(dirs, dir)
		}
	}
	if !opts.Lock || len(inUse) > 0 {
		return nil, inUse, nil
	}
	held, err = javalock.Lock(opts.FS, dirs...)
	if errors.Is(err, javalock.ErrLocked) {
		err = fmt.Errorf("%w: %w", ErrInUse, err)
	}
	return held, nil, err
}
