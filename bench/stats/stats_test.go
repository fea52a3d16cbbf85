package stats

import (
	"slices"
	"testing"
)

func TestSummarize(t *testing.T) {
	tests := []struct {
		name   string
		values []float64
		want   Summary
		spread float64
	}{
		{name: "none"},
		{name: "one has no spread", values: []float64{4}, want: Summary{4, 4, 4, 1}},
		{name: "odd takes the middle", values: []float64{9, 1, 4}, want: Summary{4, 1, 9, 3}, spread: 2},
		{name: "even takes the mean of the middle", values: []float64{8, 2, 4, 6}, want: Summary{5, 2, 8, 4}, spread: 1.2},
		{name: "an outlier leaves the median", values: []float64{10, 1000, 11}, want: Summary{11, 10, 1000, 3}, spread: 90},
		{name: "zero median has no spread", values: []float64{0, 0, 5}, want: Summary{0, 0, 5, 3}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := slices.Clone(tt.values)
			got := Summarize(tt.values)
			if got != tt.want {
				t.Errorf("Summarize(%v) = %+v, want %+v", tt.values, got, tt.want)
			}
			if spread := got.Spread(); spread != tt.spread {
				t.Errorf("Spread() = %v, want %v", spread, tt.spread)
			}
			if !slices.Equal(before, tt.values) {
				t.Errorf("Summarize changed its argument to %v", tt.values)
			}
		})
	}
}

func TestRatio(t *testing.T) {
	three, four := Summarize([]float64{3}), Summarize([]float64{4})
	if got, ok := Ratio(three, four); !ok || got != 0.75 {
		t.Errorf("Ratio(3, 4) = %v, %v, want 0.75, true", got, ok)
	}
	for _, to := range []Summary{{}, Summarize([]float64{0})} {
		if got, ok := Ratio(three, to); ok {
			t.Errorf("Ratio(3, %+v) = %v, want none", to, got)
		}
	}
	if got, ok := Ratio(Summary{}, four); ok {
		t.Errorf("Ratio(nothing, 4) = %v, want none", got)
	}
}
