package report

import (
	"fmt"
	"os"
	"strings"
)

// Begin and End are the lines of a document between which a report belongs.
const (
	Begin = "<!-- bench -->"
	End   = "<!-- /bench -->"
)

// WriteInto replaces what stands between the marks of the document at path by the report.
func (r *Report) WriteInto(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("opening the document for the report: %w", err)
	}
	before, rest, ok := strings.Cut(string(text), Begin+"\n")
	_, after, ok2 := strings.Cut(rest, End)
	if !ok || !ok2 {
		return fmt.Errorf("writing the report into %s: it has no lines %s and %s", path, Begin, End)
	}
	var b strings.Builder
	if err := r.WriteMarkdown(&b); err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte(before+Begin+"\n"+b.String()+End+after), 0o644); err != nil {
		return fmt.Errorf("writing the report into a document: %w", err)
	}
	return nil
}
