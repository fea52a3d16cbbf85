// Package fileroll is the sink that writes events to files of a local directory
// and starts a new one from time to time.
package fileroll

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/metrics"
)

//go:embed README.md
var readme string

func init() {
	component.RegisterSink(component.Info{
		Type:    "file_roll",
		Aliases: []string{"org.apache.flume.sink.RollingFileSink"},
		Summary: "Writes events to files of a local directory and starts a new file at an interval.",
		Readme:  readme,
	}, New)
}

// Config is the sink's properties.
type Config struct {
	Directory       string               `flume:"sink.directory,required" doc:"Directory of the files. It must exist, unless sink.createDirectory is set."`
	CreateDirectory bool                 `flume:"sink.createDirectory" default:"false" doc:"Whether to make the directory and its parents if they are missing."`
	RollInterval    time.Duration        `flume:"sink.rollInterval" default:"30" unit:"s" doc:"Time after which a new file is started, whether or not there were events; 0 or less: never."`
	RollSize        int64                `flume:"sink.rollSize" default:"0" min:"0" unit:"bytes" doc:"Size at which a new file is started, looked at after each batch; 0: any size."`
	BatchSize       int                  `flume:"sink.batchSize,batch" default:"100" min:"1" doc:"Most events written at once."`
	Serializer      component.Serializer `flume:"sink.serializer" default:"TEXT" doc:"Serializer that writes the events; its own properties stand below this key."`
	PathManager     string               `flume:"sink.pathManager" default:"DEFAULT" enum:"DEFAULT,ROLLTIME,org.apache.flume.formatter.output.DefaultPathManager$Builder,org.apache.flume.formatter.output.RollTimePathManager$Builder" doc:"How files are named: DEFAULT by the time of the start and a number, ROLLTIME by the time each file is made and a number."`
	Prefix          string               `flume:"sink.pathManager.prefix" doc:"Text before each file's name."`
	Extension       string               `flume:"sink.pathManager.extension" doc:"Extension of each file's name, without its dot."`
	Fsync           string               `flume:"sink.fsync" default:"never" enum:"never,close,batch" doc:"When files are forced to the disk: never (the system does it when it likes, as with Apache Flume), on close, or with each batch before it is acknowledged."`
	SkipEmpty       bool                 `flume:"sink.skipEmpty" default:"false" doc:"Whether to make a file only when there are events for it. Otherwise an idle sink makes an empty one each interval, as Apache Flume does."`
}

// The values of Config.Fsync.
const (
	fsyncNever = "never"
	fsyncClose = "close"
	fsyncBatch = "batch"
)

const (
	filePerm = 0o666 // before the umask, as for any program that makes files
	dirPerm  = 0o777
)

// New returns the sink. Nothing is opened.
func New(cfg Config, env component.Env) (flow.Sink, error) {
	enc, err := cfg.Serializer.New(env)
	if err != nil {
		return nil, fmt.Errorf("making serializer %s: %w", cfg.Serializer.Type(), err)
	}
	return &sink{
		cfg: cfg, log: env.Log, fs: env.FS, encoding: enc,
		names:  newNamer(cfg.PathManager, cfg.Prefix, cfg.Extension, time.Now()),
		opened: env.Metrics.Counter("ConnectionCreatedCount"),
		closed: env.Metrics.Counter("ConnectionClosedCount"),
		failed: env.Metrics.Counter("ConnectionFailedCount"),
	}, nil
}

// sink writes to one file at a time. The mutex is taken once per batch and once
// per tick of the timer.
type sink struct {
	cfg      Config
	log      *slog.Logger
	fs       vfs.FS
	encoding flow.Encoding

	opened, closed, failed *metrics.Counter

	mu      sync.Mutex
	names   *namer
	out     *output // nil: the next batch or tick opens one
	running bool
	trouble bool // the last opening failed and that was logged

	stop chan struct{} // closed to end the timer
	done chan struct{} // closed when it has ended
}

var (
	_ flow.Sink      = (*sink)(nil)
	_ flow.Lifecycle = (*sink)(nil)
)

// Open checks the directory, makes the first file and starts the timer.
func (s *sink) Open(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running {
		return nil
	}
	if err := s.checkDirectory(); err != nil {
		s.failed.Add(1)
		return err
	}
	if !s.cfg.SkipEmpty {
		if err := s.next(); err != nil {
			return err
		}
	}
	s.running = true
	if s.cfg.RollInterval > 0 {
		s.stop, s.done = make(chan struct{}), make(chan struct{})
		go s.roll(s.stop, s.done)
	}
	return nil
}

