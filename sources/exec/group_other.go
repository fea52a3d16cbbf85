//go:build !unix

package exec

import "os/exec"

func ownGroup(*exec.Cmd) {}

// terminate ends the command at once: there is no way to ask it.
func terminate(cmd *exec.Cmd) { kill(cmd) }

func kill(cmd *exec.Cmd) {
	cmd.Process.Kill() //nolint:errcheck // it has ended already
}
