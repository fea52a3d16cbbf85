//go:build e2e

package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/e2e/harness"
	flumeevent "github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/javachannel"
	"github.com/flume-go/flume/internal/javachannel/javachanneltest"
	"github.com/flume-go/flume/internal/vfs"
)

var fixtures = flag.String("javachannel.fixtures", "", "write the small directories of TestJavaChannel, and what Java read from them, to this folder")

// channelCase is a way to use Java's file channel that leaves directories behind.
type channelCase struct {
	name     string
	settings string
	script   string // after the channel was opened

	// kill sends SIGKILL so many milliseconds after the command load, which ends the script. 0 is for a
	// process that goes on.
	kill int

	damage  func(t *testing.T, root string) // what happens to the directories afterwards
	source  javachannel.Source              // that must be used; empty for any
	ordered bool                            // the events' numbers must ascend
	fixture bool                            // small enough to be kept
}

const (
	small     = "capacity=200 transactionCapacity=100 "
	dual      = "useDualCheckpoints=true backupCheckpointDir=@/backup "
	threeDirs = "dataDirs=@/data1,@/data2,@/data3 "
	someWork  = "put 90 15\nput-rollback 5\ntake 40 10\ntake-rollback 8\nput 20 5\n"
	openWork  = "put 60 20\nput-open 7\ntake-open 11\ncheckpoint\nput 30 10\ntake 15 5\ntake-open 6\nput-open 3\nload 0 0 0\n"
)

// encrypted are settings with an active key. The key store is beside the channel's folder.
func encrypted(active string) string {
	return "encryption.activeKey=" + active + " encryption.cipherProvider=AESCTRNOPADDING encryption.keyProvider=JCEKSFILE " +
		"encryption.keyProvider.keyStoreFile=@/../keys.jceks encryption.keyProvider.keyStorePasswordFile=@/../password " +
		"encryption.keyProvider.keys=k1~k2 "
}

// channelGroups are run by one virtual machine each, at the same time; the processes that are killed come on top.
var channelGroups = map[string][]channelCase{"orderly": {
	{name: "clean", settings: small, script: someWork + "close\n", source: javachannel.FromCheckpoint, ordered: true, fixture: true},
	{name: "empty", settings: small, script: "put 10 5\ntake 10 5\nclose\n", source: javachannel.FromCheckpoint, fixture: true},
	{name: "no-checkpoint-on-close", settings: small + "checkpointOnClose=false ", script: someWork + "close\n", ordered: true, fixture: true},
	{name: "checkpoint-gone", settings: small, script: someWork + "close\n", damage: removeCheckpoint, source: javachannel.FromLogs, ordered: true},
	{name: "several-directories", settings: small + threeDirs, script: someWork + "checkpoint\n" + someWork + "close\n", ordered: true, fixture: true},
	{name: "dual-broken", settings: small + dual, script: someWork + "checkpoint\nput 10 5\ncheckpoint\ntake 5 5\nput 5 5\nclose\n",
		damage: breakCheckpoint, source: javachannel.FromBackup, ordered: true, fixture: true},
	{name: "dual-compressed-broken", settings: small + dual + "compressBackupCheckpoint=true ",
		script: someWork + "checkpoint\nput 10 5\ncheckpoint\ntake 5 5\nput 5 5\nclose\n",
		damage: breakCheckpoint, source: javachannel.FromBackup, ordered: true, fixture: true},
	{name: "rotated-keys", settings: small + encrypted("k1"),
		script:  "put 40 10\ntake 12 4\nclose\nopen @ " + small + encrypted("k2") + "\nput 40 10\ntake 3 3\ncheckpoint\nput 5 5\nclose\n",
		ordered: true, fixture: true},
}, "stopped": {
	{name: "open-transactions", settings: small, script: openWork, kill: 1, source: javachannel.FromCheckpoint, ordered: false, fixture: true},
	{name: "open-transactions-no-checkpoint", settings: small, script: openWork, kill: 1, damage: breakCheckpoint, source: javachannel.FromLogs, ordered: true},
	{name: "rolled", settings: small + "maxFileSize=6000 ",
		script: strings.Repeat("put 90 15\ntake 80 20\ncheckpoint\n", 4) + "put 50 10\nload 0 0 0\n", kill: 1,
		source: javachannel.FromCheckpoint, ordered: true, fixture: true},
}, "killed": {
	{name: "killed-1", script: "load 1 1 100\n", kill: 130, ordered: true},
	{name: "killed-2", settings: "checkpointInterval=1000 ", script: "load 1 1 3000\n", kill: 1210, ordered: true},
	{name: "killed-3", settings: "checkpointInterval=1000 maxFileSize=500000 ", script: "load 1 1 20\n", kill: 2110, ordered: true},
}, "killed-parallel": {
	{name: "killed-threads", settings: "checkpointInterval=1000 maxFileSize=1000000 ", script: "load 3 2 200\n", kill: 1530},
	{name: "killed-directories", settings: "checkpointInterval=1000 maxFileSize=1000000 " + threeDirs, script: "load 3 2 200\n", kill: 1680},
	{name: "killed-dual", settings: "checkpointInterval=1000 maxFileSize=1000000 compressBackupCheckpoint=true " + dual,
		script: "load 2 2 100\n", kill: 2290, damage: breakCheckpoint},
	{name: "killed-encrypted", settings: "checkpointInterval=1000 " + encrypted("k2"), script: "load 2 1 100\n", kill: 1340},
	{name: "killed-no-fsync", settings: "checkpointInterval=1000 fsyncPerTransaction=false fsyncInterval=1 ", script: "load 3 1 50\n", kill: 1440},
	{name: "killed-tail", settings: "checkpointInterval=600000 maxFileSize=3000000 ", script: "load 2 3 500\n", kill: 950},
}}

