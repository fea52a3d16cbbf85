package roles

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

// copyFiles is the bare program for sources that read files: it copies the files of a directory, one after the other
// and block by block, to one file. With a log each block is durable before the next is read.
//
// It says "ready", waits for "go", and stays until its input ends.
func copyFiles(ctx context.Context, args []string, std Streams) (err error) {
	flags := flag.NewFlagSet("copy", flag.ContinueOnError)
	from := flags.String("from", "", "`directory` of the files to copy")
	path := flags.String("out", "", "`file` to append them to")
	log := flags.String("log", "", "`directory` of the log; none without")
	block := flags.Int("block", 256<<10, "size of the buffer in `bytes`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *block <= 0 || *block > maxGathered {
		return fmt.Errorf("-block %d: must be between 1 and %d", *block, maxGathered)
	}
	out, err := openOutput(*path, *log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if err := std.awaitGo(); err != nil {
		return err
	}
	ctx, cancel := std.untilEnd(ctx)
	defer cancel()
	entries, err := os.ReadDir(*from)
	if err != nil {
		return fmt.Errorf("listing the files to copy: %w", err)
	}
	to, buf := out.writer(nil), make([]byte, *block)
	for _, entry := range entries {
		in, err := os.Open(filepath.Join(*from, entry.Name()))
		if err != nil {
			return fmt.Errorf("opening a file to copy: %w", err)
		}
		if err := errors.Join(copyBlocks(to, in, buf), in.Close()); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return nil
}
