//go:build !linux

package proc

import (
	"errors"
	"fmt"
)

// Cores are the numbers of the cores that this program may use.
func Cores() ([]int, error) {
	return nil, fmt.Errorf("asking for the cores of this program: %w", errors.ErrUnsupported)
}

// onCores calls start; the system is not known to keep a program to some cores.
func onCores(cores []int, start func() error) error {
	if len(cores) > 0 {
		return fmt.Errorf("choosing cores %v: %w", cores, errors.ErrUnsupported)
	}
	return start()
}
