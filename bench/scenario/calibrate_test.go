//go:build linux

package scenario

import (
	"slices"
	"strings"
	"testing"
)

func TestCalibrateTakesTheFastest(t *testing.T) {
	s := settings(t)
	s.Lines = 2000
	block, note, err := Calibrate(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(blocks, block) {
		t.Errorf("took a buffer of %d bytes, which was not tried", block)
	}
	for _, want := range []string{" 64 KiB ", " 1024 KiB ", " taken"} {
		if !strings.Contains(note, want) {
			t.Errorf("note %q does not have %q", note, want)
		}
	}
}
