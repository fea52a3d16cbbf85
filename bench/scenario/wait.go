package scenario

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/flume-go/flume/bench/proc"
)

// stopGrace is how long a program has to end when asked to.
const stopGrace = 30 * time.Second

// poll calls done every interval until it is true or fails, the program ends
// or ctx does.
func poll(ctx context.Context, p *proc.Process, every time.Duration, done func() (bool, error)) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-p.Ended():
			return p.Failure()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// wait lets the program work for a while.
func wait(ctx context.Context, p *proc.Process, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-p.Ended():
		return p.Failure()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// awaitListening returns once the program accepts connections. The connection
// that finds out is closed again at once.
func awaitListening(ctx context.Context, r *Run, p *proc.Process) error {
	return awaitAddr(ctx, r, r.Addr(), p)
}

// awaitAddr is awaitListening for another address than the run's.
func awaitAddr(ctx context.Context, r *Run, addr string, p *proc.Process) error {
	err := poll(ctx, p, time.Millisecond, func() (bool, error) {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err != nil {
			return false, nil // not yet
		}
		conn.Close()
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("waiting for %s to accept connections on %s: %w", r.Program.Name, addr, err)
	}
	return nil
}

// awaitReady returns once the program's monitoring answers 200 to /readyz. It
// reports false when monitoring answers but knows no such page.
func awaitReady(ctx context.Context, r *Run, p *proc.Process) (known bool, err error) {
	url := fmt.Sprintf("http://127.0.0.1:%d/readyz", r.Monitoring)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	err = poll(ctx, p, time.Millisecond, func() (bool, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return false, err
		}
		resp, err := client.Do(req)
		if err != nil {
			return false, nil // not yet
		}
		resp.Body.Close()
		known = resp.StatusCode != http.StatusNotFound
		return !known || resp.StatusCode == http.StatusOK, nil
	})
	if err != nil {
		return false, fmt.Errorf("waiting for %s to be ready at %s: %w", r.Program.Name, url, err)
	}
	return known, nil
}

// awaitBytes returns once the files in the run's output hold size bytes.
//
// A look costs a few microseconds; at two milliseconds it takes a thousandth
// of one core and makes an error of as much in a run of two seconds.
func awaitBytes(ctx context.Context, r *Run, p *proc.Process, size int64) error {
	var have int64
	err := poll(ctx, p, 2*time.Millisecond, func() (ok bool, err error) {
		have, err = treeSize(r.Out())
		return have >= size, err
	})
	if err != nil {
		return fmt.Errorf("waiting for the output of %s, which has %d of %d bytes: %w", r.Program.Name, have, size, err)
	}
	return nil
}

// treeSize adds up the files below dir. Files may come and go meanwhile.
func treeSize(dir string) (int64, error) {
	var size int64
	err := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			var info fs.FileInfo
			if info, err = entry.Info(); err == nil {
				size += info.Size()
			}
		}
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("measuring the output: %w", err)
	}
	return size, nil
}
