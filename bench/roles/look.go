package roles

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// look is the bare program for following files in which nothing happens: every so often it asks the system for the
// size of each, and remembers it. It says "ready" when it has seen all of them once, and ends with its input.
func look(ctx context.Context, args []string, std Streams) error {
	flags := flag.NewFlagSet("look", flag.ContinueOnError)
	dir := flags.String("dir", "", "`directory` of the files")
	every := flags.Duration("every", 5*time.Second, "time between two looks")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *every <= 0 {
		return errors.New("-every: must be positive")
	}
	entries, err := os.ReadDir(*dir)
	if err != nil {
		return fmt.Errorf("listing the files to look at: %w", err)
	}
	sizes := make(map[string]int64, len(entries))
	for _, entry := range entries {
		sizes[filepath.Join(*dir, entry.Name())] = 0
	}
	if err := lookAt(sizes); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(std.Out, "ready"); err != nil {
		return fmt.Errorf("saying ready: %w", err)
	}
	ctx, cancel := std.untilEnd(ctx)
	defer cancel()
	ticker := time.NewTicker(*every)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if err := lookAt(sizes); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// lookAt renews the sizes of files.
func lookAt(sizes map[string]int64) error {
	for path := range sizes {
		info, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("looking at a file: %w", err)
		}
		sizes[path] = info.Size()
	}
	return nil
}
