package javachannel

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flume-go/flume/internal/vfs"
)

// BenchmarkDir replays a log of 100,000 events of 500 bytes, half of them delivered, and reads the rest.
func BenchmarkDir(b *testing.B) {
	const events, batch = 100_000, 100
	w := newLog(1)
	body := strings.Repeat("x", 500)
	var queued []pointer
	for order := int64(1); len(queued) < events/2; order += 3*batch + 2 {
		for i := range int64(2 * batch) {
			queued = append(queued, w.put(order, order+i, body))
		}
		w.commit(order, order+2*batch, kindPut)
		for i := range int64(batch) {
			w.take(order+1, order+2*batch+1+i, queued[i])
		}
		w.commit(order+1, order+3*batch+1, kindTake)
		queued = queued[batch:]
	}
	dir := b.TempDir()
	for name, data := range map[string][]byte{"log-1": w.data, "log-1.meta": w.metaBytes()} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	options := Options{FS: vfs.OS{}, CheckpointDir: filepath.Join(dir, "checkpoint"), DataDirs: []string{dir}}
	var d *Dir
	b.Run("open", func(b *testing.B) {
		b.SetBytes(int64(len(w.data)))
		for b.Loop() {
			var err error
			if d, err = Open(context.Background(), options); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := d.Check(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
		if r := d.Report(); r.Delivered != events/2 {
			b.Fatalf("read %d events", r.Delivered)
		}
		b.SetBytes(d.Report().DeliveredBytes)
	})
}
