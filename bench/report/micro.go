package report

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// Micro is one line of `go test -bench`.
type Micro struct {
	Package string   `json:"package"`
	Name    string   `json:"name"` // with the processor count that go test appends
	Runs    int64    `json:"runs"`
	Values  []Amount `json:"values"`
}

// Amount is one value of a benchmark line with its unit, such as 12.5 ns/op.
type Amount struct {
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
}

// ParseMicro reads the benchmark lines out of what `go test -bench` prints and
// passes over everything else, which is for people.
func ParseMicro(r io.Reader) ([]Micro, error) {
	var all []Micro
	pkg := ""
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if name, ok := strings.CutPrefix(lines.Text(), "pkg: "); ok {
			pkg = name
			continue
		}
		if micro, ok := parseMicro(lines.Text()); ok {
			micro.Package = pkg
			all = append(all, micro)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading benchmark output: %w", err)
	}
	return all, nil
}

// parseMicro reads "BenchmarkName-2  100  12.5 ns/op  0 B/op …".
func parseMicro(line string) (Micro, bool) {
	fields := strings.Fields(line)
	if len(fields) < 4 || len(fields)%2 != 0 || !strings.HasPrefix(fields[0], "Benchmark") {
		return Micro{}, false
	}
	runs, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return Micro{}, false
	}
	micro := Micro{Name: strings.TrimPrefix(fields[0], "Benchmark"), Runs: runs}
	for i := 2; i < len(fields); i += 2 {
		value, err := strconv.ParseFloat(fields[i], 64)
		if err != nil || math.IsNaN(value) || math.IsInf(value, 0) {
			return Micro{}, false // JSON has no words for these
		}
		micro.Values = append(micro.Values, Amount{value, fields[i+1]})
	}
	return micro, true
}

func microTable(b *strings.Builder, all []Micro) {
	b.WriteString("\n| package | in-process benchmark | result |\n|---|---|---|\n")
	for _, micro := range all {
		values := make([]string, len(micro.Values))
		for i, v := range micro.Values {
			values[i] = Quantity(v.Value, v.Unit)
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", micro.Package, micro.Name, strings.Join(values, ", "))
	}
}
