//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/e2e/harness"
)

// tailing is an agent whose source follows the site's logs/*.log and whose sink writes to the site's out.
func tailing(settings ...string) string {
	var c topology
	c.source("r", "out", append([]string{"type = taildir", "positionFile = <path positions.json>",
		"filegroups = g", `filegroups.g = <dir logs>/.*\\.log`}, settings...)...)
	c.store("out")
	return c.String()
}

// startTailing starts such an agent.
func startTailing(t *testing.T, site *harness.Site, settings ...string) *harness.Process {
	t.Helper()
	return harness.StartFlume(t, harness.Launch{Name: "a1", Conf: site.Expand(tailing(settings...))})
}

// startPowerless is startTailing for an agent that permissions hold for, as root's must not read what nobody
// may read: root keeps its name and loses the power.
func startPowerless(t *testing.T, site *harness.Site) *harness.Process {
	t.Helper()
	dir := t.TempDir()
	conf := filepath.Join(dir, "flume.conf")
	harness.WriteFile(t, conf, site.Expand(tailing()))
	argv := []string{harness.Binary(t), "agent", "-n", "a1", "-c", dir, "-f", conf}
	if os.Geteuid() == 0 {
		argv = append([]string{"setpriv", "--bounding-set", "-dac_override,-dac_read_search"}, argv...)
	}
	return harness.StartProgram(t, harness.Program{Name: "flume without powers", Argv: argv})
}

// logFile returns the path of a log of the site.
func logFile(site *harness.Site, name string) string {
	return filepath.Join(site.Dir("logs"), name)
}

