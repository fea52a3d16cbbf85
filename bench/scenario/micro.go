package scenario

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"time"

	"github.com/flume-go/flume/bench/report"
)

// microLimit bounds the in-process benchmarks, compilation included.
const microLimit = 5 * time.Minute

// Micro runs the in-process benchmarks of the module at root with the Go
// command, which must be installed.
func Micro(ctx context.Context, root string) ([]report.Micro, error) {
	ctx, cancel := context.WithTimeout(ctx, microLimit)
	defer cancel()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", ".", "-benchmem", "./bench/...")
	cmd.Dir, cmd.Stdout, cmd.Stderr = root, &out, &errs
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("running the in-process benchmarks: %w\n%s%s", err, errs.String(), out.String())
	}
	return report.ParseMicro(&out)
}
