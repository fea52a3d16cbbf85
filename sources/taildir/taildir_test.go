package taildir

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pass lets enough time pass for every file to be looked at.
func pass(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // of a bubble: it takes no time
	synctest.Wait()
}

const looked = 3 * time.Second

// follow runs f in a bubble, in which a source is running.
func follow(t *testing.T, f func(r *rig), settings ...string) {
	t.Helper()
	r := newRig(t, settings...)
	synctest.Test(t, func(*testing.T) {
		defer r.close()
		f(r)
	})
}

// lines returns numbered lines, each with its newline.
func lines(prefix string, from, to int) (text string, bodies []string) {
	var b strings.Builder
	for i := from; i < to; i++ {
		body := fmt.Sprintf("%s line %d of some length", prefix, i)
		bodies = append(bodies, body)
		b.WriteString(body + "\n")
	}
	return b.String(), bodies
}

// TestLife goes through the life of files. Each step is what happens to them; then
// the events are those that are named.
func TestLife(t *testing.T) {
	old, oldBodies := lines("old", 0, 60) // more than a head
	both := func(a []string, b ...string) []string { return append(append([]string{}, a...), b...) }
	type step struct {
		do   func(r *rig)
		want []string
	}
	restart := func(between func(r *rig)) func(r *rig) {
		return func(r *rig) {
			r.stop()
			between(r)
			r.start()
		}
	}
	begin := step{func(r *rig) { r.write("app.log", old) }, oldBodies}
	for _, c := range []struct {
		name     string
		settings []string
		steps    []step
	}{
		{name: "appended", steps: []step{
			{func(r *rig) { r.write("app.log", "a\nb\r\n\nc") }, []string{"a", "b", ""}},
			{func(r *rig) { r.write("app.log", "d\n") }, []string{"cd"}},
			{func(r *rig) { r.write("app2.log", "x\n") }, []string{"x"}},
		}},
		{name: "restarted", steps: []step{
			begin,
			{restart(func(r *rig) { r.write("app.log", "more\n") }), []string{"more"}},
			{restart(func(*rig) {}), nil},
		}},
		{name: "renamed to a name that matches", steps: []step{
			begin,
			{func(r *rig) {
				r.rename("app.log", "app.log.1")
				r.write("app.log", "new\n")
				r.write("app.log.1", "late\n")
			}, []string{"late", "new"}},
			{restart(func(r *rig) {
				r.rename("app.log.1", "app.log.2")
				r.rename("app.log", "app.log.1")
				r.write("app.log.1", "z\n")
			}), []string{"z"}},
		}},
		{name: "renamed to a name that does not match", settings: []string{`filegroups.g1 = $DIR/app\.log`}, steps: []step{
			begin,
			{func(r *rig) {
				r.rename("app.log", "app.log.1")
				r.write("app.log", "new\n")
				r.write("app.log.1", "late\n")
			}, []string{"late", "new"}},
			{func(r *rig) { pass(time.Hour); r.write("app.log", "hour\n") }, []string{"hour"}},
		}},
		{name: "renamed while stopped, to a name that does not match", settings: []string{`filegroups.g1 = $DIR/app\.log`}, steps: []step{
			begin,
			{restart(func(r *rig) {
				r.write("app.log", "late\n")
				r.rename("app.log", "app.log.1")
				r.write("app.log", "new\n")
			}), []string{"late", "new"}},
		}},
		{name: "copied and truncated", steps: []step{
			begin,
			{func(r *rig) {
				r.write("app.log", "late\n")
				r.copy("app.log", "app.log.1")
				r.truncate("app.log")
				r.write("app.log", "new\n")
			}, []string{"late", "new"}},
		}},
		{name: "copied, and truncated later", steps: []step{
			begin,
			{func(r *rig) { r.write("app.log", "a\n"); r.copy("app.log", "app.log.1") }, []string{"a"}},
			{func(r *rig) { r.write("app.log", "b\n") }, []string{"b"}},
			{func(r *rig) { r.truncate("app.log"); r.write("app.log", "new\n") }, []string{"new"}},
		}},
		{name: "copied to a name that does not match, and truncated", settings: []string{`filegroups.g1 = $DIR/app\.log`}, steps: []step{
			begin,
			{func(r *rig) {
				r.write("app.log", "late\n")
				r.copy("app.log", "app.log.1")
				r.truncate("app.log")
				r.write("app.log", "new\n")
			}, []string{"late", "new"}},
		}},
		{name: "copied and truncated while stopped", steps: []step{
			begin,
			{restart(func(r *rig) {
				r.write("app.log", "late\n")
				r.copy("app.log", "app.log.1")
				r.truncate("app.log")
				r.write("app.log", "new\n")
			}), []string{"late", "new"}},
		}},
		{name: "copied while stopped, and written on", steps: []step{
			begin,
			{restart(func(r *rig) {
				r.copy("app.log", "app.log.1")
				r.must(os.Chtimes(r.path("app.log.1"), time.Time{}, time.Now().Add(-time.Hour))) // it is looked at first
				r.write("app.log", "a\n")
			}), []string{"a"}},
			{restart(func(r *rig) { r.rename("app.log.1", "app.log.2"); r.write("app.log", "b\n") }), []string{"b"}},
		}},
		{name: "copied before it was ever seen", steps: []step{
			{restart(func(r *rig) {
				r.write("app.log", "a\n")
				for i := range 3 {
					r.copy("app.log", fmt.Sprintf("app.log.%d", 9+i))
					r.must(os.Chtimes(r.path(fmt.Sprintf("app.log.%d", 9+i)), time.Time{}, time.Now().Add(time.Duration(i-9)*time.Hour)))
					r.write("app.log", "a\n")
				}
			}), []string{"a", "a", "a", "a"}},
		}},
		{name: "truncated and grown beyond the position", steps: []step{
			begin,
			{func(r *rig) { r.truncate("app.log"); r.write("app.log", strings.ReplaceAll(old, "old", "other")+"x\n") },
				both(bodiesOf(strings.ReplaceAll(old, "old", "other")), "x")},
		}},
		{name: "truncated and grown beyond the position while stopped", steps: []step{
			begin,
			{restart(func(r *rig) { r.truncate("app.log"); r.write("app.log", strings.ReplaceAll(old, "old", "other")+"x\n") }),
				both(bodiesOf(strings.ReplaceAll(old, "old", "other")), "x")},
		}},
		{name: "deleted and created again", steps: []step{
			begin,
			{func(r *rig) { r.remove("app.log"); r.write("app.log", "new\n") }, []string{"new"}},
			{func(r *rig) { r.remove("app.log"); pass(looked); r.write("app.log", "new\n") }, []string{"new"}},
			{func(r *rig) { r.remove("app.log"); pass(time.Hour); r.write("app.log", "new\n") }, []string{"new"}},
		}},
		{name: "deleted and created again while stopped", steps: []step{
			begin,
			{restart(func(r *rig) { r.remove("app.log"); r.write("app.log", "new\n") }), []string{"new"}},
		}},
		{name: "replaced by a copy with more", steps: []step{
			begin,
			{restart(func(r *rig) { r.create("app.log", old+"more\n") }), []string{"more"}},
			{func(r *rig) { r.create("app.log", old+"more\nstill more\n") }, []string{"still more"}},
		}},
		{name: "moved to another group", settings: []string{"filegroups = g1 g2", `filegroups.g1 = $DIR/app\.log`, `filegroups.g2 = $DIR/other\.log`}, steps: []step{
			begin,
			{func(r *rig) { r.rename("app.log", "other.log"); r.write("other.log", "more\n") }, []string{"more"}},
			{restart(func(r *rig) { r.rename("other.log", "app.log"); r.write("app.log", "still more\n") }), []string{"still more"}},
		}},
		{name: "linked twice", steps: []step{
			begin,
			{func(r *rig) { r.must(os.Link(r.path("app.log"), r.path("app-link.log"))); r.write("app.log", "more\n") }, []string{"more"}},
			{func(r *rig) { r.remove("app.log"); r.write("app-link.log", "still more\n") }, []string{"still more"}},
		}},
		{name: "unterminated line of an idle file", steps: []step{
			{func(r *rig) { r.write("app.log", "begin") }, nil},
			{func(*rig) { pass(2 * time.Minute) }, []string{"begin"}},
			{func(r *rig) { r.write("app.log", " end\n") }, []string{" end"}},
		}},
		{name: "unterminated line that is waited for", settings: []string{"unterminatedLine = wait"}, steps: []step{
			{func(r *rig) { r.write("app.log", "begin") }, nil},
			{func(*rig) { pass(2 * time.Minute) }, nil},
			{func(r *rig) { r.write("app.log", " end\n") }, []string{"begin end"}},
		}},
		{name: "unterminated line of a deleted file", settings: []string{"unterminatedLine = wait"}, steps: []step{
			{func(r *rig) { r.write("app.log", "begin") }, nil},
			{func(r *rig) { r.remove("app.log"); pass(2*time.Minute + looked) }, []string{"begin"}},
		}},
		{name: "from the end", settings: []string{"skipToEnd = true"}, steps: []step{
			{restart(func(r *rig) { r.write("app.log", old) }), nil},
			{func(r *rig) { r.write("app.log", "more\n") }, []string{"more"}},
			{func(r *rig) { r.write("app2.log", "from the beginning\n") }, []string{"from the beginning"}},
			{restart(func(r *rig) { r.write("app.log", "known\n"); r.write("app3.log", "unknown\n") }), []string{"known"}},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			follow(t, func(r *rig) {
				r.start()
				pass(looked)
				for _, s := range c.steps {
					s.do(r)
					pass(looked)
					r.expect(s.want...)
				}
			}, c.settings...)
		})
	}
}

func bodiesOf(text string) []string {
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}
