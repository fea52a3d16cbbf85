//go:build unix

package harness

import (
	"os/exec"
	"syscall"
)

// leadGroup makes a command the leader of a process group of its own.
func leadGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// killGroup kills all processes of the group that a process leads, or led.
func killGroup(leader int) error { return syscall.Kill(-leader, syscall.SIGKILL) }
