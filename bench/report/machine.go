package report

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Machine is what figures depend on besides the program.
type Machine struct {
	CPU        string `json:"cpu"`
	Cores      int    `json:"cores"`
	Memory     string `json:"memory"`
	System     string `json:"system"`     // operating system, kernel, architecture
	Filesystem string `json:"filesystem"` // type, and where it is mounted
	Go         string `json:"go"`
	Load       string `json:"load"` // load average when the run began: other work disturbs it
}

// ThisMachine describes the machine and the file system that dir is on. What
// cannot be found out is "unknown".
func ThisMachine(dir string) Machine {
	return Machine{
		CPU:        firstField(readText("/proc/cpuinfo"), "model name"),
		Cores:      runtime.NumCPU(),
		Memory:     firstField(readText("/proc/meminfo"), "MemTotal"),
		System:     fmt.Sprintf("%s %s %s", runtime.GOOS, orUnknown(readText("/proc/sys/kernel/osrelease")), runtime.GOARCH),
		Filesystem: filesystem(readText("/proc/self/mountinfo"), dir),
		Go:         runtime.Version(),
		Load:       orUnknown(readText("/proc/loadavg")),
	}
}

// Busy reports whether other programs were using about half a core or more in
// the minute before the run: its figures are then not to be quoted.
func (m Machine) Busy() bool {
	var minute float64
	_, err := fmt.Sscan(m.Load, &minute)
	return err == nil && minute >= 0.5
}

func (m Machine) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "- machine: %s, %d cores, %s memory, %s, load average at the start %s\n",
		m.CPU, m.Cores, m.Memory, m.System, m.Load)
	fmt.Fprintf(b, "- file system: %s; built with %s\n", m.Filesystem, m.Go)
}

// readText returns a small file's text or nothing: its absence is described,
// not reported.
func readText(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

// firstField finds the first "name : value" line.
func firstField(text, name string) string {
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(line, ":")
		if ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// filesystem finds the mount that holds dir in the text of mountinfo: the one
// with the longest mount point above it; of equals the last, which covers the
// others.
func filesystem(mountinfo, dir string) string {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "unknown"
	}
	if resolved, err := filepath.EvalSymlinks(abs); err == nil {
		abs = resolved
	}
	best, kind := "", "unknown"
	for line := range strings.Lines(mountinfo) {
		// 36 35 98:0 /root /mount/point options optional… - type source options
		before, after, ok := strings.Cut(line, " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if !ok || len(left) < 5 || len(right) < 1 {
			continue
		}
		point := left[4]
		if isUnder(abs, point) && len(point) >= len(best) {
			best, kind = point, right[0]
		}
	}
	if best == "" {
		return kind
	}
	return kind + " at " + best
}

func isUnder(path, dir string) bool {
	return path == dir || dir == "/" || strings.HasPrefix(path, dir+"/")
}
