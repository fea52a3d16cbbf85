package report

import (
	"fmt"
	"os"
	"strings"
)

// marks are the lines of a document between which the report of a section belongs. The section without a name has
// marks without one.
func marks(section string) (begin, end string) {
	name := "bench"
	if section != "" {
		name += " " + section
	}
	return "<!-- " + name + " -->", "<!-- /" + name + " -->"
}

// WriteInto replaces what stands between the marks of a section of the document at path by the report.
func (r *Report) WriteInto(path, section string) error {
	begin, end := marks(section)
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("opening the document for the report: %w", err)
	}
	before, rest, ok := strings.Cut(string(text), begin+"\n")
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return fmt.Errorf("writing the report into %s: it has no lines %s and %s", path, begin, end)
	}
	var b strings.Builder
	if err := r.WriteMarkdown(&b); err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte(before+begin+"\n"+b.String()+end+after), 0o644); err != nil {
		return fmt.Errorf("writing the report into a document: %w", err)
	}
	return nil
}