// commands returns the whole script of a case for a folder.
func (c *channelCase) commands(dir string) string {
	text := "open " + dir + " " + c.settings + "\n" + strings.ReplaceAll(c.script, "open @ ", "open "+dir+" ")
	return strings.ReplaceAll(text, "@/../", filepath.Dir(dir)+"/")
}

// TestJavaChannel has Java Flume's file channel leave directories behind in many ways, reads what is staged
// in them, and then has Java read them, too.
func TestJavaChannel(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	keys := makeKeys(t, root)
	for name, cases := range channelGroups {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			compareChannels(t, root, keys, cases)
		})
	}
}

// compareChannels runs the cases of a group.
func compareChannels(t *testing.T, root, keys string, cases []channelCase) {
	t.Helper()
	makeDirectories(t, root, cases)
	got := make([]channelContent, len(cases))
	var script strings.Builder
	for i, c := range cases {
		dir, again := filepath.Join(root, c.name), filepath.Join(root, "copy", c.name)
		if c.damage != nil {
			c.damage(t, dir)
		}
		before := digest(t, dir)
		got[i] = readChannel(t, dir, keys)
		if diff := cmp.Diff(before, digest(t, dir)); diff != "" {
			t.Errorf("%s: reading changed the directory:\n%s", c.name, diff)
		}
		copyTree(t, dir, again)
		fmt.Fprintf(&script, "drain %s %s.out %s\n", again, dir, strings.ReplaceAll(c.settings, "@/../", root+"/"))
	}
	harness.RunJavaClient(t, "ChannelLab", script.String())
	for i, c := range cases {
		want := readLines(t, filepath.Join(root, c.name+".out"))
		c.check(t, &got[i], c.withoutDelivered(t, want, got[i].lines, filepath.Join(root, c.name+".taken")))
		if *fixtures != "" && c.fixture {
			writeFixture(t, filepath.Join(*fixtures, c.name+".tar.gz"), filepath.Join(root, c.name), want, keys)
		}
	}
}

