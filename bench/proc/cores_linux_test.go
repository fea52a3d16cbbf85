package proc

import (
	"fmt"
	"path/filepath"
	"testing"
)

// TestCores starts programs that say which cores they may use.
func TestCores(t *testing.T) {
	all, err := Cores()
	if err != nil || len(all) == 0 {
		t.Fatalf("Cores() = %v, %v", all, err)
	}
	last := all[len(all)-1:]
	if got, want := allowed(t, last), fmt.Sprintf("Cpus_allowed_list: %d", last[0]); got != want {
		t.Errorf("with cores %v it says %q, want %q", last, got, want)
	}
	// Whoever starts a program on some cores has all of its own behind it.
	if got, err := Cores(); err != nil || len(got) != len(all) {
		t.Errorf("Cores() = %v, %v, want %v as before", got, err, all)
	}
	if got, want := allowed(t, nil), allowed(t, all); got != want {
		t.Errorf("without a choice it says %q, want %q", got, want)
	}
}

// allowed is what a program that is started on these cores says of them.
func allowed(t *testing.T, cores []int) string {
	t.Helper()
	p, err := Start(t.Context(), Spec{
		Name: "shell", Path: "/bin/sh", Talk: true, Cores: cores, Log: filepath.Join(t.TempDir(), "log"),
		Args: []string{"-c", `while read name list; do case $name in Cpus_allowed_list:) echo $name $list;; esac; done </proc/self/status`},
	})
	if err != nil {
		t.Fatal(err)
	}
	line, err := p.Hear(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	<-p.Ended()
	return line
}
