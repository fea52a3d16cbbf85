package launch

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// JVM is what a command line said to the Java virtual machine.
type JVM struct {
	// System are the -Dkey=value properties; a later one wins.
	System map[string]string
	// MaxHeap is -Xmx in bytes, 0 if not given. It was the memory that a
	// memory channel's default byteCapacity was reckoned from, and still is.
	MaxHeap int64
	// Ignored are the options that mean nothing here, as written.
	Ignored []string
}

// ignoredPrefixes begin options of the JVM without meaning here.
var ignoredPrefixes = []string{"-X", "-agentlib", "-agentpath", "-javaagent", "-verbose", "-ea", "-da", "-server", "--add-opens", "--add-exports", "--add-modules"}

// take takes arg if it is an option of the JVM.
func (j *JVM) take(arg string) (bool, error) {
	switch {
	case strings.HasPrefix(arg, "-D"):
		key, value, _ := strings.Cut(arg[2:], "=")
		if key == "" {
			return false, fmt.Errorf("option %s names no property; write -Dname=value", arg)
		}
		if j.System == nil {
			j.System = map[string]string{}
		}
		j.System[key] = value
		return true, nil
	case strings.HasPrefix(arg, "-Xmx"):
		n, err := parseSize(arg[4:])
		if err != nil {
			return false, fmt.Errorf("option %s: %w", arg, err)
		}
		j.MaxHeap = n
		return true, nil
	}
	for _, p := range ignoredPrefixes {
		if strings.HasPrefix(arg, p) {
			j.Ignored = append(j.Ignored, arg)
			return true, nil
		}
	}
	return false, nil
}

// Add takes the options of a string such as JAVA_OPTS, separated by white space.
// What the command line says wins over it.
func (j *JVM) Add(opts string) error {
	var more JVM
	for _, arg := range strings.Fields(opts) {
		taken, err := more.take(arg)
		if err != nil {
			return err
		}
		if !taken {
			more.Ignored = append(more.Ignored, arg)
		}
	}
	for k, v := range j.System {
		if more.System == nil {
			more.System = map[string]string{}
		}
		more.System[k] = v
	}
	j.System = more.System
	if j.MaxHeap == 0 {
		j.MaxHeap = more.MaxHeap
	}
	j.Ignored = append(more.Ignored, j.Ignored...)
	return nil
}

// parseSize reads a size as the JVM does: digits and k, m, g or t.
func parseSize(s string) (int64, error) {
	unit := int64(1)
	digits := s
	if s != "" {
		switch s[len(s)-1] | 0x20 {
		case 'k':
			unit = 1 << 10
		case 'm':
			unit = 1 << 20
		case 'g':
			unit = 1 << 30
		case 't':
			unit = 1 << 40
		}
	}
	if unit > 1 {
		digits = s[:len(s)-1]
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n <= 0 || n > math.MaxInt64/unit {
		return 0, fmt.Errorf("%q is not a size; write for example 512m", s)
	}
	return n * unit, nil
}
