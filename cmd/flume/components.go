package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/flume-go/flume/component"
)

func componentsCommand() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "components [TYPE]",
		Short: "List the types of components, or document one",
		Example: `  flume components
  flume components netcat
  flume components --format json memory`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			entries := everything()
			if len(args) == 1 {
				if entries = named(args[0]); len(entries) == 0 {
					return usageError(unknownType(args[0]))
				}
			}
			switch {
			case format == "json":
				return writeSchema(cmd.OutOrStdout(), entries)
			case format != "text":
				return usageError(fmt.Errorf("format %q is neither text nor json", format))
			case len(args) == 0:
				return writeList(cmd.OutOrStdout(), entries)
			default:
				return writeReference(cmd.OutOrStdout(), entries)
			}
		},
	}
	c.Flags().StringVar(&format, "format", "text", "`FORMAT` of what is printed: text, or json for JSON Schema")
	return c
}

func everything() []*component.Entry {
	var all []*component.Entry
	for _, k := range component.Kinds {
		all = append(all, component.All(k)...)
	}
	return all
}

// named returns the types of any kind with this name or alias.
func named(name string) []*component.Entry {
	var out []*component.Entry
	for _, k := range component.Kinds {
		if e, ok := component.Lookup(k, name); ok {
			out = append(out, e)
		}
	}
	return out
}

func unknownType(name string) error {
	what, remedy := component.UnknownType(name)
	return fmt.Errorf("%s; %s", what, remedy)
}

func writeList(w io.Writer, entries []*component.Entry) error {
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	var kind component.Kind
	for _, e := range entries {
		if e.Kind != kind {
			if kind != "" {
				fmt.Fprintln(tw)
			}
			kind = e.Kind
			fmt.Fprintln(tw, strings.ToUpper(string(kind)))
		}
		fmt.Fprintf(tw, "  %s\t%s\n", e.Info.Type, e.Info.Summary)
	}
	return tw.Flush()
}

func writeReference(w io.Writer, entries []*component.Entry) error {
	for i, e := range entries {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%s %s\n%s\n", e.Kind, e.Info.Type, e.Info.Summary)
		if len(e.Info.Aliases) > 0 {
			fmt.Fprintf(w, "Also: %s\n", strings.Join(e.Info.Aliases, ", "))
		}
		fmt.Fprintln(w)
		tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
		for _, f := range e.Schema.Flat() {
			fmt.Fprintf(tw, "  %s\t%s\t%s\n", f.Key, f.Range(), f.Doc)
		}
		if err := tw.Flush(); err != nil {
			return err
		}
	}
	return nil
}

func writeSchema(w io.Writer, entries []*component.Entry) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	if len(entries) == 1 {
		return enc.Encode(component.JSONSchema(entries[0]))
	}
	all := make([]map[string]any, len(entries))
	for i, e := range entries {
		all[i] = component.JSONSchema(e)
	}
	return enc.Encode(all)
}
