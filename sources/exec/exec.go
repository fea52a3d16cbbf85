// Package exec is the source that runs a command and turns each line of its
// output into an event.
//
// source.Run starts the command again and again, if so configured; process.go
// deals with the operating system's side of it, lines.go with its output.
package exec

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/charset"
	"github.com/flume-go/flume/internal/netio"
	"github.com/flume-go/flume/metrics"
)

//go:embed README.md
var readme string

func init() {
	component.RegisterSource(component.Info{
		Type:    "exec",
		Aliases: []string{"org.apache.flume.source.ExecSource"},
		Summary: "Runs a command and turns each line of its output into an event.",
		Readme:  readme,
	}, New)
}

// replace is a value of malformedInput.
const replace = "replace"

// Config is the properties of the source.
type Config struct {
	Command         string        `flume:"command,required" doc:"The command. Without shell it is split at white space and executed directly: no quotes, no patterns, no pipes."`
	Shell           string        `flume:"shell" doc:"A shell that executes the command, such as /bin/sh -c."`
	Restart         bool          `flume:"restart" default:"false" doc:"Whether to run the command again when it ends or cannot be started."`
	RestartThrottle time.Duration `flume:"restartThrottle" unit:"ms" default:"10000" min:"0" doc:"Pause before the command is run again."`
	LogStdErr       bool          `flume:"logStdErr" default:"false" doc:"Whether to log the lines that the command writes to its standard error. They are dropped otherwise."`
	BatchSize       int           `flume:"batchSize,batch" default:"20" min:"1" doc:"Most events handed to the channels at once."`
	BatchTimeout    time.Duration `flume:"batchTimeout" unit:"ms" default:"3000" min:"0" doc:"Longest time that a line may wait for others to fill a batch. Lines are handed on as soon as the output pauses, so they never wait that long."`
	Charset         string        `flume:"charset" default:"UTF-8" doc:"Character set of the command's output, and of the bodies."`
	MaxLineLength   int           `flume:"maxLineLength" unit:"bytes" default:"16777216" min:"16" doc:"Longest line. A longer one becomes several events."`
	MalformedInput  string        `flume:"malformedInput" default:"replace" enum:"replace,keep" doc:"What to do with bytes that are not valid UTF-8: replace them by U+FFFD as Flume does, or keep them. What is not valid in another charset is always replaced."`
}

// Check finds a character set that nobody knows.
func (c Config) Check(r *component.Report) {
	if _, err := charset.Lookup(c.Charset); err != nil {
		r.Error("charset", err.Error(), "give a name that Java or IANA knows, such as UTF-8 or ISO-8859-1")
	}
}

type source struct {
	cfg     Config
	args    []string
	charset charset.Charset
	log     *slog.Logger

	starts    *metrics.Counter
	malformed *metrics.Counter
	split     *metrics.Counter
	badInput  netio.LogLimit
	longLines netio.LogLimit

	// Used by Run alone:
	failing bool   // handing on events fails
	lastEnd string // how the command ended the last time
}

var _ flow.Source = (*source)(nil)

// New returns a source that starts its command once it runs.
func New(cfg Config, env component.Env) (flow.Source, error) {
	cs, err := charset.Lookup(cfg.Charset)
	if err != nil {
		return nil, fmt.Errorf("property charset: %w; give the name of one, such as UTF-8 or ISO-8859-1", err)
	}
	args := strings.Fields(cfg.Command)
	if len(args) == 0 {
		return nil, errors.New("property command is empty: give the command to run")
	}
	if shell := strings.Fields(cfg.Shell); len(shell) > 0 {
		args = append(shell, cfg.Command)
	}
	return &source{
		cfg: cfg, args: args, charset: cs, log: env.Log,
		starts:    env.Metrics.OwnCounter("command_starts", "Times that the command was started."),
		malformed: env.Metrics.OwnCounter("malformed_lines", "Lines in which malformed bytes were replaced."),
		split:     env.Metrics.OwnCounter("split_lines", "Times that a line was cut because it was longer than maxLineLength."),
	}, nil
}

// Run implements flow.Source.
func (s *source) Run(ctx context.Context, out flow.Emitter) error {
	work, end := netio.Outlive(ctx, grace)
	defer end()
	for {
		err := s.runOnce(ctx, work, out)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !s.cfg.Restart, errors.Is(err, errNotStored):
			return err
		case err != nil:
			s.logEnd(err.Error())
		}
		if !s.cfg.Restart {
			<-ctx.Done()
			return nil
		}
		if !flow.Sleep(ctx, s.cfg.RestartThrottle) {
			return nil
		}
	}
}

// errNotStored marks errors of Emit that trying again does not cure.
var errNotStored = errors.New("handing on events")

// runOnce runs the command to its end. An error says that it could not be
// started, or that its output could not be handed on.
func (s *source) runOnce(ctx, work context.Context, out flow.Emitter) error {
	p, err := start(s.args)
	if err != nil {
		return flow.Fatal(fmt.Errorf("starting the command %q (property command): %w", s.args[0], err))
	}
	s.starts.Add(1)
	s.log.Debug("command started", "pid", p.pid())
	stderr := make(chan struct{})
	go func() {
		defer close(stderr)
		s.drain(p.stderr)
	}()
	unhook := context.AfterFunc(ctx, p.stop)
	err = newReader(s, out).run(work, p.stdout)
	p.outputEnded(err == nil)
	if !unhook() {
		p.stop() // wait until it is done
	}
	p.close(stderr)
	if err != nil {
		return fmt.Errorf("%w: %w", errNotStored, err)
	}
	if ctx.Err() == nil {
		s.logEnd(p.status())
	}
	return nil
}

// logEnd logs that the command ended (or did not begin), once for each way.
func (s *source) logEnd(status string) {
	then := "it is not run again, as restart is false: the source stays idle"
	if s.cfg.Restart {
		then = "it is run again every time that it ends, after restartThrottle"
	}
	level := slog.LevelWarn
	if status == s.lastEnd {
		level = slog.LevelDebug
	}
	s.lastEnd = status
	s.log.Log(context.Background(), level, "the command ended; "+then, "status", status)
}
