//go:build unix

package harness

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"
)

// asParent makes the test binary a process that starts a child and waits until it is killed.
const asParent = "FLUME_E2E_TEST_PARENT"

func TestMain(m *testing.M) {
	if os.Getenv(asParent) != "" {
		beParent()
	}
	m.Run()
}

// beParent starts a child that has ended, and one with a child of its own that says it is there, and says that they are
// started. All write to the standard output of this process.
func beParent() {
	ended, child := exec.Command("true"), exec.Command("sh", "-c", "trap '' TERM; sleep 600 & echo ready; wait")
	child.Stdout = os.Stdout
	_, err := RunChild(ended)
	if err == nil {
		err = StartChild(child)
	}
	if err == nil {
		fmt.Fprintln(os.Stdout, "started")
		err = WaitChild(child)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// Children of a test binary that is killed end, and so do theirs.
func TestChildrenEndWithTheirParent(t *testing.T) {
	output, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), asParent+"=1")
	parent.Stdout, parent.Stderr = theirs, os.Stderr
	err = StartChild(parent)
	theirs.Close()
	if err != nil {
		t.Fatal(err)
	}
	if err := output.SetReadDeadline(time.Now().Add(startLimit)); err != nil {
		t.Fatal(err)
	}
	from := bufio.NewReader(output)
	for said := range 2 { // by the child and, once the guard knows of it, the parent, in any order
		if line, err := from.ReadString('\n'); err != nil || line != "ready\n" && line != "started\n" {
			t.Fatalf("after %d lines the processes say %q (%v)", said, line, err)
		}
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	// The pipe ends when the last one that can write to it has ended.
	if _, err := io.ReadAll(from); err != nil {
		t.Errorf("the children of a process that was killed still run: %v", err)
	}
	if err := WaitChild(parent); err == nil {
		t.Error("the parent was not killed")
	}
}

// What a child leaves running ends with it.
func TestChildrenOfAChildEndWithIt(t *testing.T) {
	output, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	child := exec.Command("sh", "-c", "sleep 600 & echo ready")
	child.Stdout = theirs
	err = StartChild(child)
	theirs.Close()
	if err != nil {
		t.Fatal(err)
	}
	if err := WaitChild(child); err != nil {
		t.Fatal(err)
	}
	if err := output.SetReadDeadline(time.Now().Add(startLimit)); err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(output); err != nil || string(text) != "ready\n" {
		t.Errorf("the child wrote %q (%v)", text, err)
	}
}
