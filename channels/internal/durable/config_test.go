package durable

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/flume-go/flume/wal"
)

func TestOptionsOfTheLog(t *testing.T) {
	where := dirs{checkpoint: "/c", data: []string{"/d1", "/d2"}}
	// What the tags make of a configuration with nothing in it.
	defaults := Config{
		MaxFileSize: 1623195647, MinimumRequiredSpace: 524288000, CheckpointInterval: 30 * time.Second,
		FsyncPerTransaction: true, FsyncInterval: 5 * time.Second,
	}
	usual := wal.Options{
		Dirs: where.data, CheckpointDir: "/c", SegmentSize: 64 << 20, MinFree: 524288000, CheckpointInterval: 30 * time.Second,
	}
	for name, c := range map[string]struct {
		given func(*Config)
		want  func(*wal.Options)
	}{
		"nothing":          {func(*Config) {}, func(*wal.Options) {}},
		"smaller files":    {func(c *Config) { c.MaxFileSize = 1e6 }, func(o *wal.Options) { o.SegmentSize = 1e6 }},
		"larger files":     {func(c *Config) { c.MaxFileSize = 1 << 40 }, func(*wal.Options) {}},
		"tiny files":       {func(c *Config) { c.MaxFileSize = 1 }, func(o *wal.Options) { o.SegmentSize = 64 << 10 }},
		"little space":     {func(c *Config) { c.MinimumRequiredSpace = -1 }, func(o *wal.Options) { o.MinFree = 1 << 20 }},
		"much space":       {func(c *Config) { c.MinimumRequiredSpace = 1 << 40 }, func(o *wal.Options) { o.MinFree = 1 << 40 }},
		"checkpoints":      {func(c *Config) { c.CheckpointInterval = time.Millisecond }, func(o *wal.Options) { o.CheckpointInterval = time.Second }},
		"delayed syncs":    {func(c *Config) { c.FsyncPerTransaction = false }, func(o *wal.Options) { o.Sync, o.SyncDelay = wal.SyncDelayed, 5*time.Second }},
		"synced takes":     {func(c *Config) { c.FsyncTakes = true }, func(o *wal.Options) { o.SyncAcks = true }},
		"missing segments": {func(c *Config) { c.AllowMissingSegments = true }, func(o *wal.Options) { o.AllowMissing = true }},
	} {
		cfg, want := defaults, usual
		c.given(&cfg)
		c.want(&want)
		if diff := cmp.Diff(want, cfg.options(where), cmpopts.IgnoreUnexported(wal.Options{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
