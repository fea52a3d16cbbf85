// Package javachanneltest has what tests of package javachannel need to compare it with Apache Flume: the
// layout of the directories that Java's file channel was run in, and the form of the events it gave back.
package javachanneltest

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/javachannel"
	"github.com/flume-go/flume/internal/vfs"
)

// Options returns the options for a channel below root: its directories are checkpoint, backup if there is
// one, and all whose names begin with data.
func Options(fsys vfs.FS, root string) (javachannel.Options, error) {
	o := javachannel.Options{FS: fsys, CheckpointDir: filepath.Join(root, "checkpoint")}
	entries, err := fsys.ReadDir(root)
	if err != nil {
		return o, err
	}
	for _, e := range entries {
		switch {
		case strings.HasPrefix(e.Name(), "data"):
			o.DataDirs = append(o.DataDirs, filepath.Join(root, e.Name()))
		case e.Name() == "backup":
			o.BackupDir = filepath.Join(root, e.Name())
		}
	}
	return o, nil
}

// Keys returns a key provider for lines of "alias hexadecimal".
func Keys(text string) func(alias string) ([]byte, error) {
	keys := make(map[string]string)
	for line := range strings.Lines(text) {
		if alias, key, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			keys[alias] = key
		}
	}
	return func(alias string) ([]byte, error) {
		if key, ok := keys[alias]; ok {
			return hex.DecodeString(key)
		}
		return nil, fmt.Errorf("no key has the alias %q: %w", alias, fs.ErrNotExist)
	}
}

// Lines reads all events, each as e2e's ChannelLab prints it.
func Lines(ctx context.Context, dir *javachannel.Dir) ([]string, error) {
	lines := []string{}
	err := dir.Read(ctx, func(b *event.Batch) error {
		if b.Len() == 0 {
			return errors.New("an empty batch")
		}
		for i := range b.Events() {
			lines = append(lines, Line(b.At(i)))
		}
		return nil
	})
	return lines, err
}

// Line is an event: headers sorted by key, then the body, all in hexadecimal.
func Line(e *event.Event) string {
	headers := slices.Clone(e.Headers)
	slices.SortFunc(headers, func(a, b event.Header) int { return strings.Compare(a.Key, b.Key) })
	var s strings.Builder
	for _, h := range headers {
		fmt.Fprintf(&s, "%x=%x ", h.Key, h.Value)
	}
	fmt.Fprintf(&s, "%x", e.Body)
	return s.String()
}

// Comparable puts lines into an order where Java's has none. Java returns events that were taken and not
// acknowledged in the order of a hash table, the first so many here, and likewise appends puts that were
// open at the checkpoint, which all are of one transaction.
func Comparable(lines []string, returned int) []string {
	lines = slices.Clone(lines)
	byNumber := func(a, b string) int { return Number(a) - Number(b) }
	slices.SortFunc(lines[:returned], byNumber)
	for from := returned; from < len(lines); {
		to := from + 1
		for to < len(lines) && header(lines[to], "74=") == header(lines[from], "74=") {
			to++
		}
		slices.SortFunc(lines[from:to], byNumber)
		from = to
	}
	return lines
}

// Number returns the number of an event's line, -1 if it has none.
func Number(line string) int {
	digits, err := hex.DecodeString(header(line, "6e="))
	if err != nil {
		return -1
	}
	n, err := strconv.Atoi(string(digits))
	if err != nil {
		return -1
	}
	return n
}

// header returns the value behind a prefix, both in hexadecimal.
func header(line, prefix string) string {
	for word := range strings.FieldsSeq(line) {
		if value, ok := strings.CutPrefix(word, prefix); ok {
			return value
		}
	}
	return ""
}
