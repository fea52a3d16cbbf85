package proc

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ticksPerSecond is the unit of times in /proc, fixed by the kernel's ABI for
// all architectures that Go runs on.
const ticksPerSecond = 100

// ReadUsage reads what process pid has used so far.
//
// The peak comes from the process's own memory account and not from wait4:
// that one starts with the peak of whoever forked it, so a child of a large
// benchmark would look as large as the benchmark.
func ReadUsage(pid int) (Usage, error) {
	var u Usage
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, fmt.Errorf("reading the times of process %d: %w", pid, err)
	}
	if u.CPU, err = parseStat(stat); err != nil {
		return u, fmt.Errorf("reading the times of process %d: %w", pid, err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return u, fmt.Errorf("reading the memory of process %d: %w", pid, err)
	}
	if u.RSS, u.Peak, err = parseStatus(string(status)); err != nil {
		return u, fmt.Errorf("reading the memory of process %d: %w", pid, err)
	}
	return u, nil
}

// parseStat takes utime and stime, fields 14 and 15, from /proc/pid/stat. The
// second field is the name in parentheses and may itself hold spaces and
// parentheses, so counting starts after the last one.
func parseStat(stat []byte) (time.Duration, error) {
	end := bytes.LastIndexByte(stat, ')')
	fields := strings.Fields(string(stat[end+1:]))
	if end < 0 || len(fields) < 13 {
		return 0, errors.New("too few fields")
	}
	var ticks int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * (time.Second / ticksPerSecond), nil
}

// parseStatus takes VmRSS and VmHWM from /proc/pid/status.
func parseStatus(status string) (rss, peak int64, err error) {
	for line := range strings.Lines(status) {
		name, value, _ := strings.Cut(line, ":")
		var into *int64
		switch name {
		case "VmRSS":
			into = &rss
		case "VmHWM":
			into = &peak
		default:
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("reading %s: %w", name, err)
		}
		*into = kib << 10
	}
	if rss == 0 || peak == 0 {
		return 0, 0, errors.New("no VmRSS or VmHWM: the process has ended")
	}
	return rss, peak, nil
}

// DeviceReads returns how many bytes process pid has had read from disks so far: what it read of
// files that the page cache already held is not in it.
func DeviceReads(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if err != nil {
		return 0, fmt.Errorf("reading the disk accesses of process %d: %w", pid, err)
	}
	return parseIO(string(text))
}

// parseIO takes read_bytes from /proc/pid/io.
func parseIO(text string) (int64, error) {
	for line := range strings.Lines(text) {
		if name, value, _ := strings.Cut(line, ":"); name == "read_bytes" {
			return strconv.ParseInt(strings.TrimSpace(value), 10, 64)
		}
	}
	return 0, errors.New("no read_bytes among the disk accesses")
}

// OpenFiles counts the files and sockets that process pid has open.
func OpenFiles(pid int) (int, error) {
	dir, err := os.Open(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return 0, fmt.Errorf("counting the open files of process %d: %w", pid, err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return 0, fmt.Errorf("counting the open files of process %d: %w", pid, err)
	}
	return len(names), nil
}

// AllowFiles makes sure that this process and those it starts may each have
// count files and sockets open.
func AllowFiles(count uint64) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("reading the limit of open files: %w", err)
	}
	// Set even where it is high enough already: the Go runtime raises the soft
	// limit for itself and gives children the old one, unless it was set here.
	want := syscall.Rlimit{Cur: max(count, limit.Cur), Max: max(count, limit.Max)}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &want); err != nil {
		return fmt.Errorf("raising the limit of open files from %d to %d: %w; raise the hard limit (ulimit -Hn) or ask for fewer connections",
			limit.Max, count, err)
	}
	return nil
}

// Settle writes out what earlier work left in the page cache, so that the disk
// is not busy with it while the next program is measured.
func Settle() { syscall.Sync() }
