package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flume-go/flume/config"
	"github.com/flume-go/flume/config/load"
	"github.com/flume-go/flume/internal/launch"
	"github.com/flume-go/flume/property"
)

// configFlags are the options by which check and explain find a configuration.
// They take the forms of the agent command, too.
func configCommand(c *cobra.Command, run func(cmd *cobra.Command, o *options, rest []string) error) *cobra.Command {
	o := &options{}
	c.DisableFlagParsing = true
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if wantsHelp(args) {
			return cmd.Help()
		}
		flags, rest := positional(args)
		if err := o.parse(cmd, flags); err != nil {
			return err
		}
		return run(cmd, o, rest)
	}
	o.addFlags(c)
	for _, name := range agentOnly {
		c.Flags().Lookup(name).Hidden = true
	}
	return c
}

// agentOnly are options that these commands take, so that the command line of an
// agent can be given as it is, and that change nothing.
var agentOnly = []string{
	"conf-provider", "auth-provider", "poll-interval", "backup-directory", "no-reload-conf",
	"plugins-path", "dryrun", "stop-timeout", "log-level", "log-format",
}

// positional parts arguments that are not options, nor values of options, from
// those that are.
func positional(args []string) (flags, rest []string) {
	for i := 0; i < len(args); i++ {
		if a := args[i]; len(a) < 2 || a[0] != '-' {
			rest = append(rest, a)
			continue
		}
		flags = append(flags, args[i])
		if takesValue(args[i]) && i+1 < len(args) {
			i++
			flags = append(flags, args[i])
		}
	}
	return flags, rest
}

func checkCommand() *cobra.Command {
	var format string
	c := configCommand(&cobra.Command{
		Use:   "check [FILE…]",
		Short: "Check a configuration without starting it",
		Long: `Check a configuration and print everything that is wrong with it, as
file:line:col: key: what; remedy. Without --name every agent in it is checked.

Exit code 0: nothing is wrong (there may be advice). 1: there are errors or
warnings. 2: the configuration cannot be read.`,
		Example: `  flume check flume.conf
  flume check -n a1 -f a.conf -f b.conf --format json`,
	}, func(cmd *cobra.Command, o *options, rest []string) error {
		o.files = append(o.files, rest...)
		problems, agents, err := o.check(cmd)
		if err != nil {
			return err
		}
		if err := writeCheck(cmd.OutOrStdout(), format, problems, agents); err != nil {
			return err
		}
		if problems.Worst() > property.Advice {
			return &exitError{code: exitFail}
		}
		return nil
	})
	c.Flags().StringVar(&format, "format", "text", "`FORMAT` of what is printed: text or json")
	return c
}

func (o *options) check(cmd *cobra.Command) (property.Problems, []string, error) {
	result, err := o.loadOnce(cmd.Context())
	if err != nil {
		return nil, nil, err
	}
	agents := []string{o.name}
	if o.name == "" {
		agents = config.NewModel(result.Properties).Agents()
	}
	if len(agents) == 0 && result.Problems.HasErrors() {
		return result.Problems, nil, nil // it may have agents once those are mended
	}
	if len(agents) == 0 {
		return nil, nil, configError(noAgent(result))
	}
	// What is wrong with the file as a whole comes with every agent: once is enough.
	seen := map[property.Problem]bool{}
	var all property.Problems
	for _, a := range agents {
		for _, p := range topologyOf(cmd.Context(), a, result, o.lenient).Problems {
			if !seen[p] {
				seen[p] = true
				all = append(all, p)
			}
		}
	}
	all.Sort()
	return all, agents, nil
}

// loadOnce loads the configuration to look at it, and leaves no traces.
func (o *options) loadOnce(ctx context.Context) (load.Result, error) {
	lo := o.loadOptions(slog.New(slog.DiscardHandler))
	lo.BackupDir = ""
	if lo.Agent == "" {
		if lo.ZooKeeper != "" {
			return load.Result{}, usageError(fmt.Errorf("%w: in ZooKeeper each agent has a node of its own", errNoName))
		}
		lo.Agent = "*" // nothing but the ZooKeeper node depends on it
	}
	loader, err := load.New(lo)
	if err != nil {
		return load.Result{}, usageError(err)
	}
	defer loader.Close()
	result, err := loader.Load(ctx)
	if err != nil {
		return load.Result{}, configError(err)
	}
	return result, nil
}