// withoutDelivered removes from what Java read those events whose take had been committed. Java brings such ones
// back when an earlier take of the same event was open at the checkpoint and rolled back afterwards. Of the events
// whose take was being committed when the kill came, those are taken that are not among ours.
func (c *channelCase) withoutDelivered(t *testing.T, lines, ours []string, taken string) []string {
	t.Helper()
	text, err := os.ReadFile(taken)
	if err != nil && (c.kill > 0 || !errors.Is(err, fs.ErrNotExist)) {
		t.Error(err)
	}
	delivered, perhaps := make(map[string]bool), make(map[string]bool)
	for number := range strings.FieldsSeq(string(text)) {
		if begun, ok := strings.CutPrefix(number, "?"); ok {
			perhaps[begun] = true
		} else {
			delivered[number] = true
		}
	}
	for _, line := range ours {
		delete(perhaps, strconv.Itoa(javachanneltest.Number(line)))
	}
	kept := slices.DeleteFunc(slices.Clone(lines), func(line string) bool {
		number := strconv.Itoa(javachanneltest.Number(line))
		return delivered[number] || perhaps[number]
	})
	if n := len(lines) - len(kept); n > 0 {
		t.Logf("%s: Java brought back %d of %d events that had been delivered", c.name, n, len(delivered))
	}
	return kept
}

// channelContent is what was read from a channel's directories.
type channelContent struct {
	lines  []string
	report javachannel.Report
}

func (c *channelCase) check(t *testing.T, got *channelContent, want []string) {
	t.Helper()
	r := &got.report
	t.Logf("%s: %d events of %d bytes in %d logs from the %s; returned %d, open takes %d, uncommitted puts %d, pending takes %d, torn %d",
		c.name, len(got.lines), r.DeliveredBytes, r.Logs, r.Source, r.ReturnedTakes, r.OpenTakes, r.UncommittedPuts, r.PendingTakes, r.TornCount)
	if len(got.lines) != len(want) || r.ReturnedTakes > len(want) {
		t.Errorf("%s: read %d events, Java %d", c.name, len(got.lines), len(want))
		return
	}
	ours, java := javachanneltest.Comparable(got.lines, r.ReturnedTakes), javachanneltest.Comparable(want, r.ReturnedTakes)
	if diff := cmp.Diff(java, ours); diff != "" {
		t.Errorf("%s: events differ from Java's (-java +ours):\n%.2000s", c.name, diff)
	}
	if r.CorruptCount != 0 || r.Lost != 0 || r.Delivered != r.Events {
		t.Errorf("%s: staged %d, delivered %d, lost %d, corrupt %v", c.name, r.Events, r.Delivered, r.Lost, r.Corrupt)
	}
	if c.source != "" && r.Source != c.source {
		t.Errorf("%s: used the %s and should have used the %s (%v)", c.name, r.Source, c.source, r.Problems)
	}
	if c.ordered && !slices.IsSortedFunc(got.lines, func(a, b string) int { return javachanneltest.Number(a) - javachanneltest.Number(b) }) {
		t.Errorf("%s: events are not in the order in which they were put", c.name)
	}
}

// makeDirectories runs Java's channel in the folder of each case.
func makeDirectories(t *testing.T, root string, cases []channelCase) {
	t.Helper()
	var script strings.Builder
	for _, c := range cases {
		text := c.commands(filepath.Join(root, c.name))
		if c.kill > 0 {
			text = fmt.Sprintf("child %s %d\n%send\n", c.name, c.kill, text)
		}
		script.WriteString(text)
	}
	script.WriteString("wait\n")
	said := harness.RunJavaClient(t, "ChannelLab", script.String())
	for _, c := range cases {
		if c.kill > 0 && !strings.Contains(said, c.name+" killed\n") {
			t.Errorf("%s was not killed:\n%s", c.name, said)
		}
	}
}

// makeKeys makes a key store with two keys and returns them as javachanneltest.Keys wants them.
func makeKeys(t *testing.T, root string) string {
	t.Helper()
	const password = "changeit"
	store := filepath.Join(root, "keys.jceks")
	harness.WriteFile(t, filepath.Join(root, "password"), password+"\n")
	for alias, bits := range map[string]string{"k1": "128", "k2": "256"} {
		cmd := exec.Command("keytool", "-genseckey", "-alias", alias, "-keyalg", "AES", "-keysize", bits,
			"-storetype", "JCEKS", "-keystore", store, "-storepass", password, "-keypass", password)
		if out, err := harness.RunChild(cmd); err != nil {
			t.Fatalf("making key %s: %v\n%s", alias, err, out)
		}
	}
	said := harness.RunJavaClient(t, "ChannelLab", fmt.Sprintf("key %s %s k1\nkey %[1]s %[2]s k2\n", store, password))
	var keys strings.Builder
	for line := range strings.Lines(said) {
		if key, ok := strings.CutPrefix(line, "key "); ok {
			keys.WriteString(key)
		}
	}
	return keys.String()
}

