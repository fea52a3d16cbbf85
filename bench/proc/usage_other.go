//go:build !linux

package proc

import (
	"errors"
	"fmt"
)

// errLinux is the answer of everything here: the figures come from /proc.
var errLinux = fmt.Errorf("measuring other processes reads Linux's /proc: %w", errors.ErrUnsupported)

// ReadUsage reports that this system cannot be asked.
func ReadUsage(int) (Usage, error) { return Usage{}, errLinux }

// OpenFiles reports that this system cannot be asked.
func OpenFiles(int) (int, error) { return 0, errLinux }

// AllowFiles reports that this system cannot be asked.
func AllowFiles(uint64) error { return errLinux }

// Settle does nothing: there will be no measurement to prepare for.
func Settle() {}

// DeviceReads reports that this system cannot be asked.
func DeviceReads(int) (int64, error) { return 0, errLinux }
