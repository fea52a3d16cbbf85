package report

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWriteInto(t *testing.T) {
	path := filepath.Join(t.TempDir(), "performance.md")
	for _, text := range []string{"# Text\n\n" + Begin + "\nold figures\n" + End + "\n\nMore text.\n", ""} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		err := sample().WriteInto(path)
		if text == "" {
			if err == nil || !strings.Contains(err.Error(), Begin) {
				t.Errorf("writing into a document without marks = %v, want which are missing", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var want strings.Builder
		if err := sample().WriteMarkdown(&want); err != nil {
			t.Fatal(err)
		}
		if string(got) != "# Text\n\n"+Begin+"\n"+want.String()+End+"\n\nMore text.\n" {
			t.Errorf("the document is now:\n%s", got)
		}
	}
}

func TestRatioNamesItsBase(t *testing.T) {
	for base, want := range map[string]string{"": "0.75", "bare": "0.75", "peer": "0.75 × peer", "flume": "0.75"} {
		if got := (Figure{Program: "flume", Ratio: 0.75}).ratio(base); got != want {
			t.Errorf("ratio to %q = %q, want %q", base, got, want)
		}
	}
}
