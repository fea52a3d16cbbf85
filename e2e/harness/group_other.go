//go:build !unix

package harness

import (
	"os"
	"os/exec"
)

// leadGroup does nothing: this system has no process groups, nor the systems that the tests run.
func leadGroup(*exec.Cmd) {}

// killGroup kills one process.
func killGroup(leader int) error {
	p, err := os.FindProcess(leader)
	if err != nil {
		return err
	}
	return p.Kill()
}