// appendTo appends text to a log of the site.
func appendTo(t *testing.T, site *harness.Site, name, text string) {
	t.Helper()
	f, err := os.OpenFile(logFile(site, name), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

// delivers requires that just these lines come out, in whatever order.
func delivers(t *testing.T, site *harness.Site, want ...string) {
	t.Helper()
	var got []string
	come := func() bool {
		got = strings.Split(strings.TrimSuffix(harness.ReadFiles(t, site.Dir("out")), "\n"), "\n")
		return len(got) >= len(want)
	}
	harness.Poll(deliveryLimit, come)
	pass(t.Context(), 300*time.Millisecond) // what comes again comes at once
	come()
	slices.Sort(got)
	want = slices.Sorted(slices.Values(want))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// complains waits until a line of the agent's log has all of these texts.
func complains(t *testing.T, p *harness.Process, texts ...string) {
	t.Helper()
	harness.Eventually(t, deliveryLimit, fmt.Sprintf("a line of the log with %q", texts), func() bool {
		return complaints(p, texts...) > 0
	})
}

// complaints counts the lines of the agent's log that have all of these texts.
func complaints(p *harness.Process, texts ...string) (n int) {
	for line := range strings.Lines(p.Output()) {
		if !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(line, text) }) {
			n++
		}
	}
	return n
}

// TestTaildirIrregular puts into the directory what matches the pattern and cannot be followed. Each is named once
// in the log with its reason, and the others are followed.
func TestTaildirIrregular(t *testing.T) {
	t.Parallel()
	site := harness.NewSite(t)
	appendTo(t, site, "a.log", "a1\n")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(syscall.Mkfifo(logFile(site, "fifo.log"), 0o644))
	must(os.Mkdir(logFile(site, "directory.log"), 0o755))
	must(os.Symlink("nowhere", logFile(site, "dangling.log")))
	must(os.Symlink("loop.log", logFile(site, "loop.log")))
	must(os.Symlink("/dev/zero", logFile(site, "device.log")))
	must(os.Symlink("/proc/self/mem", logFile(site, "failing.log"))) // a regular file, of which no byte can be read
	harness.WriteFile(t, logFile(site, "secret.log"), "secret\n")
	must(os.Chmod(logFile(site, "secret.log"), 0))
	ln, err := net.Listen("unix", logFile(site, "socket.log"))
	must(err)
	defer ln.Close()

	p := startPowerless(t, site)
	bad := [][]string{
		{"fifo.log", "regular"}, {"device.log", "regular"}, {"socket.log", "regular"},
		{"loop.log", "too many"}, {"secret.log", "permission denied"}, {"failing.log", "input/output error"},
	}
	for _, texts := range bad {
		complains(t, p, append(texts, " WARN ")...)
	}
	delivers(t, site, "a1")
	// Each of these has the directory looked at again.
	for i := range 3 {
		name := fmt.Sprintf("b%d.log", i)
		appendTo(t, site, name, name+"\n")
		appendTo(t, site, "a.log", name+" of a\n")
	}
	want := []string{"a1", "b0.log", "b1.log", "b2.log", "b0.log of a", "b1.log of a", "b2.log of a"}
	delivers(t, site, want...)
	for _, texts := range bad {
		if n := complaints(p, append(texts, " WARN ")...); n != 1 {
			t.Errorf("%s is complained of %d times", texts[0], n)
		}
	}
	for _, name := range []string{"directory.log", "dangling.log"} {
		if complaints(p, name, " WARN ") > 0 {
			t.Errorf("%s, which is no file that could be meant, is complained of", name)
		}
	}

	// What becomes a file that can be read is followed.
	must(os.Chmod(logFile(site, "secret.log"), 0o644))
	harness.WriteFile(t, logFile(site, "nowhere"), "dangling no more\n")
	must(os.Remove(logFile(site, "fifo.log")))
	appendTo(t, site, "fifo.log", "fifo no more\n")
	delivers(t, site, append(want, "secret", "dangling no more", "fifo no more")...)
	complains(t, p, "can be followed again", "secret.log")
}

// TestTaildirShrinks cuts a file while it is being read. What is left of it and what comes behind is delivered, no
// line is invented, and the other file does not notice.
func TestTaildirShrinks(t *testing.T) {
	t.Parallel()
	const (
		n     = 400_000
		width = 100
		left  = n / 8
	)
	site := harness.NewSite(t)
	line := func(file string, i int) string { return fmt.Sprintf("%s %0*d", file, width-len(file)-2, i) }
	var text strings.Builder
	for i := range n {
		text.WriteString(line("big", i) + "\n")
	}
	appendTo(t, site, "big.log", text.String())
	appendTo(t, site, "other.log", line("other", 0)+"\n")
	p := startTailing(t, site, "byteOffsetHeader = true")
	harness.Eventually(t, deliveryLimit, "more lines than will be left", func() bool {
		return len(harness.ReadFiles(t, site.Dir("out"))) > 2*left*width
	})
	if err := os.Truncate(logFile(site, "big.log"), left*width); err != nil {
		t.Fatal(err)
	}
	complains(t, p, "truncated", "big.log")
	appendTo(t, site, "big.log", line("big", n)+"\n")
	appendTo(t, site, "other.log", line("other", 1)+"\n")
	harness.Eventually(t, deliveryLimit, "the last lines", func() bool {
		out := harness.ReadFiles(t, site.Dir("out"))
		return strings.Contains(out, line("big", n)+"\n") && strings.Contains(out, line("other", 1)+"\n")
	})

	times := map[string]int{}
	for l := range strings.Lines(harness.ReadFiles(t, site.Dir("out"))) {
		times[strings.TrimSuffix(l, "\n")]++
	}
	for i := range 2 {
		if k := times[line("other", i)]; k != 1 {
			t.Errorf("line %d of the other file came %d times", i, k)
		}
		delete(times, line("other", i))
	}
	for i := range n + 1 {
		k := times[line("big", i)]
		delete(times, line("big", i))
		// What was read before the cut and is left is read from its beginning.
		if fine := k == 2 && i < left || k == 1 && i == n || k < 2 && left <= i && i < n; !fine {
			t.Fatalf("line %d of the file that was cut to %d lines came %d times", i, left, k)
		}
	}
	for l := range times {
		t.Errorf("nobody has written %.120q", l)
	}
}

// highWater returns the most memory that a process has had so far, in bytes.
func highWater(t *testing.T, p *harness.Process) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Pid()))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(text), " kB"))
			if err != nil {
				t.Fatalf("reading %q: %v", line, err)
			}
			return n << 10
		}
	}
	t.Fatalf("no VmHWM in:\n%s", status)
	return 0
}

