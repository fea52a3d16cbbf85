package proc

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// touchBlock is how much Touch writes at once.
const touchBlock = 1 << 20

// Touch has the page cache use so many bytes of memory for a file in dir, and removes the file at once.
//
// A virtual machine may tell its host of memory that it does not use, which the host then takes away. To use it again
// takes up to ten times as long as what a program does with it, so that of two equal runs one can take many times
// as long as the other. After Touch the machine has the memory again, for some seconds. Memory that is used
// for something else than files would not do: the system prefers other pages for those.
func Touch(dir string, size int64) (err error) {
	path := filepath.Join(dir, "touch")
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("bringing in memory: %w", err)
	}
	block := make([]byte, touchBlock)
	for ; size > 0 && err == nil; size -= touchBlock {
		_, err = f.Write(block)
	}
	if err = errors.Join(err, f.Close(), os.Remove(path)); err != nil {
		return fmt.Errorf("bringing in memory: %w", err)
	}
	return nil
}
