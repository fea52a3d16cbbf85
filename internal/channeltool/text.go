package channeltool

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"
)

// shownRows bounds the tables and lists that people read, unless they ask for all.
const shownRows = 20

// WriteText writes a report for people. now is what ages are counted from; without all, long lists are cut short.
func (r *Report) WriteText(w io.Writer, now time.Time, all bool) error {
	rows := r.head()
	staged := plural(r.Events, "event")
	if r.Events > 0 {
		about := ""
		if r.Estimated {
			about = "about "
		}
		staged += ", " + about + exact(r.Bytes)
	}
	rows = append(rows, row{"staged", staged})
	if r.AtStop > 0 {
		rows = append(rows, row{"", plural(r.AtStop, "event") + " of these were in memory at an orderly stop"})
	}
	if r.Oldest != nil {
		rows = append(rows, row{"oldest", moment(now, *r.Oldest)})
	}
	if r.LastWrite != nil {
		rows = append(rows, row{"last write", moment(now, *r.LastWrite)})
	}
	rows = append(rows, row{"files", r.fileCounts()}, row{"checkpoint", r.CheckpointFile.text(now)})
	if r.Java != nil {
		rows = append(rows, r.Java.rows()...)
	}
	for _, k := range r.Keys {
		rows = append(rows, row{"encrypted", k.text()})
	}
	if len(r.Keys) == 0 {
		rows = append(rows, row{"encrypted", "no"})
	}
	rows = append(rows, r.diskRows()...)
	if r.Layout == LayoutWAL {
		rows = append(rows, row{"quarantine", r.quarantine(now)})
	}
	rows = append(rows, row{"damage", damageCount(r.DamageCount, "none met; verify looks for all")})
	p := &printer{w: w}
	p.rows(rows)
	p.damages(r.Damage, r.DamageCount, all)
	if len(r.Files) > 0 {
		p.printf("\n")
		p.table(r.fileTable(now, all))
	}
	return p.err
}

// head is what every answer begins with.
func (s *Subject) head() []row {
	name := s.Channel
	if name == "" {
		name = "(by its directories)"
	}
	rows := []row{{"channel", name}}
	switch s.Layout {
	case LayoutJava:
		rows = append(rows, row{"written by", "Apache Flume"})
	case LayoutWAL:
		rows = append(rows, row{"written by", "this program"})
	}
	for _, d := range s.Data {
		rows = append(rows, row{"data", d})
	}
	switch {
	case s.InUse != "":
		rows = append(rows, row{"open", "in " + s.InUse + "; what is shown changes while it is looked at"})
	case s.NotInUse:
		rows = append(rows, row{"open", "no"})
	default:
		rows = append(rows, row{"open", "not as far as can be seen; to be sure, look as the user that runs the agent, or as root"})
	}
	for _, n := range s.Notes {
		rows = append(rows, row{"note", n})
	}
	return rows
}

func (r *Report) fileCounts() string {
	var size, free int64
	for _, f := range r.Files {
		size += f.Size
		if f.State == "free" {
			free += f.Size
		}
	}
	text := fmt.Sprintf("%s, %s", plural(len(r.Files), "file"), exact(size))
	if r.FreeFiles > 0 {
		text += fmt.Sprintf("; %s of them free to be used again, %s", Count(r.FreeFiles), Size(free))
	}
	return text
}

// diskRows tells the free space, once for directories on one disk.
func (r *Report) diskRows() []row {
	var rows []row
	for i, d := range r.Disks {
		if i == 0 || d.Free != r.Disks[i-1].Free {
			rows = append(rows, row{"disk", fmt.Sprintf("%s free for %s", Size(d.Free), d.Dir)})
			continue
		}
		rows[len(rows)-1].text += ", " + d.Dir
	}
	return rows
}

func (c *Checkpoint) text(now time.Time) string {
	text := c.State
	if c.Time != nil {
		text += "; written " + Age(now, *c.Time) + ", " + exact(c.Size)
	}
	if c.Path != "" {
		text += "; " + c.Path
	}
	return text
}

func (k *Key) text() string {
	text := fmt.Sprintf("key %q", k.Alias)
	if k.Files > 0 {
		text += fmt.Sprintf(": %s, %s staged", plural(k.Files, "file"), plural(k.Events, "event"))
	}
	if k.Problem != "" {
		text += "; CANNOT BE READ: " + k.Problem
	}
	return text
}

func (j *JavaDetails) rows() []row {
	versions := strings.Trim(strings.Join(strings.Fields(fmt.Sprint(j.Versions)), ", "), "[]")
	rows := []row{{"format", "version " + versions}, {"read from", j.Source}}
	for _, p := range j.Problems {
		rows = append(rows, row{"problem", p})
	}
	for _, n := range []struct {
		n    int
		text string
	}{
		{j.Lost, "staged events CANNOT BE READ"},
		{j.UncommittedPuts, "events of puts that never committed: they were never accepted and are left out"},
		{j.ReturnedTakes, "staged events were taken by a sink that did not acknowledge them: they come first"},
		{j.OpenTakes, "staged events were taken later on and not acknowledged: they will be delivered again"},
		{j.PendingTakes, "takes of events whose puts are deleted: they were delivered"},
		{j.Disabled, "records were disabled by an integrity tool"},
	} {
		if n.n > 0 {
			rows = append(rows, row{"", Count(n.n) + " " + n.text})
		}
	}
	return rows
}

