package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set when a release is linked.
var version = "0.1.0-dev"

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		// Flume's launcher takes its options with any command.
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if wantsHelp(args) {
				return cmd.Help()
			}
			revision, when := vcs()
			fmt.Fprintf(cmd.OutOrStdout(), "Flume %s\nRevision: %s\nBuilt from a commit of %s with %s for %s/%s\n",
				version, revision, when, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return nil
		},
	}
}

// vcs returns what the build recorded of the repository.
func vcs() (revision, when string) {
	revision, when = "unknown", "unknown date"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return revision, when
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			revision = s.Value
		case "vcs.time":
			when = s.Value
		}
	}
	return revision, when
}
