package proc

import (
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// Cores are the numbers of the cores that this program may use.
func Cores() ([]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, fmt.Errorf("asking for the cores of this program: %w", err)
	}
	var cores []int
	for core := 0; len(cores) < set.Count(); core++ {
		if set.IsSet(core) {
			cores = append(cores, core)
		}
	}
	return cores, nil
}

// onCores calls start so that the program it starts may use only these cores: a program inherits them from the thread that
// starts it.
func onCores(cores []int, start func() error) (err error) {
	if len(cores) == 0 {
		return start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, some unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return fmt.Errorf("asking for the cores of this program: %w", err)
	}
	for _, core := range cores {
		some.Set(core)
	}
	if err := unix.SchedSetaffinity(0, &some); err != nil {
		return fmt.Errorf("choosing cores %v: %w", cores, err)
	}
	defer func() { err = errors.Join(err, unix.SchedSetaffinity(0, &all)) }()
	return start()
}