func readChannel(t *testing.T, dir, keys string) channelContent {
	t.Helper()
	options, err := javachanneltest.Options(vfs.OS{}, dir)
	if err != nil {
		t.Fatal(err)
	}
	options.Key, options.Lock = javachanneltest.Keys(keys), true
	d, err := javachannel.Open(t.Context(), options)
	if err != nil {
		t.Errorf("%s: %v", dir, err)
		return channelContent{}
	}
	defer d.Close()
	lines, err := javachanneltest.Lines(t.Context(), d)
	if err != nil {
		t.Errorf("%s: %v", dir, err)
	}
	return channelContent{lines, d.Report()}
}

// breakCheckpoint makes the checkpoint look as if Flume had been killed while it wrote it.
func breakCheckpoint(t *testing.T, root string) {
	t.Helper()
	const marker = 4 * 8
	f, err := os.OpenFile(filepath.Join(root, "checkpoint", "checkpoint"), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(binary.BigEndian.AppendUint64(nil, 1), marker); err != nil {
		t.Fatal(err)
	}
}

func removeCheckpoint(t *testing.T, root string) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(root, "checkpoint")); err != nil {
		t.Fatal(err)
	}
}

// TestJavaChannelRepair damages logs in ways that Java Flume does not start on, repairs them, and compares what both
// read then.
func TestJavaChannelRepair(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	dir := filepath.Join(root, "c")
	harness.RunJavaClient(t, "ChannelLab", "open "+dir+" "+small+"\nput 60 10\ntake 20 10\nclose\n")
	log := filepath.Join(dir, "data", "log-1")
	content, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	offsets := recordOffsets(content)
	content[offsets[9]+60] ^= 0xFF                             // in an event that was taken
	content[offsets[40]-3] ^= 0xFF                             // in the checksum before record 40
	binary.BigEndian.PutUint32(content[offsets[50]+1:], 7)     // a length
	torn := append([]byte{0x7F, 0, 0, 1, 0}, content[5:40]...) // the beginning of a put
	copy(content[offsets[len(offsets)-1]:], torn)
	if err := os.WriteFile(log, content, 0o644); err != nil {
		t.Fatal(err)
	}
	// Without the checkpoint every record of the log counts.
	removeCheckpoint(t, dir)

	damaged := readChannel(t, dir, "")
	if damaged.report.CorruptCount != 3 || damaged.report.TornCount != 1 {
		t.Errorf("before the repair: corrupt %v, torn %v", damaged.report.Corrupt, damaged.report.Torn)
	}
	options, err := javachanneltest.Options(vfs.OS{}, dir)
	if err != nil {
		t.Fatal(err)
	}
	harness.RunJavaClient(t, "ChannelLab", "refused "+dir+" "+small+"\n")
	removeCheckpoint(t, dir) // the attempt made one, but no new log
	report, err := javachannel.Repair(t.Context(), options, func(e *flumeevent.Event) bool {
		n, _ := e.Header("n")
		return n != "55"
	})
	if err != nil {
		t.Fatal(err)
	}
	if report.Corrupt != 4 || report.Invalid != 1 || len(report.Backups) != 1 {
		t.Errorf("repaired %+v", report)
	}
	if err := os.Rename(report.Backups[0], filepath.Join(root, "backup")); err != nil {
		t.Fatal(err)
	}
	repaired := readChannel(t, dir, "")
	if r := repaired.report; r.CorruptCount != 0 || r.TornCount != 0 || r.Noops < 4 {
		t.Errorf("after the repair: %+v", r)
	}
	out := filepath.Join(root, "out")
	harness.RunJavaClient(t, "ChannelLab", "drain "+dir+" "+out+" "+small+"\n")
	if diff := cmp.Diff(readLines(t, out), repaired.lines); diff != "" {
		t.Errorf("events differ after the repair (-java +ours):\n%.2000s", diff)
	}
	t.Logf("repaired %d places; %d events are left", len(report.Disabled), len(repaired.lines))
}