func (r *Report) quarantine(now time.Time) string {
	if len(r.Quarantine) == 0 {
		return "empty"
	}
	var size int64
	last := r.Quarantine[0]
	for _, q := range r.Quarantine {
		size += q.Size
		if q.Time.After(last.Time) {
			last = q
		}
	}
	return fmt.Sprintf("%s, %s in %s; the last one %s", copies(len(r.Quarantine)), exact(size), filepath.Dir(last.Path), Age(now, last.Time))
}

// fileTable returns the files, of many the first and the last.
func (r *Report) fileTable(now time.Time, all bool) table {
	t := table{head: []string{"FILE", "STATE", "GENERATION", "SIZE", "USED", "EVENTS", "STAGED", "BEGUN", "KEY"}, left: []int{0, 1, 8}}
	if r.Layout == LayoutJava {
		t = table{head: []string{"FILE", "SIZE", "LAST WRITE"}, left: []int{0}}
	}
	for i, f := range r.Files {
		if omitted := len(r.Files) - shownRows; !all && omitted > 0 && i >= shownRows/2 && i < len(r.Files)-shownRows/2 {
			if i == shownRows/2 {
				t.rows = append(t.rows, []string{fmt.Sprintf("… %s more; --all shows them", plural(omitted, "file"))})
			}
			continue
		}
		t.rows = append(t.rows, f.cells(r.Layout, now))
	}
	return t
}

func (f *File) cells(l Layout, now time.Time) []string {
	age := func(t *time.Time) string {
		if t == nil {
			return "-"
		}
		return Age(now, *t)
	}
	if l == LayoutJava {
		return []string{f.Path, Size(f.Size), age(f.Modified)}
	}
	key := f.Key
	if key == "" {
		key = "-"
	}
	return []string{
		f.Path, f.State, Count(f.Generation), Size(f.Size), Size(f.Used), Count(f.Events), Count(f.Staged), age(f.Since), key,
	}
}

// WriteText writes what was verified for people.
func (v *Verification) WriteText(w io.Writer, took time.Duration, all bool) error {
	rows := v.head()
	read := fmt.Sprintf("%s, %s", plural(v.Files, "file"), exact(v.Bytes))
	if v.Layout == LayoutJava {
		read += ", " + plural(v.Events, "staged event")
	} else {
		read += fmt.Sprintf(", %s with %s", plural(v.Records, "good record"), plural(v.Events, "event"))
	}
	rows = append(rows, row{"read", fmt.Sprintf("%s, in %s", read, took.Round(time.Millisecond))})
	for _, p := range v.Problems {
		rows = append(rows, row{"problem", p})
	}
	rows = append(rows, row{"damage", damageCount(v.DamageCount, "none")})
	p := &printer{w: w}
	p.rows(rows)
	p.damages(v.Damage, v.DamageCount, all)
	return p.err
}

// Summary writes what a repair did as Apache Flume's tool does, for scripts that read it.
func (r *Repaired) Summary(w io.Writer) {
	fmt.Fprintln(w, "---------- Summary --------------------")
	fmt.Fprintln(w, "Number of Events in the Channel =", r.Records)
	fmt.Fprintln(w, "Number of Put Events Processed =", r.Puts)
	fmt.Fprintln(w, "Number of Valid Put Events =", r.Valid)
	fmt.Fprintln(w, "Number of Invalid Put Events =", r.Invalid)
	fmt.Fprintln(w, "Number of Put Events that threw Exception during validation = 0")
	fmt.Fprintln(w, "Number of Corrupt Events =", r.Corrupt)
	fmt.Fprintln(w, "---------------------------------------")
}

func damageCount(n int, none string) string {
	if n == 0 {
		return none
	}
	return plural(n, "damaged place")
}

func moment(now, t time.Time) string {
	return fmt.Sprintf("%s (%s)", Age(now, t), t.UTC().Format("2006-01-02 15:04:05 UTC"))
}

// row is a name and what there is to say about it.
type row struct{ name, text string }

// table is cells in columns, all but those in left set to the right.
type table struct {
	head []string
	rows [][]string
	left []int
}

// printer writes text and keeps the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

func (p *printer) rows(rows []row) {
	for _, r := range rows {
		p.printf("%-11s %s\n", r.name, r.text)
	}
}

func (p *printer) damages(list []Damage, count int, all bool) {
	for i, d := range list {
		if i == shownRows && !all && len(list) > shownRows {
			p.printf("  … %s more; --all shows them\n", Count(count-i))
			return
		}
		p.printf("  %s\n", d)
	}
	if more := count - len(list); more > 0 {
		p.printf("  … and %s more\n", Count(more))
	}
}

func (p *printer) table(t table) {
	width := make([]int, len(t.head))
	for _, r := range append([][]string{t.head}, t.rows...) {
		for i, cell := range r {
			if len(r) == len(t.head) {
				width[i] = max(width[i], utf8.RuneCountInString(cell))
			}
		}
	}
	left := make(map[int]bool)
	for _, i := range t.left {
		left[i] = true
	}
	for _, r := range append([][]string{t.head}, t.rows...) {
		var line strings.Builder
		for i, cell := range r {
			pad := strings.Repeat(" ", max(width[i]-utf8.RuneCountInString(cell), 0))
			if left[i] {
				line.WriteString(cell + pad)
			} else {
				line.WriteString(pad + cell)
			}
			line.WriteString("  ")
		}
		p.printf("%s\n", strings.TrimRight(line.String(), " "))
	}
}
