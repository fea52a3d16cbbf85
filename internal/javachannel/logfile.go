package javachannel

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/flume-go/flume/internal/vfs"
)

// maxMeta bounds a .meta file: some numbers and two names.
const maxMeta = 64 << 10

// logFile is a log of the channel.
type logFile struct {
	id   int32
	name string
	size int64
	meta logMeta

	cipher  *decrypter // set at the first use of an encrypted log
	keyFits bool
	barren  int64 // no good record stands at or behind this offset; 0 if unknown
}

// first is the offset of the first record.
func (l *logFile) first() int64 {
	if l.meta.version == version2 {
		return headSizeV2
	}
	return 0
}

// start is where replay on top of a checkpoint begins.
func (l *logFile) start(order int64) int64 {
	m := &l.meta
	position := int64(0)
	switch {
	case m.position <= 0:
	case m.order <= order:
		position = m.position
	case m.backupOrder <= order && m.backupPosition > 0:
		position = m.backupPosition
	}
	return max(position, l.first())
}

// isLogName says whether a name is that of a log.
func isLogName(name string) bool {
	number, ok := strings.CutPrefix(name, "log-")
	return ok && number != "" && strings.Trim(number, "0123456789") == ""
}

// Present says whether any of the directories holds logs of Flume's file channel. Directories that do not
// exist hold none.
func Present(fsys vfs.FS, dirs []string) (bool, error) {
	for _, dir := range dirs {
		names, err := logNames(fsys, dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
		if len(names) > 0 {
			return true, nil
		}
	}
	return false, nil
}

// logNames lists the logs of a directory.
func logNames(fsys vfs.FS, dir string) ([]string, error) {
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("listing data directory %s: %w", dir, err)
	}
	var names []string
	for _, e := range entries {
		if isLogName(e.Name()) && !e.IsDir() {
			names = append(names, filepath.Join(dir, e.Name()))
		}
	}
	return names, nil
}

// listLogs finds the logs of all directories and reads what their heads say, in the order of their numbers.
// Empty logs, left by a crash just after they were made, are not among them.
func listLogs(fsys vfs.FS, dirs []string) ([]*logFile, error) {
	var logs []*logFile
	seen := make(map[int32]string)
	for _, dir := range dirs {
		names, err := logNames(fsys, dir)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			l, err := openLog(fsys, name)
			if err != nil {
				return nil, err
			}
			if other, ok := seen[l.id]; ok {
				return nil, fmt.Errorf("logs %s and %s have the same number: are these directories of two channels?", other, name)
			}
			seen[l.id] = name
			if l.size > 0 {
				logs = append(logs, l)
			}
		}
	}
	slices.SortFunc(logs, func(a, b *logFile) int { return int(a.id - b.id) })
	return logs, nil
}

// openLog reads the head of one log. For an empty one only id and size are set.
func openLog(fsys vfs.FS, name string) (*logFile, error) {
	id, err := strconv.ParseInt(strings.TrimPrefix(filepath.Base(name), "log-"), 10, 32)
	if err != nil || id == 0 {
		return nil, fmt.Errorf("log %s has a number that Flume never gives: move it away if it is not one of the channel's", name)
	}
	info, err := fsys.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("examining log: %w", err)
	}
	l := &logFile{id: int32(id), name: name, size: info.Size()}
	if l.size == 0 {
		return l, nil
	}
	if l.meta, err = readMeta(fsys, name); err != nil {
		return nil, err
	}
	if l.meta.id != l.id {
		return nil, fmt.Errorf("log %s says that its number is %d: it was renamed or its .meta file is another's", name, l.meta.id)
	}
	return l, nil
}

// metaSuffixes are the names behind which .meta is looked for: as it should be, as an interrupted replacement
// leaves it, and as one leaves it on systems that cannot rename over a file.
var metaSuffixes = []string{".meta", ".meta.tmp", ".meta.meta.old", ".meta.old"}

// readMeta reads the .meta file of a log or, where there is none, the log's own head.
func readMeta(fsys vfs.FS, name string) (logMeta, error) {
	for _, suffix := range metaSuffixes {
		data, err := readSmall(fsys, name+suffix, maxMeta)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return logMeta{}, fmt.Errorf("reading what is known about log %s: %w", name, err)
		}
		m, err := parseLogMeta(data)
		if err != nil {
			return m, fmt.Errorf("reading %s%s: %w; restore the file, or move the log away and lose its events", name, suffix, err)
		}
		return m, nil
	}
	open := files{fs: fsys}
	defer open.close()
	f, err := open.get(name)
	if err != nil {
		return logMeta{}, fmt.Errorf("opening log: %w", err)
	}
	head, err := f.read(0, headSizeV2)
	if err != nil {
		return logMeta{}, fmt.Errorf("reading log %s: %w", name, err)
	}
	m, err := parseHeadV2(head)
	if err != nil {
		return m, fmt.Errorf("log %s has no .meta file and is not of version 2: restore the file, or move the log away and lose its events", name)
	}
	return m, nil
}
