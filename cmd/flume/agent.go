package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/flume-go/flume/agent"
	"github.com/flume-go/flume/config"
	"github.com/flume-go/flume/config/load"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/monitor"
	"github.com/flume-go/flume/property"
)

func agentCommand(name string) *cobra.Command {
	o := &options{}
	c := &cobra.Command{
		Use:   name + " --name NAME --conf-file FILE",
		Short: "Run an agent",
		Long: `Run the agent NAME of a configuration.

All options of Apache Flume's flume-ng are accepted, in its forms: -Dname=value
sets a property for ${sys:name} and for flume.monitoring.*, long options may be
abbreviated, -X and the like are accepted without effect.

SIGTERM and SIGINT stop the agent: sources first, then what is in memory is
delivered. A second signal ends it at once. SIGHUP reloads the configuration.

Exit code 0: it was stopped and nothing was lost. 1: something went wrong while
it ran or stopped. 2: wrong usage or configuration.`,
		Example: `  flume agent -n a1 -f flume.conf
  flume agent -n a1 -c conf -f a.conf -f b.conf -Dflume.monitoring.type=http -Dflume.monitoring.port=41414
  flume agent -n a1 -z zk1:2181,zk2:2181 -p /flume`,
		DisableFlagParsing: true, // launch.Normalize comes first
		RunE: func(cmd *cobra.Command, args []string) error {
			if wantsHelp(args) {
				return cmd.Help()
			}
			if err := o.parse(cmd, args); err != nil {
				return err
			}
			return o.runAgent(cmd)
		},
	}
	o.addFlags(c)
	return c
}

func wantsHelp(args []string) bool {
	for _, a := range args {
		if a == "-h" || a == "--help" || a == "-help" {
			return true
		}
	}
	return false
}

func (o *options) runAgent(cmd *cobra.Command) error {
	if o.name == "" {
		return usageError(errNoName)
	}
	log, closeLog, err := o.logger(cmd.ErrOrStderr())
	if err != nil {
		return usageError(err)
	}
	defer closeLog()
	for _, n := range o.notices {
		log.Info(n)
	}
	if o.dryRun {
		fmt.Fprintln(cmd.OutOrStdout(), strings.Join(append([]string{cmd.Root().Name(), "agent"}, o.inForce()...), " "))
		return nil
	}
	loader, err := load.New(o.loadOptions(log))
	if err != nil {
		return usageError(err)
	}
	defer loader.Close()

	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s := &service{options: o, log: log, loader: loader}
	defer s.catch(ctx)()
	topology, err := s.load(ctx)
	if err != nil {
		return err
	}
	return s.run(ctx, stop, topology)
}

// inForce returns the options in force, without secrets.
func (o *options) inForce() []string {
	args := []string{"--name=" + o.name}
	for _, f := range o.files {
		args = append(args, "--conf-file="+f)
	}
	for _, u := range o.uris {
		args = append(args, "--conf-uri="+withoutPassword(u))
	}
	if o.zk != "" {
		args = append(args, "--zkConnString="+o.zk, "--zkBasePath="+o.zkBase)
	}
	if o.confDir != "" {
		args = append(args, "--conf="+o.confDir)
	}
	return args
}

// withoutPassword returns a URI that can be shown.
func withoutPassword(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return "(malformed)" // which may be because of the password
	}
	return u.Redacted()
}

// service is an agent with what surrounds it: the configuration's source, the
// ways out for metrics, the admin API.
type service struct {
	*options
	log    *slog.Logger
	loader *load.Loader
	agent  *agent.Agent

	mu      sync.Mutex
	waiting []chan error // reloads that the admin API asked for
}

// catch deals with the signals that would end the program but must not, until
// the function that it returns is called: SIGHUP reloads, and SIGPIPE is nothing
// but a log that nobody reads any more.
func (s *service) catch(ctx context.Context) (release func()) {
	hup, pipe := make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	signal.Notify(pipe, syscall.SIGPIPE) // not Ignore, which commands of exec sources would inherit
	go func() {
		for range hup {
			if ctx.Err() != nil {
				s.log.Info("SIGHUP is ignored: the agent is stopping")
				continue
			}
			s.log.Info("reload is asked for by SIGHUP")
			s.loader.Reload()
		}
	}()
	return func() {
		signal.Stop(hup)
		signal.Stop(pipe)
		close(hup)
	}
}

// load reads the first configuration. Errors in it end the program.
func (s *service) load(ctx context.Context) (*config.Topology, error) {
	result, err := s.loader.Load(ctx)
	if err != nil {
		return nil, configError(err)
	}
	t := topologyOf(ctx, s.name, result, s.lenient)
	if !t.Problems.HasErrors() {
		s.tell(t)
		return t, nil
	}
	for _, p := range t.Problems {
		fmt.Fprintln(os.Stderr, p)
	}
	return nil, configError(fmt.Errorf("agent %s was not started: %s in its configuration", s.name, count(t.Problems)))
}

