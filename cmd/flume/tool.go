package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/flume-go/flume/internal/channeltool"
)

// integrityTool is the one tool that Apache Flume's launcher has.
const integrityTool = "FCINTEGRITYTOOL"

// toolCommand is Flume's command tool.
func toolCommand() *cobra.Command {
	t := &integrity{}
	c := &cobra.Command{
		Use:   "tool " + integrityTool + " -l DIR[,DIR…]",
		Short: "Run " + integrityTool + ", which takes damaged events out of a file channel",
		Long: `Run a tool of Apache Flume's launcher. There is one, FCINTEGRITYTOOL: it reads the
logs of a file channel, takes out what is damaged and the events that a validator
rejects, and prints a summary. Stop the agent first.

In directories of Apache Flume damaged and rejected records are disabled in place,
after a copy of each log that is changed (.bak). In this program's log, damage
never keeps a channel from starting; damaged records are copied to the directory
quarantine and skipped from then on, rejected events are moved there.

Validators: noop (all events are valid), nonempty, utf8, maxsize with -DmaxSize=BYTES,
regex with -Dregex=EXPRESSION, which must be found in the body. Java classes cannot
be run.

Exit code 0: the channel is sound now. Otherwise nothing, or not all, was done.`,
		Example: `  flume-ng tool FCINTEGRITYTOOL -l /disk1/flume/c1,/disk2/flume/c1
  flume tool fcintegritytool -l /var/lib/flume/c1/data --checkpoint /var/lib/flume/c1/checkpoint
  flume tool fcintegritytool -f flume.conf -n a1 --channel c1 -e maxsize -DmaxSize=1048576`,
		DisableFlagsInUseLine: true,
		DisableFlagParsing:    true, // Commons CLI has other rules
	}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		name, args, err := t.normalize(cmd.Flags(), args)
		if err != nil {
			return t.usage(cmd, err)
		}
		if wantsHelp(args) {
			_ = cmd.Help()
			if cmd.Root().Name() == "flume-ng" {
				return &exitError{code: exitFail} // as Flume does
			}
			return nil
		}
		switch {
		case name == "":
			fmt.Fprintf(cmd.OutOrStdout(), "The name of a tool is missing. There is:\n%s\n", integrityTool)
			return &exitError{code: noCommandCode(cmd.Root().Name())}
		case !strings.EqualFold(name, integrityTool):
			return t.usage(cmd, fmt.Errorf("cannot find tool matching %q; there is %s", name, integrityTool))
		}
		if err := cmd.Flags().Parse(args); err != nil {
			return t.usage(cmd, err)
		}
		return t.run(cmd)
	}
	t.addFlags(c)
	return c
}

// integrity is the options of the file channel integrity tool.
type integrity struct {
	channelOptions
	dataDirs   string
	validator  string
	properties map[string]string // -D: they are the validator's
}

func (t *integrity) addFlags(c *cobra.Command) {
	f := c.Flags()
	f.StringVarP(&t.dataDirs, "dataDirs", "l", "", "`DIRS` of the channel's data, separated by commas")
	f.StringVarP(&t.validator, "eventValidator", "e", "", "`VALIDATOR` of events: noop, nonempty, utf8, maxsize or regex")
	t.channelOptions.addFlags(c, "")
	f.Lookup("define").Usage = "`KEY=VALUE` for the validator; may be repeated"
	f.StringVarP(&t.confDir, "launcher-conf", "c", "", "the launcher's --conf")
	f.StringVarP(&t.classpath, "classpath", "C", "", "has no effect")
	f.StringVar(&t.plugins, "plugins-path", "", "has no effect")
	f.BoolVarP(&t.dryRun, "dryrun", "d", false, "has no effect")
	for _, name := range []string{"launcher-conf", "classpath", "plugins-path", "dryrun"} {
		f.Lookup(name).Hidden = true
	}
}