// recordOffsets follows the lengths from record to record. The last offset is that of the end.
func recordOffsets(content []byte) []int64 {
	offsets := []int64{0}
	for off := int64(0); content[off] == 0x7F; {
		off += 5 + int64(binary.BigEndian.Uint32(content[off+1:]))
		offsets = append(offsets, off)
	}
	return offsets
}

// TestJavaChannelLock looks at directories that Java Flume has open, and keeps it from those that we have.
func TestJavaChannelLock(t *testing.T) {
	t.Parallel()
	site := harness.NewSite(t)
	harness.StartJavaFlume(t, harness.Launch{Name: "a1", Conf: site.Expand(`
a1.sources = r
a1.channels = c
a1.sources.r.type = netcat
a1.sources.r.bind = 127.0.0.1
a1.sources.r.port = <port in>
a1.sources.r.channels = c
a1.channels.c.type = file
a1.channels.c.checkpointDir = <path c>/checkpoint
a1.channels.c.dataDirs = <path c>/data
a1.channels.c.capacity = 200
a1.channels.c.transactionCapacity = 100
a1.channels.c.minimumRequiredSpace = 1048576
`)})
	harness.Converse(t, site.Addr("in"), "one\ntwo\n")
	options, err := javachanneltest.Options(vfs.OS{}, site.Path("c"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := javachannel.Open(t.Context(), options); !errors.Is(err, javachannel.ErrInUse) {
		t.Errorf("opening what Java has open: %v", err)
	}
	if _, err := javachannel.Repair(t.Context(), options, nil); !errors.Is(err, javachannel.ErrInUse) {
		t.Errorf("repairing what Java has open: %v", err)
	}
	options.InUse = true
	live := openChannel(t, options)
	if r := live.Report(); r.Events != 2 || len(r.InUse) != 2 {
		t.Errorf("found %d events and the locks of %v", r.Events, r.InUse)
	}

	other := site.Dir("other")
	for _, name := range []string{"checkpoint", "data"} {
		if err := os.Mkdir(filepath.Join(other, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	options, err = javachanneltest.Options(vfs.OS{}, other)
	if err != nil {
		t.Fatal(err)
	}
	options.Lock = true
	openChannel(t, options)
	harness.RunJavaClient(t, "ChannelLab", "refused "+other+"\n")
}

// openChannel opens directories until the test ends.
func openChannel(t *testing.T, options javachannel.Options) *javachannel.Dir {
	t.Helper()
	d, err := javachannel.Open(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	if err := d.Check(context.Background()); err != nil {
		t.Error(err)
	}
	return d
}

// digest returns the sums of all files below a folder, by name.
func digest(t *testing.T, root string) map[string][sha256.Size]byte {
	t.Helper()
	sums := make(map[string][sha256.Size]byte)
	walk(t, root, func(name string, content []byte) { sums[name] = sha256.Sum256(content) })
	return sums
}

// copyTree copies the files below a folder.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	walk(t, from, func(name string, content []byte) {
		target := filepath.Join(to, name)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(target, content, 0o644); err != nil {
			t.Fatal(err)
		}
	})
}

// walk calls fn with all files below a folder.
func walk(t *testing.T, root string, fn func(name string, content []byte)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		fn(name, content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func readLines(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{}
	for line := range strings.Lines(string(text)) {
		lines = append(lines, strings.TrimSuffix(line, "\n"))
	}
	return lines
}

// writeFixture packs the folder of a case, the keys and what Java read.
func writeFixture(t *testing.T, name, dir string, want []string, keys string) {
	t.Helper()
	var packed bytes.Buffer
	zip, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	out := tar.NewWriter(zip)
	add := func(name string, content []byte) {
		if err := out.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(out, bytes.NewReader(content)); err != nil {
			t.Fatal(err)
		}
	}
	walk(t, dir, func(name string, content []byte) {
		if !strings.Contains(name, "queueset") {
			add("channel/"+filepath.ToSlash(name), content)
		}
	})
	add("keys", []byte(keys))
	add("want", []byte(strings.Join(want, "\n")))
	if err := errors.Join(out.Close(), zip.Close(), os.WriteFile(name, packed.Bytes(), 0o644)); err != nil {
		t.Fatal(err)
	}
}