// TestTaildirLineLengths has lines from nothing to far beyond what is held at once. One that is longer than
// maxLineLength becomes several events, which is said, and memory does not grow with it.
func TestTaildirLineLengths(t *testing.T) {
	t.Parallel()
	const (
		longest = 16 << 20 // the default of maxLineLength
		huge    = 100 << 20
		memory  = 256 << 20
	)
	site := harness.NewSite(t)
	million := strings.Repeat("m", 1<<20)
	f, err := os.Create(logFile(site, "lengths.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("\nx\n" + million + "\n\n"); err != nil {
		t.Fatal(err)
	}
	p := startTailing(t, site)
	block := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	for range huge / len(block) { // with a pause for the source now and then, which must not read it all again
		if _, err := f.Write(block); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.WriteString("\nlast\n"); err != nil {
		t.Fatal(err)
	}
	appendTo(t, site, "other.log", "other\n")

	var want []string
	piece := strings.Repeat(string(block), longest/len(block))
	for range huge / longest {
		want = append(want, piece)
	}
	want = append(want, piece[:huge%longest])
	want = append([]string{"", "x", million, ""}, append(want, "last")...)
	harness.Eventually(t, 2*deliveryLimit, "the lines", func() bool {
		return strings.Count(harness.ReadFiles(t, site.Dir("out")), "\n") > len(want)
	})
	var got []string
	for line := range strings.Lines(harness.ReadFiles(t, site.Dir("out"))) {
		if line != "other\n" {
			got = append(got, strings.TrimSuffix(line, "\n"))
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d lines came out, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("line %d has %d bytes and begins %.20q, want %d bytes that begin %.20q", i, len(got[i]), got[i], len(want[i]), want[i])
		}
	}
	complains(t, p, " WARN ", "longer than "+strconv.Itoa(longest)+" bytes", "lengths.log", "maxLineLength")
	used := highWater(t, p)
	t.Logf("most memory: %d MiB", used>>20)
	if used > memory {
		t.Errorf("the agent had %d MiB of memory, more than %d", used>>20, memory>>20)
	}
}

// inode returns the inode of a log of the site.
func inode(t *testing.T, site *harness.Site, name string) uint64 {
	t.Helper()
	info, err := os.Stat(logFile(site, name))
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Ino
}

// TestTaildirPositionFiles starts agents with position files of which not all, or nothing, can be used.
func TestTaildirPositionFiles(t *testing.T) {
	t.Parallel()
	// In each case the logs are of two lines, of which the first was read.
	entry := func(t *testing.T, site *harness.Site, inode uint64, name string) string {
		return fmt.Sprintf(`{"inode":%d,"pos":3,"file":%q}`, inode, logFile(site, name))
	}
	java := func(t *testing.T, site *harness.Site) string {
		return "[" + entry(t, site, inode(t, site, "a.log"), "a.log") + "," + entry(t, site, inode(t, site, "b.log"), "b.log") + "]"
	}
	for _, c := range []struct {
		name string
		text func(t *testing.T, site *harness.Site) string
		want []string
		says [][]string
	}{
		{"of Apache Flume", java, []string{"a2", "b2"}, [][]string{{"taken over", "files=2"}}},
		{"of Apache Flume, which was killed while writing it", func(t *testing.T, site *harness.Site) string {
			text := java(t, site)
			return text[:len(text)-20]
		}, []string{"a2", "b1", "b2"}, [][]string{{" ERROR ", "damaged", "entries=1", "positions.json.damaged"}}},
		{"empty", func(*testing.T, *harness.Site) string { return "" }, []string{"a1", "a2", "b1", "b2"}, nil},
		{"of another machine", func(t *testing.T, site *harness.Site) string {
			return "[" + entry(t, site, 1, "a.log") + "," + entry(t, site, 2, "b.log") + `,{"inode":3,"pos":5,"file":"/far/away.log"}]`
		}, []string{"a1", "a2", "b1", "b2"}, [][]string{
			{"a.log", "inode=1", "position=3"}, {"b.log", "inode=2", "position=3"}, {"/far/away.log", "belongs to no group"},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			site := harness.NewSite(t)
			appendTo(t, site, "a.log", "a1\na2\n")
			appendTo(t, site, "b.log", "b1\nb2\n")
			harness.WriteFile(t, site.Path("positions.json"), c.text(t, site))
			p := startTailing(t, site)
			delivers(t, site, c.want...)
			for _, texts := range c.says {
				complains(t, p, texts...)
			}
			appendTo(t, site, "a.log", "a3\n")
			delivers(t, site, append(c.want, "a3")...)
			p.Stop(t)
			startTailing(t, site)
			appendTo(t, site, "b.log", "b3\n")
			delivers(t, site, append(c.want, "a3", "b3")...)
		})
	}
}

// TestTaildirPositionFileDamaged damages the position file that an agent of ours has left: its journal has the
// positions, and nothing comes again.
func TestTaildirPositionFileDamaged(t *testing.T) {
	t.Parallel()
	site := harness.NewSite(t)
	appendTo(t, site, "a.log", "a1\n")
	appendTo(t, site, "b.log", "b1\n")
	want := []string{"a1", "b1"}
	for i, damage := range []func(text []byte) []byte{
		func(text []byte) []byte { return text[:len(text)/2] },
		func(text []byte) []byte { return append([]byte("["), make([]byte, len(text))...) },
	} {
		p := startTailing(t, site)
		delivers(t, site, want...)
		p.Stop(t)
		path := site.Path("positions.json")
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		damaged := damage(text)
		harness.WriteFile(t, path, string(damaged))
		more := fmt.Sprintf("a%d", i+2)
		appendTo(t, site, "a.log", more+"\n")
		want = append(want, more)
		p = startTailing(t, site)
		delivers(t, site, want...)
		complains(t, p, " ERROR ", "damaged", "journal=2", "positions.json.damaged")
		if kept, err := os.ReadFile(path + ".damaged"); err != nil || !bytes.Equal(kept, damaged) {
			t.Errorf("of %q there is kept %q, %v", damaged, kept, err)
		}
		p.Stop(t)
	}
}

// TestTaildirPositionFileForeign names files as position files that are something else. Their source does not start,
// says so and leaves them as they are; the agent's other source works.
func TestTaildirPositionFileForeign(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"text":    "precious\n",
		"binary":  string(bytes.Repeat([]byte{0, 0xff, 0x80}, 1000)),
		"object":  `{"inode":1,"pos":3,"file":"/a.log"}`,
		"members": `[{"inode":1,"pos":3,"file":"/a.log","owner":"me"}]`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site := harness.NewSite(t)
			harness.WriteFile(t, site.Path("precious"), text)
			appendTo(t, site, "a.log", "a1\n")
			var c topology
			for source, positions := range map[string]string{"good": "<path positions.json>", "bad": "<path precious>"} {
				c.source(source, source, "type = taildir", "positionFile = "+positions, "filegroups = g", `filegroups.g = <dir logs>/.*\\.log`)
				c.store(source)
			}
			p := harness.StartFlume(t, harness.Launch{Name: "a1", Conf: site.Expand(c.String())})
			complains(t, p, site.Path("precious"), "positionFile", "would be overwritten")
			if out := lines(t, site, "good", 1); out != "a1\n" {
				t.Errorf("the other source has %q", out)
			}
			p.Stop(t)
			if out := harness.ReadFiles(t, site.Dir("bad")); out != "" {
				t.Errorf("without positions there came %q", out)
			}
			if left, err := os.ReadFile(site.Path("precious")); err != nil || string(left) != text {
				t.Errorf("of %.50q there is left %.50q, %v", text, left, err)
			}
		})
	}
}
