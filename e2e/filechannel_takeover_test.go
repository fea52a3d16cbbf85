//go:build e2e

package e2e

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flume-go/flume/e2e/harness"
	"github.com/flume-go/flume/internal/javachannel/javachanneltest"
	"github.com/flume-go/flume/internal/vfs"
)

// takeoverCases leave directories behind whose events have one order.
var takeoverCases = []channelCase{
	{name: "clean", settings: small, script: someWork + "close\n"},
	{name: "several-directories", settings: small + threeDirs, script: someWork + "checkpoint\n" + someWork + "close\n"},
	{name: "rotated-keys", settings: small + encrypted("k1"),
		script: "put 40 10\ntake 12 4\nclose\nopen @ " + small + encrypted("k2") + "\nput 40 10\ntake 3 3\ncheckpoint\nput 5 5\nclose\n"},
	{name: "killed", settings: "checkpointInterval=1000 maxFileSize=500000 ", script: "load 1 1 20\n", kill: 2110},
	{name: "killed-encrypted", settings: "checkpointInterval=1000 " + encrypted("k2"), script: "load 1 1 100\n", kill: 1340},
}

// TestFileChannelTakesOverJava has Java Flume's file channel leave directories behind and our agent started on them,
// with the configuration that Java's had. It is killed a few times while it takes the events over, and then
// delivers every event once.
func TestFileChannelTakesOverJava(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	keys := makeKeys(t, root)
	makeDirectories(t, root, takeoverCases)
	for _, c := range takeoverCases {
		t.Run(c.name, func(t *testing.T) { c.takeOver(t, filepath.Join(root, c.name), keys) })
	}
}

func (c *channelCase) takeOver(t *testing.T, dir, keys string) {
	t.Helper()
	var want bytes.Buffer
	staged := readChannel(t, dir, keys).lines
	for _, line := range staged {
		body, err := hex.DecodeString(line[strings.LastIndexByte(line, ' ')+1:])
		if err != nil {
			t.Fatal(err)
		}
		want.Write(append(body, '\n'))
	}
	work, out := t.TempDir(), filepath.Join(dir, "out")
	if err := os.Mkdir(out, 0o755); err != nil {
		t.Fatal(err)
	}
	conf := c.configuration(t, dir)
	killed := 0
	for range 4 {
		v := startVictim(t, work, conf, harness.FreePort(t))
		time.Sleep(time.Duration(20+rand.IntN(300)) * time.Millisecond) //nolint:forbidigo // the moment of the kill
		if !v.kill() {
			t.Fatalf("the agent ended by itself:\n%s", v.log.String())
		}
		if !v.log.contains("are taken over; its files stay") {
			killed++
		}
	}
	port := harness.FreePort(t)
	v := startVictim(t, work, conf+fmt.Sprintf(`
a1.sinks = k
a1.sinks.k.type = file_roll
a1.sinks.k.sink.directory = %s
a1.sinks.k.sink.rollInterval = 0
a1.sinks.k.channel = c
`, out), port)
	if !harness.Poll(30*time.Second, func() bool { return v.log.contains("its files are kept aside") }) {
		size, _ := metric(fmt.Sprintf("127.0.0.1:%d", port), "CHANNEL.c", "ChannelSize")
		t.Fatalf("the events are not delivered, the channel holds %d:\n%s", size, v.log.String())
	}
	v.stop(t)
	if got := rolledFiles(t, out); !bytes.Equal(got, want.Bytes()) {
		t.Errorf("delivered %d bytes, which are not the %d bytes of the %d staged events", len(got), want.Len(), len(staged))
	}
	aside, err := filepath.Glob(filepath.Join(dir, "data*", "apache-flume-*", "log-*"))
	if err != nil || len(aside) == 0 {
		t.Errorf("Apache Flume's logs are not kept aside: %v", err)
	}
	t.Logf("%d events delivered once; the agent was killed 4 times, %d times before all were taken over", len(staged), killed)
}

// configuration is the case's as properties: an agent that has the channel alone.
func (c *channelCase) configuration(t *testing.T, dir string) string {
	t.Helper()
	o, err := javachanneltest.Options(vfs.OS{}, dir)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "a1.channels = c\na1.channels.c.type = file\na1.channels.c.checkpointDir = %s\na1.channels.c.dataDirs = %s\n",
		o.CheckpointDir, strings.Join(o.DataDirs, ","))
	b.WriteString("a1.channels.c.minimumRequiredSpace = 1048576\n")
	script := c.commands(dir)
	last := script[strings.LastIndex(script, "open "+dir)+len("open "+dir):]
	last, _, _ = strings.Cut(last, "\n")
	for setting := range strings.FieldsSeq(last) {
		key, value, _ := strings.Cut(setting, "=")
		if key != "dataDirs" {
			fmt.Fprintf(&b, "a1.channels.c.%s = %s\n", key, strings.ReplaceAll(value, "~", " "))
		}
	}
	return b.String()
}

// rolledFiles returns what is in the files of a file_roll sink.
func rolledFiles(t *testing.T, dir string) []byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, data...)
	}
	return all
}
