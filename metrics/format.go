package metrics

import (
	"math"
	"strconv"
	"strings"
)

// FormatNumber writes v as Flume's JSON does: whole numbers without a point, as
// its counters and gauges are, others as Java prints a double.
func FormatNumber(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
		return strconv.FormatInt(int64(v), 10)
	}
	return FormatDouble(v)
}

// FormatDouble writes v as Java's Double.toString does: always with a point, and
// with an exponent below 10⁻³ and from 10⁷ on. The digits are the fewest that
// tell v from its neighbours.
func FormatDouble(v float64) string {
	switch {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 1):
		return "Infinity"
	case math.IsInf(v, -1):
		return "-Infinity"
	}
	if a := math.Abs(v); a == 0 || a >= 1e-3 && a < 1e7 {
		s := strconv.FormatFloat(v, 'f', -1, 64)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	}
	s := strconv.FormatFloat(v, 'E', -1, 64)
	if !strings.Contains(s, ".") {
		// Java has at least two digits, and they are the nearest: 4.9E-324.
		s = strconv.FormatFloat(v, 'E', 1, 64)
	}
	mantissa, exponent, _ := strings.Cut(s, "E")
	sign := ""
	if exponent[0] == '-' {
		sign = "-"
	}
	return mantissa + "E" + sign + strings.TrimLeft(exponent, "+-0")
}

// String returns the metric's value as Flume's JSON and Ganglia show it. A
// histogram has none: "".
func (m *Metric) String() string {
	switch {
	case m.Text != nil:
		return m.Text()
	case m.Number != nil:
		return FormatNumber(m.Number())
	default:
		return ""
	}
}
