// Flume collects log data, moves it through tiers of agents and stores it where
// it is kept, and loses none of it.
//
// Called as flume-ng it takes the commands and options of Apache Flume's
// launcher.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	_ "time/tzdata" // time zones by name on machines without a database of them

	"github.com/spf13/cobra"

	_ "github.com/flume-go/flume/all"
	"github.com/flume-go/flume/component"
)

// Exit codes.
const (
	exitOK    = 0
	exitFail  = 1 // something went wrong while running; for check: problems were found
	exitUsage = 2 // wrong usage or configuration
)

func main() {
	os.Exit(run(os.Args, os.Stdout, os.Stderr))
}

// exitError ends the program with a code. A nil err has been told already.
type exitError struct {
	code  int
	err   error
	usage bool // the help of the command would help
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usageError is about the command line.
func usageError(err error) error { return &exitError{code: exitUsage, err: err, usage: true} }

// configError is about the configuration.
func configError(err error) error { return &exitError{code: exitUsage, err: err} }

// run runs the command line and returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	root := rootCommand(strings.TrimSuffix(filepath.Base(args[0]), ".exe"))
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetArgs(args[1:])
	cmd, err := root.ExecuteContextC(context.Background())
	if err == nil {
		return exitOK
	}
	var exit *exitError
	if !errors.As(err, &exit) {
		// Cobra's own complaints are about usage.
		exit = &exitError{code: exitUsage, err: err, usage: true}
	}
	if exit.err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", root.Name(), exit.err)
		if exit.usage {
			fmt.Fprintf(stderr, "Run %q for usage.\n", cmd.CommandPath()+" --help")
		}
	}
	return exit.code
}

func rootCommand(name string) *cobra.Command {
	root := &cobra.Command{
		Use:   name,
		Short: "Flume collects log data where it is born, moves it and stores it, and loses none of it",
		Long: `Flume collects log data where it is born, moves it through tiers of agents and
stores it where it is kept, and loses none of it.

It runs the configuration files of Apache Flume and takes its command line.`,
		SilenceErrors:         true,
		DisableFlagsInUseLine: true,
		// The options of a command whose name is mistyped are not the mistake to tell of.
		FParseErrWhitelist: cobra.FParseErrWhitelist{UnknownFlags: true},
		SilenceUsage:       true,
		Args:               cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			_ = cmd.Help()
			if len(args) == 0 {
				return &exitError{code: noCommandCode(name), err: errors.New("no command was given")}
			}
			return &exitError{code: noCommandCode(name), err: fmt.Errorf("unknown command %q%s", args[0], didYouMean(cmd, args[0]))}
		},
	}
	root.AddCommand(agentCommand("agent"), nodeCommand(), checkCommand(), explainCommand(), componentsCommand(), channelCommand(), toolCommand(), avroClientCommand(), versionCommand())
	root.CompletionOptions.HiddenDefaultCmd = true
	return root
}

// didYouMean suggests the command of the nearest name, if any is near.
func didYouMean(root *cobra.Command, name string) string {
	var names []string
	for _, c := range root.Commands() {
		if !c.Hidden {
			names = append(names, c.Name())
		}
	}
	if near := component.Nearest(name, names); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

// noCommandCode is what Flume's launcher answers when it does not know what to
// do; under our own name it is wrong usage like any other.
func noCommandCode(name string) int {
	if name == "flume-ng" {
		return exitFail
	}
	return exitUsage
}

// nodeCommand is Flume's old name of agent.
func nodeCommand() *cobra.Command {
	c := agentCommand("node")
	c.Hidden = true
	inner := c.RunE
	c.RunE = func(cmd *cobra.Command, args []string) error {
		fmt.Fprintln(cmd.ErrOrStderr(), "the command node is deprecated; use agent")
		return inner(cmd, args)
	}
	return c
}
