// Package report holds the outcome of a benchmark and writes it as a Markdown
// table for people or as JSON for programs.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/flume-go/flume/bench/stats"
)

// Report is one run of the benchmark program.
type Report struct {
	Machine Machine   `json:"machine"`
	Command string    `json:"command"` // repeats the run, from the root of the repository
	Started time.Time `json:"started"`
	Method  string    `json:"method"` // how figures were taken, in sentences
	Notes   []string  `json:"notes,omitempty"`
	Results []Result  `json:"results"`
	Micro   []Micro   `json:"micro,omitempty"` // in-process benchmarks
}

// Failed reports whether any scenario could not be measured.
func (r *Report) Failed() bool {
	for _, result := range r.Results {
		if result.Error != "" {
			return true
		}
	}
	return false
}

// Result is one scenario.
type Result struct {
	Scenario string    `json:"scenario"`
	Summary  string    `json:"summary"`
	Measures []Measure `json:"measures,omitempty"`
	Remarks  []string  `json:"remarks,omitempty"` // what else was found, in sentences
	Error    string    `json:"error,omitempty"`   // why there are no measures, or not all
}

// Measure is one quantity of a scenario, for each program it was taken of.
type Measure struct {
	Name    string   `json:"name"`
	Unit    string   `json:"unit"`
	Base    string   `json:"base,omitempty"` // the program that ratios are to; the bare one if empty
	Figures []Figure `json:"figures"`
}

// Figure is one quantity of one program.
type Figure struct {
	Program string `json:"program"`
	stats.Summary
	Samples []float64 `json:"samples"`         // in the order they were taken
	Ratio   float64   `json:"ratio,omitempty"` // to the measure's base; 0 where there is none
	Goal    string    `json:"goal,omitempty"`  // what was promised, in words
	Met     bool      `json:"met,omitempty"`   // whether it was kept; meaningless without Goal
}

// WriteJSON writes the whole report, samples included.
func (r *Report) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(r); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}
