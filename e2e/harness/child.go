package harness

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"sync"
)

// guardScript remembers the process groups that it is told of, and kills them when its standard input ends. The
// system ends that with the test binary, whatever the reason: kill -9, a panic, the time limit of go test. A signal
// on the parent's death, which Linux offers, would spare this process, but reach no child of a child, such as the
// workers of a web server, and would come when only the thread ends that has started the child.
const guardScript = `
trap '' HUP INT TERM
groups=' '
while read -r what group; do
	case $what in
	add) groups="$groups$group " ;;
	drop) groups="${groups%% $group *} ${groups#* $group }" ;;
	esac
done
for group in $groups; do
	kill -s KILL -- "-$group"
done
`

// guard starts the process that runs guardScript, once, and returns its standard input.
var guard = sync.OnceValues(func() (*os.File, error) {
	input, orders, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("making a pipe to the guard of the child processes: %w", err)
	}
	defer input.Close()
	cmd := exec.Command("sh", "-c", guardScript)
	cmd.Stdin = input
	leadGroup(cmd)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the guard of the child processes: %w", err)
	}
	return orders, nil
})

// StartChild starts a command in a process group of its own, which ends with the test binary at the latest, however
// that ends. All processes of the tests are started here. WaitChild must be called afterwards.
func StartChild(cmd *exec.Cmd) error {
	orders, err := guard()
	if err != nil {
		return err
	}
	leadGroup(cmd)
	if cmd.Cancel != nil { // it has a context
		cmd.Cancel = func() error { return killGroup(cmd.Process.Pid) }
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", cmd.Path, err)
	}
	if _, err := fmt.Fprintln(orders, "add", cmd.Process.Pid); err != nil {
		return fmt.Errorf("telling the guard of the child processes of %s: %w", cmd.Path, err)
	}
	return nil
}

// WaitChild waits until a command that StartChild has started ends, and ends what that has left running.
func WaitChild(cmd *exec.Cmd) error {
	err := cmd.Wait()
	_ = killGroup(cmd.Process.Pid) // mostly there is nothing left, which is an error
	if orders, failed := guard(); failed == nil {
		_, _ = fmt.Fprintln(orders, "drop", cmd.Process.Pid) // else it kills a group that is gone
	}
	return err
}

// RunChild runs a command to its end and returns what it wrote, errors included.
func RunChild(cmd *exec.Cmd) ([]byte, error) {
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := StartChild(cmd); err != nil {
		return nil, err
	}
	err := WaitChild(cmd)
	return output.Bytes(), err
}
