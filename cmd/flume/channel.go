package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/flume-go/flume/internal/channeltool"
)

func channelCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "channel COMMAND",
		Short: "Look into a file channel: what is staged, whether it is sound, the events themselves",
		Long: `Look into the directories of a file channel. Nothing in them is changed, also not
while an agent has the channel open, which it may.

Which channel: name its data directories, or the agent's configuration with
-f FILE -n AGENT -c CHANNEL. Both this program's log and the directories of
Apache Flume's own file channel are read; which it is, is found out.`,
		DisableFlagsInUseLine: true,
		Args:                  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError(errors.New("channel needs a command: inspect, verify or export"))
			}
			return usageError(fmt.Errorf("unknown command %q of channel%s", args[0], didYouMean(cmd, args[0])))
		},
	}
	c.AddCommand(channelInspectCommand(), channelVerifyCommand(), channelExportCommand())
	return c
}

// channelLook makes a command that looks at a channel. Its errors are about what was asked for: exit code 2.
func channelLook(c *cobra.Command, o *channelOptions, run func(ctx context.Context, cmd *cobra.Command, queues []channeltool.Queue) error) *cobra.Command {
	c.DisableFlagsInUseLine = true
	c.RunE = func(cmd *cobra.Command, args []string) error {
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		place, err := o.place(ctx, args)
		if err != nil {
			return err
		}
		queues, err := channeltool.Find(place)
		if err != nil {
			return configError(err)
		}
		err = run(ctx, cmd, queues)
		var exit *exitError
		switch {
		case ctx.Err() != nil:
			return configError(errors.New("interrupted"))
		case err != nil && !errors.As(err, &exit):
			return configError(withRemedy(err))
		}
		return err
	}
	o.addFlags(c, "c")
	return c
}

// withRemedy says what to do about rights, which errors of the system do not.
func withRemedy(err error) error {
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("%w; run this as the user that runs the agent, or as root", err)
	}
	return err
}

