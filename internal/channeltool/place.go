package channeltool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/flume-go/flume/event"
)

// Layout says whose files they are.
type Layout string

// The layouts.
const (
	LayoutWAL  Layout = "wal"  // the log of this program
	LayoutJava Layout = "java" // Apache Flume's own file channel
)

// Layouts are all layouts.
var Layouts = []Layout{LayoutWAL, LayoutJava}

// Place is a channel as a command line or a configuration names it.
type Place struct {
	Name       string   // for people, as "channel c1 of agent a1"; empty if the directories were named one by one
	Checkpoint string   // directory of the checkpoint; empty if it is not known
	Backup     string   // directory of Apache Flume's second checkpoint; empty without one
	Data       []string // data directories, at least one

	// Key returns the key of an alias. nil: no keys are given.
	Key func(alias string) ([]byte, error)
	// Layout narrows what is looked for; empty: everything.
	Layout Layout
}

// ErrNoKey is wrapped by errors about a key that is needed when none are given.
var ErrNoKey = errors.New("no keys are given; name the key store with --key-store, --key-store-password-file and --key, or the agent's configuration with --conf-file")

func (p *Place) key(alias string) ([]byte, error) {
	if p.Key == nil {
		return nil, ErrNoKey
	}
	return p.Key(alias)
}

// Queue is what one program keeps in the directories of a channel. It is for one goroutine at a time.
type Queue interface {
	// Layout says whose it is.
	Layout() Layout
	// Inspect tells what there is, without reading all of it where that can be avoided.
	Inspect(ctx context.Context) (*Report, error)
	// Verify reads everything and tells what is damaged.
	Verify(ctx context.Context) (*Verification, error)
	// Export calls f with all staged events in order, in batches that are f's until it returns, and damaged with
	// what had to be passed over. An error of f ends it and is returned.
	Export(ctx context.Context, damaged func(Damage), f func(*event.Batch) error) error
	// Repair takes out what is damaged and what valid rejects. It fails while an agent has the channel open.
	Repair(ctx context.Context, valid Validator) (*Repaired, error)
}

// Find returns what is in the directories of a place: one queue, or two where this program took over the
// directories of Apache Flume. It fails, with a remedy, if there is none.
func Find(p Place) ([]Queue, error) {
	if len(p.Data) == 0 {
		return nil, errors.New("no data directory is named")
	}
	var all contents
	for _, dir := range p.Data {
		c, err := look(dir)
		if err != nil {
			return nil, p.explain(dir, err)
		}
		all.add(c)
	}
	if p.Checkpoint != "" && p.Name == "" {
		if _, err := look(p.Checkpoint); err != nil {
			return nil, p.explain(p.Checkpoint, err)
		}
	}
	if all.walLock && all.walCheckpoint && p.Checkpoint != "" {
		all.wal = true // a log without a segment yet, all in one directory
	} else if all.walLock && !all.walCheckpoint {
		all.wal = true
	}
	var found []Queue
	if all.java && p.Layout != LayoutWAL {
		found = append(found, newJavaQueue(p))
	}
	if all.wal && p.Layout != LayoutJava {
		found = append(found, withMemory(newOwnQueue(p)))
	}
	if len(found) == 0 {
		return nil, p.nothing(all)
	}
	return found, nil
}

// contents is what the names in a directory say.
type contents struct {
	wal, walLock, walCheckpoint bool
	java, javaCheckpoint        bool
	names                       []string
}

func (c *contents) add(o contents) {
	c.wal, c.walLock, c.walCheckpoint = c.wal || o.wal, c.walLock || o.walLock, c.walCheckpoint || o.walCheckpoint
	c.java, c.javaCheckpoint = c.java || o.java, c.javaCheckpoint || o.javaCheckpoint
	c.names = append(c.names, o.names...)
}

var (
	walSegment = regexp.MustCompile(`^segment-\d{8,10}\.wal$`)
	javaLog    = regexp.MustCompile(`^log-\d+$`)
)

// look lists a directory.
func look(dir string) (contents, error) {
	var c contents
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		name := e.Name()
		c.names = append(c.names, name)
		c.wal = c.wal || walSegment.MatchString(name)
		c.walLock = c.walLock || name == "wal.lock"
		c.walCheckpoint = c.walCheckpoint || name == "wal.checkpoint"
		c.java = c.java || javaLog.MatchString(name)
		c.javaCheckpoint = c.javaCheckpoint || name == "checkpoint" && !e.IsDir()
	}
	return c, err
}

// explain says why a directory cannot be listed, and what to do.
func (p *Place) explain(dir string, err error) error {
	info, statErr := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist) && p.Name != "":
		return fmt.Errorf("directory %s of %s does not exist: the agent has not opened the channel yet, or a disk is not mounted", dir, p.Name)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("directory %s does not exist; check the path", dir)
	case statErr == nil && !info.IsDir():
		return fmt.Errorf("%s is a file; name the directory that it is in: %s", dir, filepath.Dir(dir))
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("directory %s cannot be read: permission denied; run this as the user that runs the agent, or as root", dir)
	}
	return fmt.Errorf("listing directory %s: %w", dir, err)
}

// nothing says what the directories hold instead of a channel.
func (p *Place) nothing(c contents) error {
	dirs := strings.Join(p.Data, ", ")
	switch {
	case p.Layout == LayoutWAL && c.java:
		return fmt.Errorf("%s: there is no log of this program, only one of Apache Flume; leave out --layout", dirs)
	case p.Layout == LayoutJava && c.wal:
		return fmt.Errorf("%s: there is no log of Apache Flume, only one of this program; leave out --layout", dirs)
	case c.walCheckpoint || c.javaCheckpoint:
		return fmt.Errorf("%s: there is a channel's checkpoint and no log; name the channel's data directories, and this one with --checkpoint", dirs)
	case len(c.names) == 0:
		return fmt.Errorf("%s: the directory is empty, no channel was ever opened in it; check the path", dirs)
	}
	for _, dir := range p.Data {
		if hint := p.below(dir); hint != "" {
			return fmt.Errorf("%s: there is no channel in the directory itself, but in one below; give: %s", dir, hint)
		}
	}
	slices.Sort(c.names)
	return fmt.Errorf("%s: there is no file channel, which has files segment-….wal, or log-1, log-2, … of Apache Flume; there are %s; check the path",
		dirs, strings.Join(c.names[:min(len(c.names), 3)], ", "))
}

// below looks for a channel one level down, and returns what to say on a command line.
func (p *Place) below(dir string) string {
	checkpoint, data := "", ""
	entries, err := os.ReadDir(dir)
	if err != nil {
		return ""
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		c, err := look(path)
		switch {
		case err != nil:
		case c.wal || c.java:
			data += " " + path
		case c.walCheckpoint || c.javaCheckpoint:
			checkpoint = "--checkpoint " + path
		}
	}
	if data == "" {
		return ""
	}
	return strings.TrimSpace(checkpoint + data)
}

// guess looks for the checkpoint's directory where it usually is: beside the data directories under the name of
// Apache Flume's default, or in them.
func (p *Place) guess(is func(contents) bool) string {
	for _, dir := range p.Data {
		for _, candidate := range []string{dir, filepath.Join(filepath.Dir(filepath.Clean(dir)), "checkpoint")} {
			if c, err := look(candidate); err == nil && is(c) {
				return candidate
			}
		}
	}
	return ""
}