// tell logs what is not an error.
func (s *service) tell(t *config.Topology) {
	for _, p := range t.Problems {
		if p.Severity == property.Advice {
			s.log.Info(p.String())
			continue
		}
		s.log.Warn(p.String())
	}
	for _, d := range t.Dropped {
		s.log.Error("left out because its configuration is broken (--lenient)", "component", d)
	}
}

func (s *service) run(ctx context.Context, stopSignals context.CancelFunc, topology *config.Topology) error {
	began := time.Now()
	s.agent = agent.New(agent.Options{Name: s.name, Log: s.log, FS: vfs.OS{}, StopLimit: s.stopTimeout})
	reporters, err := s.reporters()
	if err != nil {
		return configError(err)
	}
	if err := s.agent.Start(ctx, topology); err != nil {
		return configError(fmt.Errorf("agent %s was not started: %w", s.name, err))
	}
	for _, r := range reporters {
		if err := r.Start(ctx); err != nil {
			return errors.Join(configError(err), s.stop(reporters))
		}
	}
	s.log.Info("agent is up", "agent", s.name, "version", version, "after", time.Since(began).Round(time.Millisecond).String(), "configuration", strings.Join(s.loader.Sources(), ", "))

	s.watch(ctx)
	// Not at once: whoever stops a whole group of processes signals some twice.
	defer time.AfterFunc(secondSignal, func() {
		stopSignals()
		s.log.Info("agent is still stopping; a second signal ends it at once", "limit", s.stopTimeout.String())
	}).Stop()
	return s.stop(reporters)
}

// secondSignal is how long after the first signal another one counts as a second.
const secondSignal = 300 * time.Millisecond

// reporters makes the ways out that flume.monitoring.* and flume.admin.* ask for.
func (s *service) reporters() ([]monitor.Reporter, error) {
	var out []monitor.Reporter
	settings, admin := prefixed(s.jvm.System, "flume.monitoring."), prefixed(s.jvm.System, "flume.admin.")
	o := monitor.Options{Agent: s.name, Log: s.log, Version: version}
	if settings["type"] != "" {
		r, err := monitor.New(settings, s.agent, o)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	if admin["address"] != "" {
		r, err := monitor.NewAdmin(admin, s.agent, s.reloadNow, o)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// prefixed returns the properties that begin with prefix, without it.
func prefixed(props map[string]string, prefix string) map[string]string {
	out := map[string]string{}
	for k, v := range props {
		if rest, ok := strings.CutPrefix(k, prefix); ok {
			out[rest] = v
		}
	}
	return out
}

// stop stops the agent and then what reported on it.
func (s *service) stop(reporters []monitor.Reporter) error {
	ctx, cancel := context.WithTimeout(context.Background(), s.stopTimeout+10*time.Second)
	defer cancel()
	err := s.agent.Stop(ctx)
	for _, r := range reporters {
		err = errors.Join(err, r.Close(ctx))
	}
	if err != nil {
		return &exitError{code: exitFail, err: err}
	}
	return nil
}

// watch serves reloads until ctx ends: the poll of the sources, SIGHUP (through
// catch) and the admin API.
func (s *service) watch(ctx context.Context) {
	o := s.loadOptions(s.log)
	interval := o.PollInterval(s.poll)
	if s.noReload {
		interval = load.OnlyReload
	}
	s.loader.Watch(ctx, interval, s.apply)
}

// apply brings a loaded configuration in force. An error changes nothing.
func (s *service) apply(ctx context.Context, result load.Result, err error) {
	if err == nil {
		err = s.reload(ctx, result)
	} else {
		s.agent.ReloadRefused(err)
	}
	s.mu.Lock()
	waiting := s.waiting
	s.waiting = nil
	s.mu.Unlock()
	for _, w := range waiting {
		w <- err
	}
}

func (s *service) reload(ctx context.Context, result load.Result) error {
	t := topologyOf(ctx, s.name, result, s.lenient)
	if !t.Problems.HasErrors() {
		s.tell(t)
		return s.agent.Reload(ctx, t)
	}
	var errs property.Problems
	for _, p := range t.Problems {
		if p.Severity == property.Error {
			errs = append(errs, p)
			s.log.Error(p.String())
		}
	}
	s.log.Error("configuration is not reloaded, the agent goes on with the old one", "problems", count(t.Problems))
	s.agent.ReloadRefused(errs)
	return errs
}

// reloadNow is the admin API's way to reload: it waits for the outcome.
func (s *service) reloadNow(ctx context.Context) error {
	s.log.Info("reload is asked for by the admin API")
	answer := make(chan error, 1)
	s.mu.Lock()
	s.waiting = append(s.waiting, answer)
	s.mu.Unlock()
	s.loader.Reload()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
