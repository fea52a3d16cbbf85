//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/flume-go/flume/e2e/harness"
)

// victim is a run of our agent that a test ends as it likes. (A harness.Process lives and stops with its test;
// of these there are thousands.)
type victim struct {
	cmd  *exec.Cmd
	log  tailBuffer
	done chan struct{}
}

// startVictim starts an agent a1 with the given configuration, which it writes into dir.
func startVictim(t testing.TB, dir, conf string, monitor int) *victim {
	t.Helper()
	path := filepath.Join(dir, "flume.conf")
	harness.WriteFile(t, path, conf)
	v := &victim{done: make(chan struct{})}
	v.cmd = exec.Command(harness.Binary(t), "agent", "-n", "a1", "-c", dir, "-f", path,
		"-Dflume.monitoring.type=http", "-Dflume.monitoring.bind=127.0.0.1", "-Dflume.monitoring.port="+strconv.Itoa(monitor))
	v.cmd.Dir = dir
	v.cmd.Stdout, v.cmd.Stderr = &v.log, &v.log
	if err := harness.StartChild(v.cmd); err != nil {
		t.Fatalf("the agent: %v", err)
	}
	go func() {
		defer close(v.done)
		_ = harness.WaitChild(v.cmd) // the status is in ProcessState
	}()
	return v
}

// kill ends the agent as kill -9 does and waits until it is gone. It reports whether it was still running.
func (v *victim) kill() bool {
	_ = v.cmd.Process.Kill() // fails if it has ended by itself, which is told below
	<-v.done
	status, ok := v.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// stop asks the agent to end, and fails the test unless it does so in good order.
func (v *victim) stop(t testing.TB) {
	t.Helper()
	_ = v.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-v.done:
	case <-time.After(30 * time.Second):
		_ = v.cmd.Process.Kill()
		<-v.done
		t.Fatalf("the agent did not stop within 30 s:\n%s", v.log.String())
	}
	if code := v.cmd.ProcessState.ExitCode(); code != 0 {
		t.Fatalf("the agent ended with status %d:\n%s", code, v.log.String())
	}
}

// running reports whether the agent has not ended.
func (v *victim) running() bool {
	select {
	case <-v.done:
		return false
	default:
		return true
	}
}

// tailBuffer keeps the first and the last of what is written to it, so that an agent that complains
// without end does not fill the memory of the test.
type tailBuffer struct {
	mu         sync.Mutex
	head, tail []byte
}

const tailLimit = 32 << 10

func (b *tailBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.head) < tailLimit {
		b.head = append(b.head, p...)
		return len(p), nil
	}
	b.tail = append(b.tail, p...)
	if len(b.tail) > 2*tailLimit {
		b.tail = append(b.tail[:0], b.tail[len(b.tail)-tailLimit:]...)
	}
	return len(p), nil
}

func (b *tailBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.tail) == 0 {
		return string(b.head)
	}
	return string(b.head) + "\n…\n" + string(b.tail)
}

func (b *tailBuffer) contains(text string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Contains(b.head, []byte(text)) || bytes.Contains(b.tail, []byte(text))
}

// metric returns a counter of a running agent, and false while there is none.
func metric(addr, component, name string) (int, bool) {
	resp, err := client.Get("http://" + addr + "/metrics")
	if err != nil {
		return 0, false
	}
	defer resp.Body.Close()
	var report map[string]map[string]string
	if err := json.NewDecoder(resp.Body).Decode(&report); err != nil {
		return 0, false
	}
	n, err := strconv.Atoi(report[component][name])
	return n, err == nil
}

// keyRing is a key store with two keys for the file channel.
type keyRing struct {
	store, password string
}

// keyAliases are the aliases in the key store.
var keyAliases = [...]string{"key-0", "key-1"}

// newKeyRing writes the files of a key ring into dir. Its keys open quickly, so that kills hit more than that.
func newKeyRing(t testing.TB, dir string) keyRing {
	t.Helper()
	data, err := os.ReadFile("../internal/faulttest/testdata/keys.jceks")
	if err != nil {
		t.Fatal(err)
	}
	k := keyRing{filepath.Join(dir, "keys.jceks"), filepath.Join(dir, "keys.password")}
	if err := os.WriteFile(k.store, data, 0o600); err != nil {
		t.Fatal(err)
	}
	harness.WriteFile(t, k.password, "store-password\n")
	return k
}

// settings are the properties of a channel that encrypts with the key of this alias.
func (k keyRing) settings(active string) []string {
	return []string{
		"encryption.activeKey = " + active,
		"encryption.cipherProvider = AESCTRNOPADDING",
		"encryption.keyProvider = JCEKSFILE",
		"encryption.keyProvider.keyStoreFile = " + k.store,
		"encryption.keyProvider.keyStorePasswordFile = " + k.password,
		fmt.Sprintf("encryption.keyProvider.keys = %s %s", keyAliases[0], keyAliases[1]),
	}
}
