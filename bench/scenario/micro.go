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

// HopBenchmarks are the in-process benchmarks of what two agents do between them.
var HopBenchmarks = Benchmarks{Pattern: "^Benchmark(DurableHop|Decode|Encode|Calls|Origin)$", Packages: []string{"./bench", "./wire/avro", "./wire/thrift"}}

// OwnBenchmarks are those of this folder.
var OwnBenchmarks = Benchmarks{Pattern: ".", Packages: []string{"./bench/..."}}

// Benchmarks are in-process benchmarks.
type Benchmarks struct {
	Pattern  string   // as for go test -bench
	Packages []string // of the module
}

// Micro runs in-process benchmarks of the module at root with the Go
// command, which must be installed.
func Micro(ctx context.Context, root string, b Benchmarks) ([]report.Micro, error) {
	ctx, cancel := context.WithTimeout(ctx, microLimit)
	defer cancel()
	var out, errs bytes.Buffer
	// One package after the other: they would disturb each other.
	args := append([]string{"test", "-p", "1", "-run", "^$", "-bench", b.Pattern, "-benchmem"}, b.Packages...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = root, &out, &errs
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("running the in-process benchmarks: %w\n%s%s", err, errs.String(), out.String())
	}
	return report.ParseMicro(&out)
}
