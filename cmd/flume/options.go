package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"gopkg.in/natefinch/lumberjack.v2"

	"github.com/flume-go/flume/config/load"
	"github.com/flume-go/flume/internal/gss"
	"github.com/flume-go/flume/internal/launch"
	"github.com/flume-go/flume/internal/logging"
	"github.com/flume-go/flume/internal/tlsconf"
)

// options are what a command line, the options file and flume-env.sh come to.
type options struct {
	name         string
	confDir      string
	files, uris  []string
	provider     string
	authProvider string
	user, pass   string
	poll         int
	backup       string
	noReload     bool
	zk, zkBase   string
	classpath    string
	plugins      string
	dryRun       bool
	lenient      bool
	stopTimeout  time.Duration
	logLevel     string
	logFormat    string

	jvm     launch.JVM
	notices []string // accepted without effect, and why
}

// addFlags declares the options; their Flume forms are rewritten by
// launch.Normalize before they get here.
func (o *options) addFlags(c *cobra.Command) {
	f := c.Flags()
	f.SortFlags = false
	f.StringVarP(&o.name, "name", "n", "", "`NAME` of the agent in the configuration")
	f.StringVarP(&o.confDir, "conf", "c", "", "`DIR` with flume-env.sh, flume.opts and classpath: resources")
	f.StringArrayVarP(&o.files, "conf-file", "f", nil, "configuration `FILE`; may be repeated, later ones override earlier ones")
	f.StringArrayVarP(&o.uris, "conf-uri", "u", nil, "configuration `URI`: file:, classpath:, http:, https:; may be repeated")
	f.StringVar(&o.user, "conf-user", "", "user `NAME` for http URIs (also -user)")
	f.StringVar(&o.pass, "conf-password", "", "`PASSWORD` for http URIs (also -pwd)")
	f.StringVar(&o.provider, "conf-provider", "", "Java `CLASS` of a configuration provider (also -prov); has no effect")
	f.StringVarP(&o.authProvider, "auth-provider", "a", "", "Java `CLASS` of an authorisation provider; has no effect")
	f.IntVarP(&o.poll, "poll-interval", "i", 0, "`SECONDS` between looks for a changed configuration (default 30, 300 with http URIs)")
	f.StringVarP(&o.backup, "backup-directory", "b", "", "`DIR` that keeps the last good configuration")
	f.BoolVar(&o.noReload, "no-reload-conf", false, "do not reload a changed configuration")
	f.StringVarP(&o.zk, "zkConnString", "z", "", "ZooKeeper `HOSTS`, host:port[,host:port…], to read the configuration from")
	f.StringVarP(&o.zkBase, "zkBasePath", "p", "/flume", "ZooKeeper `NODE` above the agents' configurations")
	f.StringVarP(&o.classpath, "classpath", "C", "", "`DIRS` for classpath: URIs")
	f.StringVar(&o.plugins, "plugins-path", "", "`DIRS` of Java plugins; has no effect")
	f.BoolVarP(&o.dryRun, "dryrun", "d", false, "print the command line in force and exit")
	f.BoolVar(&o.lenient, "lenient", false, "leave out broken components, as Apache Flume does, instead of refusing to start")
	f.DurationVar(&o.stopTimeout, "stop-timeout", 30*time.Second, "longest `TIME` for a clean stop, draining of memory channels included")
	f.StringVar(&o.logLevel, "log-level", "", "log `LEVEL`: DEBUG, INFO, WARN, ERROR or OFF (default INFO)")
	f.StringVar(&o.logFormat, "log-format", "text", "`FORMAT` of the log: text or json")
	f.BoolP("help", "h", false, "show this help")
}

// parse reads a command line in any of Flume's forms. -D and -X stand for the JVM.
func (o *options) parse(c *cobra.Command, args []string) error {
	rest, jvm, err := launch.Normalize(args)
	if err != nil {
		return usageError(err)
	}
	o.jvm = jvm
	confDir := given(rest, "conf")
	if err := o.environment(c.Context(), confDir); err != nil {
		return usageError(err)
	}
	fromFile, path, err := launch.ReadOptsFile(launch.SystemOptsFile, confDir)
	if err != nil {
		return usageError(err)
	}
	var defaults []string
	for _, a := range fromFile {
		name, _, _ := strings.Cut(strings.TrimPrefix(a, "--"), "=")
		if !has(rest, name) {
			defaults = append(defaults, a)
		}
	}
	if len(defaults) > 0 {
		o.notices = append(o.notices, fmt.Sprintf("options from %s: %s", path, strings.Join(masked(defaults), " ")))
	}
	if err := c.Flags().Parse(append(defaults, rest...)); err != nil {
		return usageError(err)
	}
	if extra := c.Flags().Args(); len(extra) > 0 {
		return usageError(fmt.Errorf("%q is not an option", extra[0]))
	}
	o.explainIgnored()
	return nil
}

// masked returns options as they may be shown: without passwords.
func masked(args []string) []string {
	out := slices.Clone(args)
	for i, a := range out {
		switch name, value, _ := strings.Cut(a, "="); name {
		case "--conf-password":
			out[i] = name + "=(secret)"
		case "--conf-uri":
			out[i] = name + "=" + withoutPassword(value)
		}
	}
	return out
}

