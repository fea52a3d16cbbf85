// Package spooldir is the source that reads finished files out of a directory, and hands each on as events, once.
//
// # The way of a file
//
// One goroutine does everything. It lists the directory (list.go), opens the next file (input.go), makes events of it block by block with a
// deserializer (deserializer.go: lines, Avro records, or the whole), emits them in batches and moves the position (read.go), and renames,
// notes or deletes the file (retire.go).
//
// # Where a position is
//
// A position is written when Emit has returned nil, to Flume's position file (tracker.go, position.go). It is of one file, the one that is
// being read. A file that is handed on within one batch has none.
//
// # Bad input
//
// What is wrong with one file is no reason to leave the others: it is set aside under another name, told and counted.
package spooldir

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/javaregex"
	"github.com/flume-go/flume/internal/netio"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/metrics"
)

//go:embed README.md
var readme string

func init() {
	component.RegisterSource(component.Info{
		Type:    "spooldir",
		Aliases: []string{"org.apache.flume.source.SpoolDirectorySource"},
		Summary: "Reads finished files out of a directory: lines, Avro records or whole files.",
		Readme:  readme,
	}, New)
}

const (
	// grace is how long a batch that is being stored when the source is told to stop may take.
	grace = 3 * time.Second
	// mostComplaints is how many files are remembered that were complained of.
	mostComplaints = 1024
)

type source struct {
	cfg     Config
	log     *slog.Logger
	fs      vfs.FS // of the tracker directory
	files   vfs.FS // of the spool directory: the system's
	spool   string // as Flume writes it
	abs     string // the same, for headers
	include *javaregex.Regexp
	ignore  *javaregex.Regexp
	kind    string    // of deserializer
	form    *textForm // of LINE
	count   counters

	complaints map[string]string // what was told of files that cannot be read
}

type counters struct {
	readFail  *metrics.Counter
	otherFail *metrics.Counter
	received  *metrics.Counter
	accepted  *metrics.Counter
	done      *metrics.Counter
	aside     *metrics.Counter
	split     *metrics.Counter
	replaced  *metrics.Counter
	dropped   *metrics.Counter
}

var (
	_ flow.Source       = (*source)(nil)
	_ component.Claimer = Config{}
	_ component.Checker = Config{}
)

// New returns a source that looks at its directory once it runs.
func New(cfg Config, env component.Env) (flow.Source, error) {
	s := &source{cfg: cfg, log: env.Log, fs: env.FS, files: vfs.OS{}, spool: javaPath(cfg.SpoolDir), kind: cfg.deserializer(), complaints: map[string]string{}}
	var err error
	if s.include, err = javaregex.Compile(cfg.Include); err != nil {
		return nil, fmt.Errorf("property includePattern: %w", err)
	}
	if s.ignore, err = javaregex.Compile(cfg.Ignore); err != nil {
		return nil, fmt.Errorf("property ignorePattern: %w", err)
	}
	if s.abs, err = absolute(s.spool); err != nil {
		return nil, fmt.Errorf("property spoolDir: %w", err)
	}
	if s.kind == lineName {
		if s.form, err = newTextForm(cfg); err != nil {
			return nil, err
		}
	}
	s.count = newCounters(env.Metrics)
	return s, nil
}

// absolute is path below the working directory, which Flume does not simplify.
func absolute(path string) (string, error) {
	if filepath.IsAbs(path) {
		return path, nil
	}
	wd, err := os.Getwd()
	if err != nil {
		return "", err
	}
	return javaPath(wd + "/" + path), nil
}

func newCounters(set *metrics.Set) counters {
	return counters{
		readFail:  set.Counter("EventReadFail"),
		otherFail: set.Counter("GenericProcessingFail"),
		received:  set.Counter("AppendBatchReceivedCount"),
		accepted:  set.Counter("AppendBatchAcceptedCount"),
		done:      set.OwnCounter("completed_files", "Files that were handed on."),
		aside:     set.OwnCounter("set_aside_files", "Files that were set aside, as they were changed, could not be decoded or had the name of another."),
		split:     set.OwnCounter("split_events", "Times that a line or a file was cut because it was longer than an event may be."),
		replaced:  set.OwnCounter("replaced_characters", "Pieces of files that mean nothing in their character set and were replaced by U+FFFD."),
		dropped:   set.OwnCounter("dropped_bytes", "Bytes of files that mean nothing in their character set and were dropped."),
	}
}

// pathOf returns the path of what is at rel below the spool directory.
func (s *source) pathOf(rel string) string { return javaPath(s.spool + "/" + rel) }

// wants reports whether a file of this name is read.
func (s *source) wants(name string) bool {
	if strings.HasPrefix(name, ".") || strings.HasSuffix(name, s.cfg.FileSuffix) || strings.HasSuffix(name, s.cfg.FailedSuffix) {
		return false
	}
	return matches(s.include, name) && !matches(s.ignore, name)
}

// enters reports whether a directory of this name is looked into.
func (s *source) enters(name string) bool {
	return s.cfg.Recursive && !strings.HasPrefix(name, ".") && !matches(s.ignore, name)
}

func matches(re *javaregex.Regexp, name string) bool {
	ok, err := re.Matches([]byte(name))
	return ok && err == nil
}

// complain tells, once, why a file cannot be read.
func (s *source) complain(rel string, err error) {
	text := err.Error()
	if s.complaints[rel] == text {
		return
	}
	if len(s.complaints) >= mostComplaints {
		clear(s.complaints)
	}
	s.complaints[rel] = text
	s.count.otherFail.Add(1)
	s.log.Warn("a file cannot be read; it is left alone, and looked at again", "file", s.pathOf(rel), "error", err)
}

// Run implements flow.Source.
func (s *source) Run(ctx context.Context, out flow.Emitter) (err error) {
	if ctx.Err() != nil {
		return nil
	}
	work, end := netio.Outlive(ctx, grace)
	defer end()
	r, err := s.open(out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	return r.loop(ctx, work)
}

// open does what has to be done before the first look.
func (s *source) open(out flow.Emitter) (*reader, error) {
	info, err := s.files.Stat(s.spool)
	if err != nil {
		return nil, fmt.Errorf("property spoolDir: %w; create the directory", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("property spoolDir: %s is not a directory", s.spool)
	}
	if !s.cfg.notes() {
		if err := s.tryOut(); err != nil {
			return nil, err
		}
	}
	p, err := openPosition(s)
	if err != nil {
		return nil, err
	}
	r := newReader(s, p, out)
	if err := r.resume(); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return r, nil
}

// tryOut makes a file in the spool directory, renames it and removes it: better now than after the first file was handed on.
func (s *source) tryOut() error {
	name := s.pathOf(".flume-spooldir-perm-check.canary")
	f, err := s.files.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err == nil {
		_, err = f.Write([]byte("whether files can be written here\n"))
		err = errors.Join(err, f.Close())
	}
	if err == nil {
		err = s.files.Rename(name, name+s.cfg.FileSuffix)
	}
	if err == nil {
		err = s.files.Remove(name + s.cfg.FileSuffix)
	}
	if err != nil {
		return fmt.Errorf("trying out whether files in the spool directory %s can be written and renamed: %w; correct its permissions, or use trackingPolicy = tracker_dir", s.spool, err)
	}
	return nil
}
