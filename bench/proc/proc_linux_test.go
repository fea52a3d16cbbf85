package proc

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func shell(t *testing.T, talk bool, script string) *Process {
	t.Helper()
	p, err := Start(t.Context(), Spec{
		Name: "shell", Path: "/bin/sh", Args: []string{"-c", script},
		Dir: t.TempDir(), Log: filepath.Join(t.TempDir(), "log"), Talk: talk,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Stop(time.Second) })
	return p
}

func TestTalk(t *testing.T) {
	p := shell(t, true, `echo ready 1; read word; echo "got $word"`)
	if rest, err := p.Expect(t.Context(), "ready"); err != nil || rest != "1" {
		t.Fatalf("Expect(ready) = %q, %v, want 1", rest, err)
	}
	if err := p.Say("go"); err != nil {
		t.Fatal(err)
	}
	if rest, err := p.Expect(t.Context(), "got"); err != nil || rest != "go" {
		t.Fatalf("Expect(got) = %q, %v, want go", rest, err)
	}
	if _, err := p.Hear(t.Context()); err == nil || !strings.Contains(err.Error(), "ended early") {
		t.Errorf("Hear after the end = %v, want that it ended", err)
	}
}

func TestExpectAnotherWord(t *testing.T) {
	p := shell(t, true, `echo no`)
	if _, err := p.Expect(t.Context(), "yes"); err == nil || !strings.Contains(err.Error(), `said "no"`) {
		t.Errorf("Expect = %v, want what it said", err)
	}
}

func TestHearGivesUp(t *testing.T) {
	p := shell(t, true, `read word`)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Hear(ctx); err == nil {
		t.Error("Hear returned without a line or an error")
	}
}

func TestFailureShowsLog(t *testing.T) {
	p := shell(t, false, `echo out; echo port 80: permission denied >&2; exit 3`)
	<-p.Ended()
	err := p.Stop(time.Second)
	if err == nil {
		t.Fatal("Stop of a failed program = nil")
	}
	for _, want := range []string{"exit status 3", "out", "permission denied"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not have %q", err, want)
		}
	}
}

func TestStopAsksFirst(t *testing.T) {
	p := shell(t, true, `trap 'exit 0' TERM; echo ready; while :; do read x || :; done`)
	if _, err := p.Expect(t.Context(), "ready"); err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(10 * time.Second); err != nil {
		t.Errorf("Stop = %v, want a quiet end", err)
	}
}

func TestStopKills(t *testing.T) {
	p := shell(t, true, `trap '' TERM; echo ready; while :; do :; done`)
	if _, err := p.Expect(t.Context(), "ready"); err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(time.Millisecond); err == nil || !strings.Contains(err.Error(), "was killed") {
		t.Errorf("Stop = %v, want that it was killed", err)
	}
}

func TestStartReportsMissingProgram(t *testing.T) {
	_, err := Start(t.Context(), Spec{Name: "agent", Path: "/no/such", Log: filepath.Join(t.TempDir(), "log")})
	if err == nil || !strings.Contains(err.Error(), "starting agent") {
		t.Errorf("Start = %v, want an error naming it", err)
	}
}

func TestReadUsageOfThisProcess(t *testing.T) {
	u, err := ReadUsage(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if u.RSS < 1<<20 || u.Peak < u.RSS {
		t.Errorf("usage %+v: want resident memory above 1 MiB and a peak no smaller", u)
	}
	before, err := OpenFiles(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if after, err := OpenFiles(os.Getpid()); err != nil || after != before+1 {
		t.Errorf("open files went from %d to %d (%v) by opening one", before, after, err)
	}
}

// TestPeakIsTheChildsOwn pins why the peak is not taken from wait4.
func TestPeakIsTheChildsOwn(t *testing.T) {
	ballast := make([]byte, 64<<20)
	for i := range ballast {
		ballast[i] = byte(i)
	}
	p := shell(t, true, `echo ready; read x`)
	if _, err := p.Expect(t.Context(), "ready"); err != nil {
		t.Fatal(err)
	}
	u, err := ReadUsage(p.PID())
	if err != nil {
		t.Fatal(err)
	}
	if u.Peak > int64(len(ballast)) {
		t.Errorf("a shell's peak is %d bytes: that of the process that started it", u.Peak)
	}
	if ballast[1] != 1 {
		t.Error("the ballast must outlive the measurement")
	}
}

func TestTouch(t *testing.T) {
	dir := t.TempDir()
	if err := Touch(dir, 3<<20); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if err := Touch(filepath.Join(dir, "missing"), 1); err == nil {
		t.Error("a directory that is not there was accepted")
	}
}
