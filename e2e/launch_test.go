//go:build e2e

package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/flume-go/flume/e2e/harness"
)

// word is an agent that adds ${sys:word} and ${env:E2E_WORD} to each event.
func word() string {
	var c topology
	c.store("out", "sink.serializer = header_and_text")
	c.netcat("in", "out", "interceptors = s e",
		"interceptors.s.type = static", "interceptors.s.key = sys", "interceptors.s.value = ${sys:word:-none}",
		"interceptors.e.type = static", "interceptors.e.key = env", "interceptors.e.value = ${env:E2E_WORD:-none}")
	return c.String()
}

// TestOptionForms gives the same options in the forms that Flume's parser knows.
func TestOptionForms(t *testing.T) {
	t.Parallel()
	forms := []string{
		"--name a1 --conf-file <path x.conf> --no-reload-conf",
		"--name=a1 --conf-file=<path x.conf>",
		"-name a1 -conf-file <path x.conf>",
		"--na a1 --conf-f <path x.conf> --poll 5",
		"-n a1 --conf-uri file://<path x.conf>",
	}
	want := make(seen)
	for _, form := range forms {
		want[form] = "{env=none, sys=given} x\n"
	}
	differential(t, want, func(t *testing.T, s harness.System) seen {
		sites := make([]*harness.Site, len(forms))
		for i, form := range forms { // all at the same time: a virtual machine is slow to start
			sites[i] = harness.NewSite(t)
			harness.WriteFile(t, sites[i].Path("x.conf"), sites[i].Expand(word()))
			s.Start(t, harness.Launch{Args: append([]string{"-Dword=given"}, strings.Fields(sites[i].Expand(form))...)})
		}
		got := make(seen)
		for i, form := range forms {
			harness.Converse(t, sites[i].Addr("in"), "x\n")
			got[form] = sortHeaders(lines(t, sites[i], "out", 1))
		}
		return got
	})
}

// TestOptionsFile takes options from flume.opts in the configuration folder; the command line wins.
func TestOptionsFile(t *testing.T) {
	t.Parallel()
	want := seen{"out": "{env=none, sys=none} x\n"}
	differential(t, want, func(t *testing.T, s harness.System) seen {
		site := harness.NewSite(t)
		harness.WriteFile(t, site.Path("x.conf"), site.Expand(word()))
		s.Start(t, harness.Launch{
			Files: map[string]string{"flume.opts": site.Expand("name = a2\nconf-file = <path x.conf>\nno-reload-conf = true\n")},
			Args:  []string{"--name", "a1"},
		})
		harness.Converse(t, site.Addr("in"), "x\n")
		return seen{"out": sortHeaders(lines(t, site, "out", 1))}
	})
}

// TestEnvironmentScript runs flume-env.sh, which Java Flume's shell script does: its published artifacts do not
// hold that, so ours runs alone.
func TestEnvironmentScript(t *testing.T) {
	t.Parallel()
	site := harness.NewSite(t)
	agent := harness.StartFlume(t, harness.Launch{
		Name: "a1", Conf: site.Expand(word()), Args: []string{"-Xmx1g"},
		Files: map[string]string{"flume-env.sh": "export E2E_WORD=exported\nJAVA_OPTS=\"-Xms100m -Dword=from-script\"\n"},
	})
	harness.Converse(t, site.Addr("in"), "x\n")
	if got, want := sortHeaders(lines(t, site, "out", 1)), "{env=exported, sys=from-script} x\n"; got != want {
		t.Errorf("the event is %q, want %q", got, want)
	}
	for _, notice := range []string{"environment from ", "no effect without a JVM: -Xms100m", "-Xmx: there is no heap to limit; 1073741824 bytes"} {
		expectLog(t, agent, notice)
	}
}

// TestReloadOnDemand reloads by SIGHUP and through the admin API an agent that does not look for changes by
// itself. Java Flume has neither.
func TestReloadOnDemand(t *testing.T) {
	t.Parallel()
	for name, trigger := range map[string]func(t *testing.T, agent *harness.Process, admin, want string){
		"SIGHUP": func(t *testing.T, agent *harness.Process, _, _ string) { agent.Hangup(t) },
		"admin API": func(t *testing.T, _ *harness.Process, admin, want string) {
			if got := answer(t, http.MethodPost, admin+"/reload"); !strings.HasPrefix(got, want) {
				t.Errorf("POST /reload was answered with %s, want %s", got, want)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site := harness.NewSite(t)
			first, second := versions(site)
			conf := site.Path("flume.conf")
			harness.WriteFile(t, conf, first)
			agent := harness.StartFlume(t, harness.Launch{
				Name: "a1", Env: []string{"E2E_WORD=hello"},
				Args: []string{"-f", conf, "-i", "1", "--no-reload-conf", "-Dflume.admin.address=" + site.Addr("admin")},
			})
			admin := "http://" + site.Addr("admin")
			harness.Dial(t, site.Addr("admin")).Close()

			// What cannot run changes nothing, and is told; without being asked the agent does not even look.
			const complaint = `unknown source type "netkat"`
			harness.WriteFile(t, conf, strings.Replace(second, "= netcat", "= netkat", 1))
			if harness.Poll(2500*time.Millisecond, func() bool { return says(agent.Output(), complaint) }) {
				t.Error("the agent looked for changes by itself")
			}
			trigger(t, agent, admin, "409")
			expectLog(t, agent, complaint)
			reload(t, site, func() {
				harness.WriteFile(t, conf, second)
				trigger(t, agent, admin, "200")
			})
			got, want := lines(t, site, "out", 2), "{word=hello} before\n{word=hello} after\n"
			if got != want {
				t.Errorf("stored %q, want %q", got, want)
			}
		})
	}
}
