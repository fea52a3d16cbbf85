package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/flume-go/flume/internal/launch"
	"github.com/flume-go/flume/sdk"
)

// avroClient is Flume's command avro-client.
type avroClient struct {
	options // what Flume's launcher takes for itself

	host, port string
	rpcProps   string
	filename   string
	dirname    string
	headerFile string
}

// fewEvents is the batch size without a file of client properties, as in Flume.
const fewEvents = 5

func avroClientCommand() *cobra.Command {
	a := &avroClient{}
	c := &cobra.Command{
		Use:   "avro-client --host HOST --port PORT [--filename FILE | --dirname DIR]",
		Short: "Send lines of a file, of a directory or of the standard input to an agent",
		Long: `Send text to the avro source of an agent, or to whatever the properties of a
client say: each line is an event, without its end. Lines come from the standard
input unless a file or a directory is given.

The files of a directory are sent oldest first and must not change any more. One
that has been sent is renamed: "fileSuffix" is put behind its name, as Apache Flume
does it. Lines longer than 2048 characters become several events. What is left when
sending fails is sent by the next run.

Without --rpcProps five events are sent at a time; with it, as many as batch-size
says. It may choose any client.type: thrift, default_failover, default_loadbalance.

Exit code 0: all events were delivered. 1: they were not. 2: wrong usage. Called as
flume-ng it is 0 but for a port that is no number and for properties that cannot be
read, as with Apache Flume.`,
		Example: `  flume avro-client -H collector -p 4141 -F access.log
  tail -F access.log | flume avro-client -H collector -p 4141 -R headers.properties
  flume avro-client --rpcProps client.properties --dirname /var/spool/outgoing`,
		DisableFlagsInUseLine: true,
		DisableFlagParsing:    true, // Commons CLI has other rules
	}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if wantsHelp(args) {
			return cmd.Help()
		}
		if err := a.parse(cmd, args); err != nil {
			return a.failed(cmd, err, exitUsage, exitOK, true)
		}
		return a.run(cmd)
	}
	a.addFlags(c.Flags())
	return c
}

func (a *avroClient) addFlags(f *pflag.FlagSet) {
	f.SortFlags = false
	f.StringVarP(&a.host, "host", "H", "", "`HOST` of the agent")
	f.StringVarP(&a.port, "port", "p", "", "`PORT` of its avro source")
	f.StringVarP(&a.rpcProps, "rpcProps", "P", "", "`FILE` of client properties, instead of host and port")
	f.StringVarP(&a.filename, "filename", "F", "", "`FILE` to send")
	f.StringVar(&a.dirname, "dirname", "", "`DIR` whose files are sent")
	f.StringVarP(&a.headerFile, "headerFile", "R", "", "`FILE` of properties that all events get as headers")
	f.BoolP("help", "h", false, "show this help")
	f.StringVarP(&a.confDir, "conf", "c", "", "`DIR` with flume-env.sh")
	f.StringVarP(&a.classpath, "classpath", "C", "", "has no effect")
	f.StringVar(&a.plugins, "plugins-path", "", "has no effect")
	f.BoolVarP(&a.dryRun, "dryrun", "d", false, "has no effect")
	for _, name := range []string{"classpath", "plugins-path", "dryrun"} {
		f.Lookup(name).Hidden = true
	}
}

// failed gives an error its exit code: one of ours, or that of Flume's launcher.
func (a *avroClient) failed(cmd *cobra.Command, err error, ours, flumes int, usage bool) error {
	code := ours
	if cmd.Root().Name() == "flume-ng" {
		code = flumes
	}
	return &exitError{code: code, err: err, usage: usage}
}

// parse reads a command line in the forms of Flume's launcher and of Commons CLI.
func (a *avroClient) parse(cmd *cobra.Command, args []string) error {
	var jvm []string
	rest, err := normalizeClient(cmd.Flags(), args, &jvm)
	if err != nil {
		return err
	}
	if _, a.jvm, err = launch.Normalize(jvm); err != nil {
		return err
	}
	if err := cmd.Flags().Parse(rest); err != nil {
		return err
	}
	switch {
	case a.rpcProps == "" && (a.host == "" || a.port == ""):
		return errors.New("the agent is missing; give --host and --port, or --rpcProps")
	case a.filename != "" && a.dirname != "":
		return errors.New("--filename and --dirname cannot be given both")
	}
	return a.environment(cmd.Context(), a.confDir)
}

