// Package stats condenses the few repetitions of a measurement into one figure
// and says how far they lie apart.
package stats

import "slices"

// Summary describes repetitions of one measurement, in the unit they were
// taken in. The zero Summary describes none.
type Summary struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	N      int     `json:"n"`
}

// Summarize condenses values, which it leaves unchanged. An even count has the
// mean of the middle two as its median.
func Summarize(values []float64) Summary {
	if len(values) == 0 {
		return Summary{}
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	median := sorted[n/2]
	if n%2 == 0 {
		median = (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return Summary{Median: median, Min: sorted[0], Max: sorted[n-1], N: n}
}

// Spread is the distance from the smallest to the largest repetition as a
// share of the median: 0.1 means they lie within ten per cent of it. It is 0
// for fewer than two repetitions or a median of 0, where it says nothing.
//
// The full range is used rather than a deviation because with three
// repetitions the range is all there is.
func (s Summary) Spread() float64 {
	if s.N < 2 || s.Median == 0 {
		return 0
	}
	return (s.Max - s.Min) / s.Median
}

// Ratio compares the medians of two summaries. It reports false when there is
// nothing to divide by.
func Ratio(of, to Summary) (float64, bool) {
	if of.N == 0 || to.N == 0 || to.Median == 0 {
		return 0, false
	}
	return of.Median / to.Median, true
}