func (s *sink) checkDirectory() error {
	dir := s.cfg.Directory
	if s.cfg.CreateDirectory {
		if err := s.fs.MkdirAll(dir, dirPerm); err != nil {
			return fmt.Errorf("making the directory %s (sink.directory): %w", dir, err)
		}
	}
	info, err := s.fs.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("directory %s (sink.directory) does not exist: create it, or set sink.createDirectory = true", dir)
	case err != nil:
		return fmt.Errorf("looking at directory %s (sink.directory): %w", dir, err)
	case !info.IsDir():
		return fmt.Errorf("%s (sink.directory) is not a directory: name one", dir)
	}
	return nil
}

// Close ends the timer and closes the file. An error means that the end of the
// file may be missing.
func (s *sink) Close(context.Context) error {
	s.mu.Lock()
	s.running = false
	stop, done := s.stop, s.done
	s.stop, s.done = nil, nil
	s.mu.Unlock()
	if stop != nil {
		close(stop)
		<-done
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closeFile()
}

// Deliver writes b and hands it to the operating system, or with sink.fsync =
// batch to the disk. After an error nothing of b is in the file. The exception is
// a b that is spread over several files, each of a schema of its own: what came
// before the failure is then written again with the next try.
func (s *sink) Deliver(_ context.Context, b *event.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.running {
		return flow.ErrClosed
	}
	err := s.write(b)
	if m := flow.Misfit(nil); errors.As(err, &m) {
		return s.writeRuns(b, m.Runs())
	}
	return err
}

// writeRuns writes the runs of b that runs cuts it into, each but the first to a
// new file.
func (s *sink) writeRuns(b *event.Batch, runs []int) error {
	from := 0
	for _, to := range append(runs, b.Len()) {
		if to > from {
			v := b.View(from, to)
			err := s.write(v)
			v.Release()
			if err != nil {
				return fmt.Errorf("writing events %d to %d of the batch: %w", from, to-1, withoutClass(err))
			}
		}
		if to < b.Len() {
			s.logClose(s.closeFile())
		}
		from = to
	}
	return nil
}

// withoutClass keeps a rejection of a part from being taken for one of the batch,
// of which another part may be delivered.
func withoutClass(err error) error {
	if flow.ClassOf(err) == flow.ClassReject {
		return flow.Retry(err)
	}
	return err
}

// write writes all of b to the present file, opening one if there is none.
func (s *sink) write(b *event.Batch) error {
	if s.out == nil {
		if err := s.next(); err != nil {
			return err
		}
	}
	o := s.out
	err := o.deliver(b, s.cfg.Fsync == fsyncBatch)
	if o.lost {
		// It cannot be told what the disk has of the file: start another.
		s.logClose(s.closeFile())
	}
	if err != nil {
		return err
	}
	if s.cfg.RollSize > 0 && o.good >= s.cfg.RollSize {
		s.rotate()
	}
	return nil
}

// next opens the next file.
func (s *sink) next() error {
	o, err := s.create()
	if err != nil {
		s.failed.Add(1)
		return err
	}
	s.out, s.trouble = o, false
	s.opened.Add(1)
	s.log.Debug("file opened", "file", o.name)
	return nil
}

// rotate replaces the file by the next one. Failures are logged: no batch depends
// on them, and the next one opens a file if there is none.
func (s *sink) rotate() {
	if s.out != nil && s.cfg.SkipEmpty && s.out.empty() {
		return
	}
	s.logClose(s.closeFile())
	if s.cfg.SkipEmpty {
		return
	}
	if err := s.next(); err != nil && !s.trouble {
		s.trouble = true
		s.log.Warn("starting a new file failed; trying again with the next batch", "error", err)
	}
}

// closeFile closes the present file, if any, for good: whatever happens, its name
// is not used again.
func (s *sink) closeFile() error {
	o := s.out
	if o == nil {
		return nil
	}
	s.out = nil
	err := o.close(s.cfg.Fsync != fsyncNever)
	if err == nil && s.cfg.Fsync == fsyncClose {
		err = s.fs.SyncDir(filepath.Dir(o.name))
	}
	if err != nil {
		s.failed.Add(1)
		return fmt.Errorf("closing %s: %w", o.name, err)
	}
	s.closed.Add(1)
	s.log.Debug("file closed", "file", o.name, "bytes", o.good)
	return nil
}

func (s *sink) logClose(err error) {
	if err != nil {
		s.log.Error("a file was not closed properly; its end may be missing or incomplete", "error", err)
	}
}

// roll starts a new file at each interval until stop is closed.
func (s *sink) roll(stop, done chan struct{}) {
	defer close(done)
	t := time.NewTicker(s.cfg.RollInterval)
	defer t.Stop()
	for {
		select {
		case <-stop:
			return
		case <-t.C:
			s.mu.Lock()
			if s.running {
				s.rotate()
			}
			s.mu.Unlock()
		}
	}
}