// normalizeClient rewrites the options as GNU parsers read them: long names may have one
// dash and may be abbreviated, values may follow short names at once. Options of a JVM
// are put into jvm.
func normalizeClient(flags *pflag.FlagSet, args []string, jvm *[]string) (rest []string, err error) {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if forJVM(arg) {
			*jvm = append(*jvm, arg)
			continue
		}
		if len(arg) < 2 || arg[0] != '-' {
			return nil, fmt.Errorf("%q is not an option", arg)
		}
		name, value, has := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		single := !strings.HasPrefix(arg, "--")
		f := flagOf(flags, name, single)
		if f == nil && single && len(arg) > 2 {
			f, value, has = flags.ShorthandLookup(arg[1:2]), arg[2:], true
		}
		switch {
		case f == nil:
			return nil, fmt.Errorf("unknown option %s", arg)
		case f.Value.Type() == "bool":
			rest = append(rest, "--"+f.Name)
			continue
		case !has && i+1 == len(args):
			return nil, fmt.Errorf("option --%s needs a value", f.Name)
		case !has:
			i++
			value = args[i]
		}
		rest = append(rest, "--"+f.Name+"="+value)
	}
	return rest, nil
}

func forJVM(arg string) bool {
	for _, prefix := range []string{"-D", "-X", "-agent", "-javaagent"} {
		if strings.HasPrefix(arg, prefix) {
			return true
		}
	}
	return false
}

func (a *avroClient) run(cmd *cobra.Command) error {
	log, closeLog, err := a.logger(cmd.ErrOrStderr())
	if err != nil {
		return a.failed(cmd, err, exitUsage, exitOK, true)
	}
	defer closeLog()
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := a.clientOptions(log)
	if err != nil {
		return a.failed(cmd, err, exitUsage, exitFail, false)
	}
	client, err := sdk.New(ctx, o)
	if err != nil {
		return a.failed(cmd, err, exitFail, exitOK, false)
	}
	s := &shipment{client: client, headers: a.headers(log), size: client.BatchSize(), log: log}
	err = errors.Join(a.send(ctx, s, cmd.InOrStdin()), client.Close())
	if err != nil {
		return a.failed(cmd, fmt.Errorf("after %d events: %w", s.delivered.Load(), err), exitFail, exitOK, false)
	}
	log.Info("all events are delivered", "events", s.delivered.Load())
	return nil
}

// clientOptions says how to connect.
func (a *avroClient) clientOptions(log *slog.Logger) (sdk.Options, error) {
	if a.rpcProps != "" {
		props, err := sdk.ReadProperties(a.rpcProps)
		if err != nil {
			return sdk.Options{}, fmt.Errorf("option --rpcProps: %w", err)
		}
		o, warnings, err := sdk.Parse(props)
		for _, w := range warnings {
			log.Warn(w)
		}
		return o, err
	}
	if n, err := strconv.ParseUint(a.port, 10, 16); err != nil || n == 0 {
		return sdk.Options{}, fmt.Errorf("option --port: %q is not a number from 1 to 65535", a.port)
	}
	return sdk.Options{Hosts: []string{net.JoinHostPort(a.host, a.port)}, BatchSize: fewEvents}, nil
}

// headers reads the file of headers. Without it events are sent all the same, as Flume
// does.
func (a *avroClient) headers(log *slog.Logger) map[string]string {
	if a.headerFile == "" {
		return nil
	}
	headers, err := sdk.ReadProperties(a.headerFile)
	if err != nil {
		log.Error("events are sent without headers", "error", err)
	}
	return headers
}

func (a *avroClient) send(ctx context.Context, s *shipment, stdin io.Reader) error {
	switch {
	case a.dirname != "":
		return s.directory(ctx, a.dirname)
	case a.filename != "":
		f, err := os.Open(a.filename)
		if err != nil {
			return fmt.Errorf("option --filename: %w", err)
		}
		defer f.Close()
		return s.lines(ctx, f)
	default:
		return s.lines(ctx, stdin)
	}
}
