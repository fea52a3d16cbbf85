package monitor

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/flume-go/flume/agent"
	"github.com/flume-go/flume/metrics"
	"github.com/flume-go/flume/pipeline"
)

func pageOf(t *testing.T, f *fake) (body, policy string) {
	t.Helper()
	w := ask(t, newHandler(f, options(t), false), "GET", "/")
	if w.Code != 200 {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	return w.Body.String(), w.Header().Get("Content-Security-Policy")
}

func TestPageLinks(t *testing.T) {
	body, _ := pageOf(t, newFake())
	for _, link := range []string{"./metrics", "./prometheus", "./status", "./healthz", "./readyz"} {
		if !strings.Contains(body, `<a href="`+link+`">`) {
			t.Errorf("no link to %s", link)
		}
	}
}

// TestPagePolicy checks that the page's style and script are those that its policy
// allows, and that it needs nothing from elsewhere.
func TestPagePolicy(t *testing.T) {
	body, policy := pageOf(t, newFake())
	for directive, element := range map[string]string{"style-src": "style", "script-src": "script"} {
		m := regexp.MustCompile(`(?s)<`+element+`>(.*?)</`+element+`>`).FindAllStringSubmatch(body, -1)
		if len(m) != 1 {
			t.Fatalf("%d elements %s", len(m), element)
		}
		if want := directive + " " + hash(m[0][1]); !strings.Contains(policy, want) {
			t.Errorf("the policy %q lacks %q", policy, want)
		}
	}
	for _, pattern := range []string{`style="`, ` on[a-z]+="`, `<[^>]+ src=`, `href="https?:`, `@import`, `\burl\(`} {
		if m := regexp.MustCompile(pattern).FindString(body); m != "" {
			t.Errorf("the page has %q", m)
		}
	}
}

// TestPageEscapes has markup in everything that comes from outside.
func TestPageEscapes(t *testing.T) {
	const evil = `"'><script>alert(1)</script><img/onerror=x>`
	f := newFake()
	f.add(metrics.KindSource, evil, evil, evil)
	f.fail(3, pipeline.StateRetrying, evil)
	f.reloads = agent.ReloadStatus{Failed: 1, LastAt: then, LastError: errors.New(evil)}
	o := options(t)
	o.Agent, o.Version = evil, evil
	body := ask(t, newHandler(f, o, false), "GET", "/").Body.String()
	if strings.Contains(body, "<script>alert") || strings.Contains(body, "<img") || strings.Count(body, "<script") != 1 {
		t.Error("markup is not escaped")
	}
	if !strings.Contains(body, "&lt;script&gt;alert(1)") {
		t.Error("the text is not shown")
	}
}

func TestPageSays(t *testing.T) {
	tests := []struct {
		name   string
		change func(*fake)
		says   []string
	}{
		{"well", func(*fake) {}, []string{"all is well", `class="pill green"`, "25 of 100 events, 25.0 %", "29 events accepted", "4 events delivered", "29 put, 4 taken", "oldest event: ", "has not been reloaded", "Flume 1.2.3"}},
		{"starting", func(f *fake) { f.status[0].State = pipeline.StateStarting }, []string{">starting<", `class="pill amber"`}},
		{"stopping", func(f *fake) { f.stopping = true }, []string{">stopping<", `class="pill grey"`}},
		{"stopped", func(f *fake) { f.status = nil }, []string{"nothing runs", `class="none"`}},
		{"one retries", func(f *fake) { f.fail(2, pipeline.StateRetrying, "refused") }, []string{"2 components need attention", `href="#sink-k1"`, "</a>: retrying: refused", "7 in a row", "holds 25 events: every sink"}},
		{"one failed", func(f *fake) { f.fail(0, pipeline.StateFailed, "no such file") }, []string{"1 component needs attention", `class="pill red"`, "</a>: failed: no such file"}},
		{"recovered", func(f *fake) { f.fail(2, pipeline.StateRunning, "refused") }, []string{"all is well", "Last error", "refused"}},
		{"nearly full", func(f *fake) { f.status[1].Events = 85 }, []string{`class="level amber" width="85.0"`}},
		{"full", func(f *fake) { f.status[1].Events = 100 }, []string{`class="level red" width="100.0"`, "channel c1 is full"}},
		{"unlimited", func(f *fake) { f.status[1].Capacity = 0; f.status[1].Events = 1234567 }, []string{"1,234,567 events"}},
		{"reload failed", func(f *fake) {
			f.reloads = agent.ReloadStatus{Succeeded: 2, Failed: 1, LastAt: time.Now(), LastError: errors.New("line 4 is odd")}
		}, []string{"Reloads: 2 succeeded, 1 failed.", "failed; the configuration before it is in force", "line 4 is odd"}},
		{"reloaded", func(f *fake) {
			f.reloads = agent.ReloadStatus{Succeeded: 1, LastAt: time.Now(), LastChanged: []string{"route of source r1", "sink k2"}}
		}, []string{"ago, succeeded and changed: route of source r1, sink k2."}},
		{"reloaded as it was", func(f *fake) { f.reloads = agent.ReloadStatus{Succeeded: 1, LastAt: time.Now()} }, []string{"ago, changed nothing."}},
		{"channel retries", func(f *fake) {
			f.fail(1, pipeline.StateRetrying, "locked")
			f.status[1].Since, f.status[1].ErrorAt = time.Now().Add(-5*time.Minute), time.Now().Add(-3*time.Minute)
		}, []string{`<p class="state amber">retrying for 5 min`, "</a>: retrying: locked", "Last error, 3 min ago, 7 in a row"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake()
			tt.change(f)
			body, _ := pageOf(t, f)
			for _, s := range tt.says {
				if !strings.Contains(body, s) {
					t.Errorf("%q is missing", s)
				}
			}
		})
	}
}

func TestWords(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1000: "-1,000", 1234567: "1,234,567", -123: "-123"} {
		if got := count(n); got != want {
			t.Errorf("count(%d) = %q, want %q", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		-time.Second: "0 ms", 20 * time.Millisecond: "20 ms", 119 * time.Second: "119 s", 2 * time.Minute: "2 min",
		119 * time.Minute: "119 min", 26*time.Hour + 5*time.Minute: "26 h 5 min", 49 * time.Hour: "2 days",
	} {
		if got := age(d); got != want {
			t.Errorf("age(%s) = %q, want %q", d, got, want)
		}
	}
}
