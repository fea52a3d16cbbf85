package proc

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Chill has the system forget what it keeps of the files below dir in its page cache, so that the next who
// reads them has to go to the disk. It writes out what is unwritten first. Whether it worked is
// seen afterwards, in DeviceReads of the reader. Elsewhere than on Linux it does nothing but sync.
func Chill(dir string) error {
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := f.Sync(); err != nil {
			return err
		}
		return forget(f)
	})
	if err != nil {
		return fmt.Errorf("clearing the page cache of %s: %w", dir, err)
	}
	return nil
}
