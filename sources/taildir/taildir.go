// Package taildir is the source that follows files: it turns each line that is
// appended to the files of some directories into an event, once.
//
// # The way of a line
//
// One goroutine, the follower, does everything. It looks for files (scan.go,
// adopt.go), finds out which have something new (poll.go), reads a block of each
// by turns into the memory of a batch (read.go), cuts it into events (lines.go),
// emits the batch and moves the positions (emit.go).
//
// # Where a position is
//
// A position is always the beginning of an event in the file, so that nothing
// has to be remembered but numbers: what follows the last newline is read again
// when there is more. Positions move when Emit has returned nil. Each move is
// appended to the journal (journal.go), which survives the end of the process;
// now and then the journal is synced and Flume's position file replaced
// (positions.go, store.go).
//
// # What a file is
//
// Names move, numbers of inodes are used again, content is copied, cut off,
// replaced and compressed. So the source holds on to content (mark.go): a file
// is known by the hash of its first bytes and by the hash of the last bytes
// before its position. Every read begins with those last bytes. If they are not
// the ones that were read before, then this is not the file any more, and what
// was not yet read of the former content is looked for under other names
// (search.go), be they copies or compressed (unpack.go).
package taildir

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
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
		Type:    "taildir",
		Aliases: []string{"org.apache.flume.source.taildir.TaildirSource"},
		Summary: "Follows the files of some directories and turns each line into an event.",
		Readme:  readme,
	}, New)
}

// grace is how long a batch that is being stored when the source is told to stop
// may take.
const grace = 3 * time.Second

type source struct {
	cfg          Config
	log          *slog.Logger
	fs           vfs.FS // of the position file
	sys          system // of what is followed
	positionFile string
	groups       []*group
	records      cutter
	count        counters
	longLines    netio.LogLimit
}

// group is one of the configured file groups. It does not change.
type group struct {
	name    string
	dir     string // absolute
	pattern *javaregex.Regexp
	headers []event.Header
}

// matches reports whether a file of this name belongs to the group.
func (g *group) matches(name string) bool {
	ok, err := g.pattern.Matches([]byte(name))
	return ok && err == nil
}

type counters struct {
	readFail   *metrics.Counter
	otherFail  *metrics.Counter
	received   *metrics.Counter
	accepted   *metrics.Counter
	truncated  *metrics.Counter
	unread     *metrics.Counter
	moved      *metrics.Counter
	copies     *metrics.Counter
	splitLines *metrics.Counter
	followed   *metrics.Gauge
	open       *metrics.Gauge
	behind     *metrics.Gauge
}

var (
	_ flow.Source       = (*source)(nil)
	_ component.Claimer = Config{}
	_ component.Checker = Config{}
)

// New returns a source that looks at its directories once it runs.
func New(cfg Config, env component.Env) (flow.Source, error) {
	path, err := cfg.positionFile()
	if err != nil {
		return nil, err
	}
	s := &source{cfg: cfg, log: env.Log, fs: env.FS, sys: realSystem{}, positionFile: path}
	for _, name := range cfg.FileGroups {
		if cfg.Paths[name] == "" {
			continue
		}
		g, err := newGroup(cfg, name)
		if err != nil {
			return nil, err
		}
		s.groups = append(s.groups, g)
	}
	if len(s.groups) == 0 {
		return nil, errors.New("property filegroups: no group has a path; set filegroups.<group> to a directory and a pattern")
	}
	if s.records, err = newCutter(cfg); err != nil {
		return nil, err
	}
	s.count = newCounters(env.Metrics)
	return s, nil
}

func newGroup(cfg Config, name string) (*group, error) {
	dir, pattern := split(cfg.Paths[name])
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("property filegroups.%s: %w", name, err)
	}
	re, err := javaregex.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("property filegroups.%s: %w", name, err)
	}
	g := &group{name: name, dir: abs, pattern: re}
	for _, k := range keysOf(cfg.Headers) {
		if key, ok := strings.CutPrefix(k, name+"."); ok {
			g.headers = append(g.headers, event.Header{Key: key, Value: cfg.Headers[k]})
		}
	}
	return g, nil
}

func newCounters(set *metrics.Set) counters {
	c := counters{
		readFail:  set.Counter("EventReadFail"),
		otherFail: set.Counter("GenericProcessingFail"),
		received:  set.Counter("AppendBatchReceivedCount"),
		accepted:  set.Counter("AppendBatchAcceptedCount"),
		truncated: set.OwnCounter("truncated_files",
			"Times that a file was truncated or rewritten and read from its beginning."),
		unread: set.OwnCounter("truncated_unread_bytes",
			"Bytes that were seen in a file, truncated before they were read and found in no copy."),
		moved:      set.OwnCounter("renamed_files", "Times that a file was found under another name and read on."),
		copies:     set.OwnCounter("recognised_copies", "Files that were found to be copies, plain or compressed, of followed files."),
		splitLines: set.OwnCounter("split_lines", "Times that a line was cut because it was longer than maxLineLength."),
	}
	c.followed, c.open, c.behind = new(metrics.Gauge), new(metrics.Gauge), new(metrics.Gauge)
	set.OwnGauge("followed_files", "Files that are followed.", func() float64 { return float64(c.followed.Value()) })
	set.OwnGauge("open_files", "Followed files that are open.", func() float64 { return float64(c.open.Value()) })
	set.OwnGauge("unread_bytes", "Bytes in followed files that are not handed on yet, as of the latest looks.",
		func() float64 { return float64(c.behind.Value()) })
	return c
}

// Run implements flow.Source.
func (s *source) Run(ctx context.Context, out flow.Emitter) (err error) {
	if ctx.Err() != nil {
		return nil
	}
	work, end := netio.Outlive(ctx, grace)
	defer end()
	f, err := newFollower(s, out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	return f.run(ctx, work)
}

// keysOf returns the keys of m in order.
func keysOf(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
