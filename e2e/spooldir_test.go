//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/avro"
	"github.com/twmb/avro/ocf"

	"github.com/flume-go/flume/e2e/harness"
)

// spooled is a spool directory: its files in the order of their times, and the settings of its source.
type spooled struct {
	name     string
	events   int
	settings []string
	files    [][2]string // name, content
}

const spoolSchema = `{"type":"record","name":"Entry","namespace":"e2e","fields":[{"name":"id","type":"long"},{"name":"text","type":["null","string"]}]}`

// avroFile is a container file with n records, perBlock in each block.
func avroFile(t testing.TB, codec ocf.Codec, n, perBlock int) string {
	t.Helper()
	var out bytes.Buffer
	schema := avro.MustParse(spoolSchema)
	w, err := ocf.NewWriter(&out, schema, ocf.WithCodec(codec), ocf.WithBlockCount(perBlock), ocf.WithSchema(spoolSchema))
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := w.Encode(map[string]any{"id": int64(i), "text": fmt.Sprintf("record %d.", i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func spoolCases(t testing.TB) []spooled {
	long := strings.Repeat("long ", 1000)
	return []spooled{
		{"lines", 12, []string{"fileHeader = true", "basenameHeader = true"}, [][2]string{
			{"b.log", "first\nsecond\r\n\n\xef\xbb\xbfmark\nlast without line feed"},
			{"a.log", long + "\n" + long[:2048] + "\nbehind\n"},
			{"empty.log", ""},
			{".hidden", "no\n"},
			{"z.COMPLETED", "no\n"},
		}},
		{"replace", 8, []string{"decodeErrorPolicy = replace", "deserializer.maxLineLength = 10"}, [][2]string{
			{"bad", "a\xff\xfeb\n\xe2\x82\nx\xed\xa0\x80y\n\xf0\x80\x80\x80\xc0\xaf\n0123456789\nab\xf0\x9f\x98\x80cdefghijkl\n"},
		}},
		{"ignore", 3, []string{"decodeErrorPolicy = IGNORE"}, [][2]string{{"bad", "a\xff\xfeb\n\xe2\x82\nx\xed\xa0\x80y\n"}}},
		{"latin", 2, []string{"inputCharset = ISO-8859-15", "deserializer.outputCharset = UTF-16LE"}, [][2]string{{"x", "gr\xfcn \xa4\nzwei\n"}}},
		{"utf16", 2, []string{"inputCharset = UTF-16"}, [][2]string{{"x", "\xff\xfea\x00\n\x00=\xd8\x00\xde\n\x00"}}},
		{"patterns", 3, []string{"includePattern = [a-z]+\\\\.log", "ignorePattern = skip.*", "recursiveDirectorySearch = true", "fileSuffix = .DONE", "basenameHeader = true", "basenameHeaderKey = name"}, [][2]string{
			{"one.log", "1\n"}, {"skip.log", "no\n"}, {"sub/two.log", "2\n"}, {"sub/Three.log", "no\n"}, {"skipped/four.log", "no\n"}, {"sub/deep/five.log", "5\n"},
		}},
		{"youngest", 3, []string{"consumeOrder = youngest"}, [][2]string{{"c", "3\n"}, {"a", "2\n"}, {"b", "1\n"}}},
		{"delete", 1, []string{"deletePolicy = immediate"}, [][2]string{{"x", "gone\n"}}},
		{"tracker", 2, []string{"trackingPolicy = tracker_dir", "recursiveDirectorySearch = true"}, [][2]string{{"x", "1\n"}, {"sub/y", "2\n"}}},
		{"hash", 25, []string{"deserializer = avro"}, [][2]string{{"null.avro", avroFile(t, ocf.SnappyCodec(), 25, 4)}}},
		{"blob", 6, []string{"deserializer = org.apache.flume.sink.solr.morphline.BlobDeserializer$Builder", "deserializer.maxBlobLength = 20"}, [][2]string{
			{"short", "a\nb\x00\xff\n"}, {"long", strings.Repeat("0123456789\n", 5)}, {"exact", "twenty bytes in all.\n"[:20]}, {"empty", ""},
		}},
		{"literal", 5, []string{"deserializer = AVRO", "deserializer.schemaType = literal"}, [][2]string{{"deflate.avro", avroFile(t, ocf.DeflateCodec(6), 5, 2)}}},
	}
}

// make puts the files into dir, a second apart, as source and test see them. The source is started afterwards.
func (c spooled) make(t testing.TB, dir string) {
	t.Helper()
	for i, f := range c.files {
		path := filepath.Join(dir, f[0])
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		harness.WriteFile(t, path, f[1])
		at := time.Unix(1_700_000_000+int64(i), 0)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
}

// listing is the names below dir, without position files, and the lock beside ours.
func listing(t testing.TB, dir string) string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && !strings.HasPrefix(e.Name(), ".flumespool-main.meta") {
			names = append(names, strings.TrimPrefix(path, dir+"/"))
		}
		return err
	})
	if err != nil && !os.IsNotExist(err) { // a file may vanish meanwhile
		t.Fatal(err)
	}
	slices.Sort(names)
	return strings.Join(names, "\n")
}

// done says whether all files that are read have been handed on, by what is left of the directory.
func (c spooled) done(t testing.TB, dir string) bool {
	left := listing(t, dir)
	for _, f := range c.files {
		if strings.HasPrefix(f[1], "no\n") {
			continue
		}
		waits := slices.Contains(strings.Split(left, "\n"), f[0])
		if c.name == "tracker" {
			waits = !strings.Contains(left, ".flumespool/"+f[0]+".COMPLETED")
		}
		if waits {
			return false
		}
	}
	return true
}

// count returns how many events are in what header_and_text has written.
func (c spooled) count(text string) int {
	if c.name == "hash" || c.name == "literal" { // a schema has braces of its own
		return strings.Count(text, "record ")
	}
	return strings.Count(text, "{")
}

// TestSpoolDirectory compares events, headers and what becomes of the files.
func TestSpoolDirectory(t *testing.T) {
	t.Parallel()
	cases := spoolCases(t)
	var c topology
	for _, s := range cases {
		c.source(s.name, s.name, append([]string{"type = spooldir", "spoolDir = <dir in-" + s.name + ">", "pollDelay = 50"}, s.settings...)...)
		c.store(s.name, "sink.serializer = header_and_text")
	}
	conf := c.String()
	want := seen{
		"files of patterns":  "one.log.DONE\nskip.log\nskipped/four.log\nsub/Three.log\nsub/deep/five.log.DONE\nsub/two.log.DONE",
		"events of patterns": "{name=one.log} 1\n{name=two.log} 2\n{name=five.log} 5\n",
		"files of tracker":   ".flumespool/sub/y.COMPLETED\n.flumespool/x.COMPLETED\nsub/y\nx",
		"files of delete":    "",
		"events of ignore":   "{} ab\n{} \n{} xy\n",
	}
	differential(t, want, func(t *testing.T, s harness.System) seen {
		site := harness.NewSite(t)
		for _, c := range cases {
			c.make(t, site.Dir("in-"+c.name))
		}
		s.Start(t, harness.Launch{Name: "a1", Conf: site.Expand(conf)})
		for _, c := range cases {
			harness.Eventually(t, deliveryLimit, "the files of "+c.name+" to be handed on and their events to be stored", func() bool {
				return c.done(t, site.Dir("in-"+c.name)) && c.count(harness.ReadFiles(t, site.Dir(c.name))) >= c.events
			})
		}
		got := make(seen)
		for _, c := range cases {
			root := site.Dir("in-" + c.name)
			got["files of "+c.name] = listing(t, root)
			got["events of "+c.name] = strings.ReplaceAll(sortHeaders(harness.ReadFiles(t, site.Dir(c.name))), root, "<dir>")
		}
		return got
	})
}

// spoolTakeover is a source that is killed within a file by one system and goes on under the other.
type spoolTakeover struct {
	name     string
	settings string
	file     string
	pieces   []string // what the file's events are, in the order of the file
	block    int      // events that may come again: those of a block
	done     string   // the name that says that the file is done with
}

// TestSpoolDirectoryTakeover has each system take over the other's position file in the middle of a file, also under an agent that was
// killed. Nothing is lost, and nothing comes again but, with Avro and Java, the events of a block.
func TestSpoolDirectoryTakeover(t *testing.T) {
	t.Parallel()
	const n, held = 5000, 1000
	var lines, records []string
	for i := range n {
		lines = append(lines, fmt.Sprintf("line %d of the file\n", i))
		records = append(records, fmt.Sprintf("record %d.", i))
	}
	cases := []spoolTakeover{
		{name: "rename", file: strings.Join(lines, ""), pieces: lines, done: "file.COMPLETED"},
		{name: "tracker_dir", settings: "trackingPolicy = tracker_dir", file: strings.Join(lines, ""), pieces: lines, done: ".flumespool/file.COMPLETED"},
		{name: "avro", settings: "deserializer = AVRO", file: avroFile(t, ocf.SnappyCodec(), n, 30), pieces: records, block: 30, done: "file.COMPLETED"},
	}
	systems := harness.Systems()
	for _, c := range cases {
		for i := range systems {
			first, second := systems[i], systems[1-i]
			t.Run(c.name+"/"+first.Name+"-to-"+second.Name, func(t *testing.T) { c.run(t, first, second, held) })
		}
	}
}

func (c spoolTakeover) run(t *testing.T, first, second harness.System, held int) {
	t.Helper()
	site := harness.NewSite(t)
	dir := site.Dir("in")
	harness.WriteFile(t, filepath.Join(dir, "file"), c.file)
	source := fmt.Sprintf("a1.sources = r\na1.channels = c\na1.sources.r.type = spooldir\na1.sources.r.spoolDir = %s\na1.sources.r.channels = c\na1.sources.r.%s\na1.channels.c.type = memory\na1.channels.c.keep-alive = 1\n",
		dir, max(c.settings, "batchSize = 100"))
	// Without a sink the channel takes so many events, and then no more.
	agent := first.Start(t, harness.Launch{Name: "a1", Conf: source + fmt.Sprintf("a1.channels.c.capacity = %d\n", held)})
	want := c.offset(t, held)
	harness.Eventually(t, deliveryLimit, fmt.Sprintf("position %d", want), func() bool {
		offset, ok := position(dir)
		return ok && offset == want
	})
	agent.Signal(t, os.Kill)
	harness.Eventually(t, deliveryLimit, "the end of the agent", agent.Exited)

	agent = second.Start(t, harness.Launch{Name: "a1", Conf: source + site.Expand("a1.channels.c.capacity = 10000\na1.sinks = k\na1.sinks.k.type = file_roll\na1.sinks.k.channel = c\na1.sinks.k.sink.rollInterval = 0\na1.sinks.k.sink.directory = <dir out>\n")})
	harness.Eventually(t, deliveryLimit, "the file to be done with", func() bool {
		_, err := os.Stat(filepath.Join(dir, c.done))
		return err == nil
	})
	harness.Eventually(t, deliveryLimit, "the last event", func() bool {
		return strings.Contains(harness.ReadFiles(t, site.Dir("out")), strings.TrimSuffix(c.pieces[len(c.pieces)-1], "\n"))
	})
	agent.Stop(t)
	got := harness.ReadFiles(t, site.Dir("out"))
	from := held
	if c.block > 0 && (first.Name == "java" || second.Name == "java") {
		from -= held % c.block // Java knows blocks only, and so does what it leaves
	}
	at := 0
	for i, p := range c.pieces[from:] {
		k := strings.Index(got[at:], p)
		if k < 0 {
			t.Fatalf("event %d does not come, or not in its place", from+i)
		}
		at += k + len(p)
	}
	if n := strings.Count(got, "\n"); n != len(c.pieces)-from {
		t.Errorf("%d events come, want %d", n, len(c.pieces)-from)
	}
}

// offset returns the position after the first n events of the file.
func (c spoolTakeover) offset(t *testing.T, n int) int64 {
	if c.block == 0 {
		return int64(len(strings.Join(c.pieces[:n], "")))
	}
	// The marker before block n/block; it is also at the end of the file.
	marker, at := c.file[len(c.file)-16:], 0
	for range n/c.block + 1 {
		k := strings.Index(c.file[at:], marker)
		if k < 0 {
			t.Fatal("a block has no marker")
		}
		at += k + 16
	}
	return int64(at - 16)
}

// position reads Flume's position file with Avro's library: the last record counts.
func position(dir string) (int64, bool) {
	f, err := os.Open(filepath.Join(dir, ".flumespool", ".flumespool-main.meta"))
	if err != nil {
		return 0, false
	}
	defer f.Close()
	r, err := ocf.NewReader(f)
	if err != nil {
		return 0, false
	}
	defer r.Close()
	var last struct {
		Offset int64 `avro:"offset"`
	}
	for n := 0; ; n++ {
		if err := r.Decode(&last); err != nil {
			return last.Offset, n > 0
		}
	}
}
