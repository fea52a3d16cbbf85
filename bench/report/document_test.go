package report

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWriteInto(t *testing.T) {
	const (
		unnamed = "<!-- bench -->\nold figures\n<!-- /bench -->\n"
		named   = "<!-- bench inputs -->\nother figures\n<!-- /bench inputs -->\n"
	)
	var table strings.Builder
	if err := sample().WriteMarkdown(&table); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, section, text string
		want                string // text with the new figures; "" for an error
	}{
		{"unnamed", "", "# Text\n\n" + unnamed + "\nMore text.\n", "# Text\n\n<!-- bench -->\n" + table.String() + "<!-- /bench -->\n\nMore text.\n"},
		{"named", "inputs", unnamed + named, unnamed + "<!-- bench inputs -->\n" + table.String() + "<!-- /bench inputs -->\n"},
		{"no marks", "", named, ""},
		{"no marks of that name", "inputs", unnamed, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "performance.md")
			if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
				t.Fatal(err)
			}
			err := sample().WriteInto(path, c.section)
			if begin, _ := marks(c.section); c.want == "" {
				if err == nil || !strings.Contains(err.Error(), begin) {
					t.Errorf("writing = %v, want that %s is missing", err, begin)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != c.want {
				t.Errorf("the document is now:\n%s", got)
			}
		})
	}
}

func TestRatioNamesItsBase(t *testing.T) {
	for base, want := range map[string]string{"": "0.75", "bare": "0.75", "peer": "0.75 × peer", "flume": "0.75"} {
		if got := (Figure{Program: "flume", Ratio: 0.75}).ratio(base); got != want {
			t.Errorf("ratio to %q = %q, want %q", base, got, want)
		}
	}
}
