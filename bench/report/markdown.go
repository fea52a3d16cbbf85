package report

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// WriteMarkdown writes the report as a section of a document.
func (r *Report) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "### Run of %s\n\n", r.Started.Format("2 January 2006, 15:04 MST"))
	r.Machine.markdown(&b)
	fmt.Fprintf(&b, "- repeat with: `%s`\n\n%s\n\n", r.Command, r.Method)
	r.table(&b)
	for _, result := range r.Results {
		if result.Error != "" {
			fmt.Fprintf(&b, "**%s failed:** %s\n\n", result.Scenario, result.Error)
		}
	}
	for _, result := range r.Results {
		for _, remark := range result.Remarks {
			fmt.Fprintf(&b, "- %s: %s\n", result.Scenario, remark)
		}
	}
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "- %s\n", note)
	}
	if len(r.Micro) > 0 {
		microTable(&b, r.Micro)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

func (r *Report) table(b *strings.Builder) {
	b.WriteString("| scenario | measure | program | median | spread | ratio | goal |\n")
	b.WriteString("|---|---|---|--:|--:|--:|---|\n")
	for _, result := range r.Results {
		for _, measure := range result.Measures {
			for _, figure := range measure.Figures {
				fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s | %s |\n",
					result.Scenario, measure.Name, figure.Program,
					Quantity(figure.Median, measure.Unit), figure.spread(), figure.ratio(measure.Base), figure.goal())
			}
		}
	}
	b.WriteString("\n")
}

func (f Figure) spread() string {
	if f.N < 2 {
		return "–"
	}
	return fmt.Sprintf("%.0f %%", 100*f.Spread())
}

// ratio writes the ratio and, where it is not to the bare program, what it is to.
func (f Figure) ratio(base string) string {
	if f.Ratio == 0 {
		return ""
	}
	text := strconv.FormatFloat(f.Ratio, 'f', 2, 64)
	if base != "" && base != "bare" && base != f.Program {
		text += " × " + base
	}
	return text
}

func (f Figure) goal() string {
	switch {
	case f.Goal == "":
		return ""
	case f.Met:
		return f.Goal + " ✓"
	default:
		return f.Goal + " **missed**"
	}
}

// Quantity writes a value with three significant digits, or all of its whole
// ones in groups, and its unit.
func Quantity(value float64, unit string) string {
	var text string
	switch size := math.Abs(value); {
	case size >= 1000:
		text = grouped(int64(math.Round(value)))
	case size >= 100 || size == 0:
		text = strconv.FormatFloat(value, 'f', 0, 64)
	default:
		text = strconv.FormatFloat(value, 'f', max(0, 2-int(math.Floor(math.Log10(size)))), 64)
	}
	if unit == "" {
		return text
	}
	return text + " " + unit
}

func grouped(n int64) string {
	if n < 0 {
		return "-" + grouped(-n)
	}
	if n < 1000 {
		return strconv.FormatInt(n, 10)
	}
	return fmt.Sprintf("%s,%03d", grouped(n/1000), n%1000)
}