// given returns the value of a normalized option, "" if it is not there.
func given(args []string, name string) string {
	for _, a := range args {
		if v, ok := strings.CutPrefix(a, "--"+name+"="); ok {
			return v
		}
	}
	return ""
}

func has(args []string, name string) bool {
	return slices.ContainsFunc(args, func(a string) bool { return a == "--"+name || strings.HasPrefix(a, "--"+name+"=") })
}

// environment applies flume-env.sh of the configuration directory and the
// variables that Flume's launcher reads.
func (o *options) environment(ctx context.Context, confDir string) error {
	if confDir != "" {
		vars, found, err := launch.ReadEnvFile(ctx, confDir)
		if err != nil {
			return err
		}
		if found {
			o.notices = append(o.notices, "environment from "+filepath.Join(confDir, launch.EnvFile))
		}
		for k, v := range vars {
			if err := os.Setenv(k, v); err != nil {
				return fmt.Errorf("setting %s from %s: %w", k, launch.EnvFile, err)
			}
		}
		if err := o.jvm.Add(vars["JAVA_OPTS"]); err != nil {
			return fmt.Errorf("JAVA_OPTS in %s: %w", launch.EnvFile, err)
		}
	}
	if err := o.jvm.Add(os.Getenv("FLUME_JAVA_OPTS")); err != nil {
		return fmt.Errorf("FLUME_JAVA_OPTS: %w", err)
	}
	// Components read system properties of the JVM from the variables that Flume has for them.
	set := tlsconf.Environment(o.jvm.System)
	maps.Copy(set, gss.Environment(o.jvm.System))
	if o.jvm.MaxHeap > 0 {
		set["FLUME_MAX_HEAP"] = strconv.FormatInt(o.jvm.MaxHeap, 10)
	}
	for k, v := range set {
		if err := os.Setenv(k, v); err != nil {
			return fmt.Errorf("setting %s: %w", k, err)
		}
	}
	return nil
}

// explainIgnored notes what was accepted though it means nothing without a JVM.
func (o *options) explainIgnored() {
	note := func(format string, args ...any) { o.notices = append(o.notices, fmt.Sprintf(format, args...)) }
	if len(o.jvm.Ignored) > 0 {
		note("no effect without a JVM: %s", strings.Join(o.jvm.Ignored, " "))
	}
	if o.jvm.MaxHeap > 0 {
		note("-Xmx: there is no heap to limit; %d bytes are the basis of memory channels' default byteCapacity", o.jvm.MaxHeap)
	}
	if o.plugins != "" {
		note("--plugins-path %s: no effect, Java plugins cannot be loaded", o.plugins)
	}
	if o.classpath != "" {
		note("--classpath %s: only its directories count, for classpath: URIs", o.classpath)
	}
	if o.provider != "" {
		note("--conf-provider %s: no effect, Java classes cannot be loaded; use -f, -u or -z", o.provider)
	}
	if o.authProvider != "" {
		note("--auth-provider %s: no effect, Java classes cannot be loaded; use --conf-user and --conf-password", o.authProvider)
	}
}

// logger makes the program's logger. 1.9's -Dflume.root.logger gives the level
// and may ask for a file.
func (o *options) logger(stderr io.Writer) (*slog.Logger, func(), error) {
	level, appender, _ := strings.Cut(o.jvm.System["flume.root.logger"], ",")
	if o.logLevel != "" {
		level = o.logLevel
	}
	l, err := logging.ParseLevel(level)
	if err != nil {
		return nil, nil, err
	}
	w, closeFile := stderr, func() {}
	if strings.Contains(strings.ToUpper(appender), "LOGFILE") {
		f, err := logFile(o.jvm.System["flume.log.dir"], o.jvm.System["flume.log.file"])
		if err != nil {
			return nil, nil, err
		}
		w, closeFile = f, func() { _ = f.Close() }
	}
	log, err := logging.New(w, o.logFormat, l)
	return log, closeFile, err
}

// logFile opens the log file of 1.9's LOGFILE appender, with its names and its
// limits: a new file every 100 MB, ten old ones kept.
func logFile(dir, name string) (io.WriteCloser, error) {
	if dir == "" {
		dir = "logs"
	}
	if name == "" {
		name = "flume.log"
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("making the log directory (flume.log.dir): %w", err)
	}
	path := filepath.Join(dir, name)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening the log file (flume.log.file): %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("opening the log file (flume.log.file): %w", err)
	}
	return &lumberjack.Logger{Filename: path, MaxSize: 100, MaxBackups: 10}, nil
}

// loadOptions says where the configuration is.
func (o *options) loadOptions(log *slog.Logger) load.Options {
	return load.Options{
		Agent: o.name, Files: o.files, URIs: o.uris, ZooKeeper: o.zk, ZooKeeperBase: o.zkBase,
		User: o.user, Password: o.pass, BackupDir: o.backup, ConfDir: o.confDir,
		ClassPath: strings.Trim(o.classpath+string(os.PathListSeparator)+os.Getenv("FLUME_CLASSPATH"), string(os.PathListSeparator)),
		System:    o.jvm.System, FormatDate: formatDate, Version: version, Log: log,
	}
}

var errNoName = errors.New("the agent's name is missing; give it with --name")
