package taildir

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/internal/javaregex"
)

// Config is the properties of the source.
type Config struct {
	FileGroups     []string          `flume:"filegroups,required" doc:"Names of the file groups, separated by white space."`
	Paths          map[string]string `flume:"filegroups.*" doc:"For each group, a directory and behind the last slash a Java regular expression that a file's whole name must match."`
	PositionFile   string            `flume:"positionFile" doc:"File that keeps how far each file was read, as JSON. Without it: .flume/taildir_position.json in the home directory."`
	Headers        map[string]string `flume:"headers.*" doc:"Headers for the events of a group: headers.group.key = value."`
	ByteOffset     bool              `flume:"byteOffsetHeader" default:"false" doc:"Whether to add the header byteoffset, the place in its file of the event's first byte."`
	FileHeader     bool              `flume:"fileHeader" default:"false" doc:"Whether to add a header with the absolute path of the file."`
	FileHeaderKey  string            `flume:"fileHeaderKey" default:"file" doc:"Name of the header with the file's path."`
	SkipToEnd      bool              `flume:"skipToEnd" default:"false" doc:"Whether files without a known position are read from their end when the source starts. Files that appear later are read from their beginning."`
	IdleTimeout    time.Duration     `flume:"idleTimeout" unit:"ms" default:"120000" min:"0" doc:"A file without new lines for so long is closed; it is opened again when it grows. A last line without newline is then handed on, see unterminatedLine."`
	WriteInterval  time.Duration     `flume:"writePosInterval" unit:"ms" default:"3000" min:"1" doc:"How often the position file is written, if a position has moved."`
	BatchSize      int               `flume:"batchSize,batch" default:"100" min:"1" doc:"Most events handed to the channels at once."`
	MaxBatchCount  int64             `flume:"maxBatchCount" default:"9223372036854775807" min:"1" lenient:"true" doc:"Most batches read from one file before it is the turn of the next. Files are read by turns in any case, a block of 512 KiB at a time."`
	PollIncrement  time.Duration     `flume:"backoffSleepIncrement" unit:"ms" default:"1000" min:"1" doc:"How much longer to wait each time before a file that has not changed is looked at again."`
	PollMax        time.Duration     `flume:"maxBackoffSleep" unit:"ms" default:"5000" min:"1" doc:"Longest time between two looks at a file or directory. Twelve times as long where change notifications are known to work."`
	CacheMatching  bool              `flume:"cachePatternMatching" default:"true" doc:"Whether a directory is listed only when its modification time has changed. Otherwise, every time that it is looked at."`
	Notify         bool              `flume:"changeNotifications" default:"true" doc:"Whether to let the operating system tell of changes, so that lines are handed on at once. Looking at the files goes on in any case."`
	Unterminated   string            `flume:"unterminatedLine" default:"deliver" enum:"deliver,wait" doc:"What to do after idleTimeout with a last line without newline: deliver it as an event, as Flume does (what is appended later is another event), or wait for its end for ever. That of a file which is gone is always delivered."`
	MaxLineLength  int               `flume:"maxLineLength" unit:"bytes" default:"16777216" min:"16" max:"1073741824" doc:"Longest line. A longer one becomes several events."`
	Compressed     string            `flume:"compressedFiles" default:"finish" enum:"finish,read,raw" doc:"What to do with gzip and zstd files. With finish, one that was made of a followed file is read from where that was left, and others are not read. With read, others are unpacked and read as well. With raw, all are read as they are, as Flume does."`
	MaxOpenFiles   int               `flume:"maxOpenFiles" default:"1000" min:"8" doc:"Most files held open. Those that were read least recently are closed first, and opened again when they grow."`
	MultilineRegex string            `flume:"multiline.pattern" doc:"Java regular expression that is searched for in each line. With it an event can have several lines."`
	Negate         bool              `flume:"multiline.negate" default:"false" doc:"Whether the lines that do not match the pattern are those that multiline.what speaks of."`
	What           string            `flume:"multiline.what" default:"previous" enum:"previous,next" doc:"Whether a line that matches the pattern belongs to the previous line or to the next one."`
	FlushAfter     time.Duration     `flume:"multiline.timeout" unit:"ms" default:"5000" min:"1" doc:"An event whose end is not known is handed on when its file has not grown for so long."`
	MaxLines       int               `flume:"multiline.maxLines" default:"500" min:"1" doc:"Most lines of an event; what follows begins another."`
	MaxBytes       int               `flume:"multiline.maxBytes" unit:"bytes" default:"1048576" min:"16" max:"1073741824" doc:"Most bytes of an event of several lines; what follows begins another."`
}