// normalize rewrites a command line in the forms of Flume's launcher and of Commons CLI: long names may have one
// dash, may be abbreviated, and -Dkey value is -Dkey=value. It takes out the tool's name, -D, and what is for a JVM.
func (t *integrity) normalize(flags *pflag.FlagSet, args []string) (name string, rest []string, err error) {
	t.properties = make(map[string]string)
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case strings.HasPrefix(arg, "-X") || strings.HasPrefix(arg, "-agent") || strings.HasPrefix(arg, "-javaagent"):
			continue
		case strings.HasPrefix(arg, "-D"):
			i += t.define(arg[2:], args[i+1:])
			continue
		case len(arg) < 2 || arg[0] != '-':
			if name != "" {
				return "", nil, fmt.Errorf("%q is not an option", arg)
			}
			name = arg
			continue
		}
		long, value, has := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		f := flagOf(flags, long, !strings.HasPrefix(arg, "--"))
		switch {
		case f == nil:
			return "", nil, fmt.Errorf("unknown option %s", arg)
		case f.Value.Type() == "bool":
			rest = append(rest, "--"+f.Name)
			continue
		case !has && i+1 == len(args):
			return "", nil, fmt.Errorf("option --%s needs a value", f.Name)
		case !has:
			i++
			value = args[i]
		}
		rest = append(rest, "--"+f.Name+"="+value)
	}
	return name, rest, nil
}

// define takes a property and returns how many of the following arguments belong to it.
func (t *integrity) define(text string, following []string) int {
	used := 0
	if text == "" && len(following) > 0 {
		text, following, used = following[0], following[1:], 1
	}
	key, value, has := strings.Cut(text, "=")
	if !has && len(following) > 0 && !strings.HasPrefix(following[0], "-") {
		value = following[0]
		used++
	}
	t.properties[key] = value
	return used
}

// flagOf finds an option by its name, its short name if short, or the beginning of its name.
func flagOf(flags *pflag.FlagSet, name string, short bool) (found *pflag.Flag) {
	n := 0
	exact := false
	flags.VisitAll(func(f *pflag.Flag) {
		switch {
		case f.Name == name || short && f.Shorthand == name:
			found, exact = f, true
		case strings.HasPrefix(f.Name, name) && !exact:
			found = f
			n++
		}
	})
	if exact || n == 1 {
		return found
	}
	return nil
}

func (t *integrity) usage(cmd *cobra.Command, err error) error {
	return &exitError{code: noCommandCode(cmd.Root().Name()), err: err, usage: true}
}

func (t *integrity) run(cmd *cobra.Command) error {
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	valid, err := channeltool.NewValidator(t.validator, t.properties)
	if err != nil {
		return &exitError{code: exitFail, err: err}
	}
	dirs := list(t.dataDirs, ",")
	if len(dirs) == 0 && len(t.files) == 0 {
		return t.usage(cmd, errors.New("option --dataDirs is missing; name the data directories of the channel, separated by commas"))
	}
	place, err := t.place(ctx, dirs)
	if err != nil {
		return t.failed(err)
	}
	queues, err := channeltool.Find(place)
	if err != nil {
		return t.failed(err)
	}
	return t.repair(ctx, cmd, queues, valid)
}

func (t *integrity) repair(ctx context.Context, cmd *cobra.Command, queues []channeltool.Queue, valid channeltool.Validator) error {
	var total channeltool.Repaired
	for _, q := range queues {
		r, err := q.Repair(ctx, valid)
		if r != nil {
			for _, line := range r.Details {
				fmt.Fprintln(cmd.ErrOrStderr(), line)
			}
			total.Add(r)
		}
		if err != nil {
			return t.failed(err)
		}
	}
	total.Summary(cmd.OutOrStdout())
	return nil
}

// failed gives an error the exit code of Flume's tool.
func (t *integrity) failed(err error) error {
	var exit *exitError
	if errors.As(err, &exit) && exit.err != nil {
		err = exit.err
	}
	return &exitError{code: exitFail, err: withRemedy(err)}
}
