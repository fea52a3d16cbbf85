package spooldir

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/vfs"
)

// benchSize is that of the file that is read.
const benchSize = 256 << 20

// forgetter is an emitter that counts events and forgets them.
type forgetter struct{ events int }

// Emit implements flow.Emitter.
func (f *forgetter) Emit(_ context.Context, b *event.Batch) error {
	f.events += b.Len()
	return nil
}

// BenchmarkLine is the way of a file of 256 MiB from the page cache to an emitter that does nothing, with everything that belongs to a file;
// "bare" reads the same blocks and does not look at them.
func BenchmarkLine(b *testing.B) {
	dir := b.TempDir()
	path := filepath.Join(dir, "file.log")
	for _, c := range []struct {
		name, line string
		settings   []string
	}{
		{"512", strings.Repeat("x", 511) + "\n", nil},
		{"512/batch 1000", strings.Repeat("x", 511) + "\n", []string{"batchSize = 1000"}},
		{"150/batch 1000", strings.Repeat("x", 149) + "\n", []string{"batchSize = 1000"}},
		{"512/batch 1000/headers", strings.Repeat("x", 511) + "\n", []string{"batchSize = 1000", "fileHeader = true", "basenameHeader = true"}},
		{"512/batch 1000/umlauts", strings.Repeat("ä", 255) + "x\n", []string{"batchSize = 1000"}},
		{"512/batch 1000/latin", strings.Repeat("\xe4", 511) + "\n", []string{"batchSize = 1000", "inputCharset = ISO-8859-1"}},
		{"5000/batch 1000", strings.Repeat("x", 4999) + "\n", []string{"batchSize = 1000"}},
	} {
		text := bytes.Repeat([]byte(c.line), benchSize/len(c.line))
		if err := os.WriteFile(path, text, 0o600); err != nil {
			b.Fatal(err)
		}
		b.Run(c.name+"/bare", func(b *testing.B) {
			buf := make([]byte, blockSize)
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				f, err := os.Open(path)
				if err != nil {
					b.Fatal(err)
				}
				for err == nil {
					_, err = f.Read(buf)
				}
				if !errors.Is(err, io.EOF) {
					b.Fatal(err)
				}
				f.Close()
			}
		})
		b.Run(c.name+"/spooldir", func(b *testing.B) {
			s, _ := newSource(b, io.Discard, append(c.settings, "spoolDir = "+dir)...)
			out := &forgetter{}
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				out.events = 0
				d, err := s.open(out)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := d.round(b.Context(), b.Context()); err != nil {
					b.Fatal(err)
				}
				if err := d.close(); err != nil {
					b.Fatal(err)
				}
				if err := (vfs.OS{}).Rename(path+".COMPLETED", path); err != nil {
					b.Fatal(err)
				}
			}
			if out.events < len(text)/len(c.line) {
				b.Fatalf("%d events", out.events)
			}
			b.ReportMetric(float64(out.events)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