// Values of properties.
const (
	deliver = "deliver"
	finish  = "finish"
	raw     = "raw"
	next    = "next"
)

// Check finds groups without a path, patterns that are none, and headers of
// groups that there are not.
func (c Config) Check(r *component.Report) {
	listed := map[string]bool{}
	usable := 0
	for _, g := range c.FileGroups {
		listed[g] = true
		key := "filegroups." + g
		path := c.Paths[g]
		if path == "" {
			r.Warn("filegroups", fmt.Sprintf("group %q has no path and is left out", g), "set "+key+" to a directory and a pattern, or remove the group")
			continue
		}
		usable++
		if _, pattern := split(path); pattern == "" {
			r.Error(key, fmt.Sprintf("%q ends in a slash: it has no pattern for the names of files", path), `add one behind the slash, such as .*\.log`)
		} else if _, err := javaregex.Compile(pattern); err != nil {
			r.Error(key, err.Error(), "what stands behind the last slash is a Java regular expression for the whole name of a file, such as .*\\.log")
		}
	}
	if usable == 0 {
		r.Error("filegroups", "no group has a path", "set filegroups.<group> to a directory and a pattern")
	}
	for _, g := range keysOf(c.Paths) {
		if !listed[g] {
			r.Warn("filegroups."+g, "the group is not listed in filegroups and has no effect", "add it to filegroups")
		}
	}
	c.checkHeaders(r, listed)
	c.checkMultiline(r)
}

func (c Config) checkHeaders(r *component.Report, listed map[string]bool) {
	for _, k := range keysOf(c.Headers) {
		g, key, ok := strings.Cut(k, ".")
		switch {
		case !ok || key == "":
			r.Error("headers."+k, "names no header", "write headers.<group>.<key> = <value>")
		case !listed[g]:
			r.Warn("headers."+k, fmt.Sprintf("there is no group %q in filegroups", g), "correct the name of the group")
		}
	}
}

func (c Config) checkMultiline(r *component.Report) {
	if c.MultilineRegex == "" {
		for _, k := range []string{"negate", "what", "timeout", "maxLines", "maxBytes"} {
			if r.Given("multiline." + k) {
				r.Warn("multiline."+k, "has no effect without multiline.pattern", "set the pattern, or remove this")
			}
		}
		return
	}
	if _, err := javaregex.Compile(c.MultilineRegex); err != nil {
		r.Error("multiline.pattern", err.Error(), "correct the Java regular expression")
	}
}

// Claims says that no other source can use the position file.
func (c Config) Claims() []component.Claim {
	path, err := c.positionFile()
	if err != nil {
		return nil // New tells it
	}
	return []component.Claim{{What: "position file", ID: path, Key: "positionFile"}}
}

func (c Config) positionFile() (string, error) {
	if c.PositionFile != "" {
		return filepath.Abs(c.PositionFile)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("property positionFile is not set and the home directory is not known: %w; set the property", err)
	}
	return filepath.Join(home, ".flume", "taildir_position.json"), nil
}

// turnEvents is the most events of one file's turn.
func (c Config) turnEvents() int {
	if c.MaxBatchCount > math.MaxInt/int64(c.BatchSize) {
		return math.MaxInt
	}
	return int(c.MaxBatchCount) * c.BatchSize
}

// split divides a group's path into directory and pattern, at the last slash: a
// regular expression may contain what separates paths on Windows.
func split(path string) (dir, pattern string) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return ".", path
	}
	return path[:i+1], path[i+1:]
}