// noAgent says that a configuration, which has properties, names no agent. Most
// likely it is a file of another kind.
func noAgent(r load.Result) error {
	for key, v := range r.Properties.All() {
		return fmt.Errorf("the configuration names no agent: keys are written <agent>.sources, <agent>.channels, …, and the first one is %q (%s); is it a properties file?", key, v.Key)
	}
	return errors.New("the configuration names no agent")
}

func writeCheck(w io.Writer, format string, ps property.Problems, agents []string) error {
	switch format {
	case "text":
		printProblems(w, ps)
		if len(ps) == 0 {
			fmt.Fprintf(w, "ok: %d agent(s) checked\n", len(agents))
		}
		return nil
	case "json":
		if ps == nil {
			ps = property.Problems{}
		}
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(struct {
			Agents   []string          `json:"agents"`
			Problems property.Problems `json:"problems"`
		}{agents, ps})
	default:
		return usageError(fmt.Errorf("format %q is neither text nor json", format))
	}
}

func explainCommand() *cobra.Command {
	return configCommand(&cobra.Command{
		Use:   "explain [COMPONENT | PROPERTY]",
		Short: "Print every value in force, where it comes from and what it means",
		Long: `Print every value in force of an agent, of one of its components or of a single
property, where it comes from and what it means. Secrets are not shown.

Exit code 0: the configuration can be run. 1: there are errors in it, which are
printed to standard error. 2: it cannot be read, or has no such component or property.`,
		Example: `  flume explain -f flume.conf a1.sinks.k1
  flume explain -f flume.conf a1.sources.r1.port
  flume explain -f flume.conf -n a1`,
	}, func(cmd *cobra.Command, o *options, rest []string) error {
		if len(rest) > 1 {
			return usageError(fmt.Errorf("explain takes one component or property, not %d", len(rest)))
		}
		path := ""
		if len(rest) == 1 {
			path = rest[0]
		}
		return o.explain(cmd, path)
	})
}

func (o *options) explain(cmd *cobra.Command, path string) error {
	result, err := o.loadOnce(cmd.Context())
	if err != nil {
		return err
	}
	agents := config.NewModel(result.Properties).Agents()
	if len(agents) == 0 && result.Problems.HasErrors() {
		printProblems(cmd.ErrOrStderr(), result.Problems) // it may have agents once those are mended
		return &exitError{code: exitFail}
	}
	if len(agents) == 0 {
		return configError(noAgent(result))
	}
	name, err := chooseAgent(o.name, path, agents)
	if err != nil {
		return configError(err)
	}
	t := topologyOf(cmd.Context(), name, result, o.lenient)
	if err := t.Explain(cmd.OutOrStdout(), path); err != nil {
		return configError(err)
	}
	if t.Problems.HasErrors() {
		fmt.Fprintln(cmd.ErrOrStderr())
		printProblems(cmd.ErrOrStderr(), t.Problems)
		return &exitError{code: exitFail}
	}
	return nil
}

// chooseAgent finds the agent that a path such as a1.sinks.k1 speaks of.
func chooseAgent(name, path string, agents []string) (string, error) {
	if name != "" {
		return name, nil
	}
	for _, a := range agents {
		if path == a || strings.HasPrefix(path, a+".") {
			return a, nil
		}
	}
	if len(agents) == 1 {
		return agents[0], nil
	}
	return "", fmt.Errorf("the configuration has the agents %s; choose one with --name", quoted(agents))
}

// quoted lists names, whatever is in them.
func quoted(names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = strconv.Quote(n)
	}
	return strings.Join(out, ", ")
}

// takesValue reports whether an option as written is followed by its value.
func takesValue(arg string) bool {
	if strings.Contains(arg, "=") || strings.HasPrefix(arg, "-D") || strings.HasPrefix(arg, "-X") {
		return false
	}
	name := strings.TrimLeft(arg, "-")
	for _, o := range launch.Options {
		if name == o.Name || name == o.Short {
			return o.Value
		}
	}
	for _, o := range launch.Options {
		if strings.HasPrefix(o.Name, name) {
			return o.Value
		}
	}
	return false
}