func checkFormat(format string, known ...string) error {
	if !slices.Contains(known, format) {
		return usageError(fmt.Errorf("format %q is neither %s", format, strings.Join(known, " nor ")))
	}
	return nil
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func channelInspectCommand() *cobra.Command {
	o := &channelOptions{}
	var format string
	var all bool
	c := channelLook(&cobra.Command{
		Use:   "inspect [DIR…]",
		Short: "Tell what is staged in a file channel, since when, and in which files",
		Long: `Tell what is staged in a file channel, since when, in which files, whether the
checkpoint is good, which keys are needed, and who has the channel open. Of
directories of Apache Flume all staged events are read, as taking them over
would.

Exit code 0: here it is, damaged or not. 1: files with staged events are missing.
2: there is no such channel, or it cannot be read.`,
		Example: `  flume channel inspect -f flume.conf -n a1 -c c1
  flume channel inspect /disk1/flume/c1 /disk2/flume/c1 --checkpoint /var/lib/flume/c1/checkpoint
  flume channel inspect --format json /var/lib/flume/c1/data`,
	}, o, func(ctx context.Context, cmd *cobra.Command, queues []channeltool.Queue) error {
		if err := checkFormat(format, "text", "json"); err != nil {
			return err
		}
		reports := make([]*channeltool.Report, len(queues))
		for i, q := range queues {
			var err error
			if reports[i], err = q.Inspect(ctx); err != nil {
				return err
			}
		}
		if err := writeReports(cmd.OutOrStdout(), reports, format, all); err != nil {
			return err
		}
		if slices.ContainsFunc(reports, func(r *channeltool.Report) bool { return r.MissingFiles > 0 }) {
			return &exitError{code: exitFail}
		}
		return nil
	})
	c.Flags().StringVar(&format, "format", "text", "`FORMAT` of what is printed: text or json")
	c.Flags().BoolVar(&all, "all", false, "show all files, however many")
	return c
}

func writeReports(w io.Writer, reports []*channeltool.Report, format string, all bool) error {
	if format == "json" {
		return writeJSON(w, reports)
	}
	for i, r := range reports {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if err := r.WriteText(w, time.Now(), all); err != nil {
			return err
		}
	}
	return nil
}

func channelVerifyCommand() *cobra.Command {
	o := &channelOptions{}
	var format string
	var all bool
	c := channelLook(&cobra.Command{
		Use:   "verify [DIR…]",
		Short: "Read all of a file channel and tell what is damaged",
		Long: `Read all of a file channel, check every checksum, decrypt and decode every event,
and tell each damaged place with its file and offset.

Exit code 0: all is well. 1: something is damaged. 2: there is no such channel,
or it cannot be read.`,
		Example: `  flume channel verify -f flume.conf -n a1 -c c1
  flume channel verify --checkpoint /var/lib/flume/c1/checkpoint /var/lib/flume/c1/data`,
	}, o, func(ctx context.Context, cmd *cobra.Command, queues []channeltool.Queue) error {
		if err := checkFormat(format, "text", "json"); err != nil {
			return err
		}
		clean := true
		var found []*channeltool.Verification
		for i, q := range queues {
			began := time.Now()
			v, err := q.Verify(ctx)
			if err != nil {
				return err
			}
			clean = clean && v.Clean()
			if format == "json" {
				found = append(found, v)
				continue
			}
			if i > 0 {
				fmt.Fprintln(cmd.OutOrStdout())
			}
			if err := v.WriteText(cmd.OutOrStdout(), time.Since(began), all); err != nil {
				return err
			}
		}
		if format == "json" {
			if err := writeJSON(cmd.OutOrStdout(), found); err != nil {
				return err
			}
		}
		if !clean {
			return &exitError{code: exitFail}
		}
		return nil
	})
	c.Flags().StringVar(&format, "format", "text", "`FORMAT` of what is printed: text or json")
	c.Flags().BoolVar(&all, "all", false, "show all damage, however much")
	return c
}

func channelExportCommand() *cobra.Command {
	o := &channelOptions{}
	e := &channelExport{}
	c := channelLook(&cobra.Command{
		Use:   "export [DIR…]",
		Short: "Write the staged events of a file channel to a file",
		Long: `Write the staged events of a file channel, in order, as lines of JSON or as an Avro
container file. They stay in the channel. What is damaged is passed over, and
told on standard error.

A line is {"headers":{…},"body":"text"}; a body that is not valid UTF-8 is in
Base64 under "bodyBase64" instead, and such headers, keys and values, under
"headersBase64". The Avro schema is that of Apache Flume's avro_event.

Exit code 0: all staged events were written, or as many as --limit says. 1: some
were passed over. 2: there is no such channel, or something else went wrong.`,
		Example: `  flume channel export -f flume.conf -n a1 -c c1 -o events.jsonl
  flume channel export --limit 10 /var/lib/flume/c1/data
  flume channel export --format avro -o events.avro /var/lib/flume/c1/data`,
	}, o, e.run)
	c.Flags().StringVar(&e.format, "format", "json", "`FORMAT` of the events: json or avro")
	c.Flags().StringVarP(&e.output, "output", "o", "-", "`FILE` to write, which must not exist yet; - is standard output")
	c.Flags().IntVar(&e.limit, "limit", 0, "write at most so many `EVENTS`; 0: all")
	return c
}

// channelExport is the options of an export.
type channelExport struct {
	format, output string
	limit          int
}

func (e *channelExport) run(ctx context.Context, cmd *cobra.Command, queues []channeltool.Queue) error {
	if err := checkFormat(e.format, channeltool.Formats...); err != nil {
		return err
	}
	if e.limit < 0 {
		return usageError(fmt.Errorf("a limit of %d events is negative", e.limit))
	}
	if len(queues) > 1 {
		return configError(errors.New("the directories hold events of Apache Flume and of this program; choose with --layout java or --layout wal"))
	}
	notes, err := channeltool.Notes(ctx, queues)
	if err != nil {
		return err
	}
	for _, n := range notes {
		fmt.Fprintln(cmd.ErrOrStderr(), n)
	}
	damaged := 0
	tell := func(d channeltool.Damage) {
		damaged++
		fmt.Fprintln(cmd.ErrOrStderr(), d)
	}
	var n int
	err = e.write(cmd.OutOrStdout(), func(w io.Writer) error {
		enc, err := channeltool.NewEncoder(e.format, w)
		if err != nil {
			return err
		}
		n, err = channeltool.ExportTo(ctx, queues, enc, e.limit, tell)
		return errors.Join(err, enc.Close())
	})
	if err != nil {
		return err
	}
	if e.output != "-" {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s events were written to %s\n", channeltool.Count(n), e.output)
	}
	if damaged > 0 {
		return &exitError{code: exitFail, err: errors.New("what is damaged was passed over")}
	}
	return nil
}

// write calls f with where the events go to. A file gets its name when it is complete.
func (e *channelExport) write(stdout io.Writer, f func(io.Writer) error) (err error) {
	if e.output == "-" {
		return f(stdout)
	}
	if _, err := os.Lstat(e.output); err == nil {
		return fmt.Errorf("%s exists already; remove it or name another file", e.output)
	}
	part, err := os.CreateTemp(filepath.Dir(e.output), filepath.Base(e.output)+".*.part")
	if err != nil {
		return fmt.Errorf("making %s: %w", e.output, err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(part.Name()) // what it could say is said already
		}
	}()
	if err := errors.Join(f(part), part.Sync(), part.Close()); err != nil {
		return fmt.Errorf("writing %s, which is not there therefore: %w", e.output, err)
	}
	return os.Rename(part.Name(), e.output)
}
