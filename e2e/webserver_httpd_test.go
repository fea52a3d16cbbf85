//go:build e2e

package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/flume-go/flume/e2e/harness"
)

// TestHTTPD takes in the access log of Apache HTTP Server in the ways that people do. Each request is delivered
// once.
func TestHTTPD(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		log    string   // where the server logs to
		source []string // of the agent
		rotate func(t *testing.T, site *harness.Site)
	}{
		{
			// The processes of before serve what they have begun, and log that to the file of before.
			name: "logrotate and graceful restart", log: "<dir logs>/access.log",
			source: []string{"type = taildir", "positionFile = <path positions.json>", "filegroups = g", "filegroups.g = <dir logs>/access[.]log([.]1)?"},
			rotate: func(t *testing.T, site *harness.Site) { rotateServer(t, site, "kill -USR1 `cat <path httpd.pid>`") },
		},
		{
			name: "rotatelogs", log: "|/usr/bin/rotatelogs <dir logs>/access.%s.log 1",
			source: []string{"type = taildir", "positionFile = <path positions.json>", "filegroups = g", "filegroups.g = <dir logs>/access[.][0-9]+[.]log"},
			rotate: func(t *testing.T, site *harness.Site) {
				harness.Eventually(t, deliveryLimit, "three files of rotatelogs", func() bool {
					names, err := filepath.Glob(filepath.Join(site.Dir("logs"), "*"))
					return err == nil && len(names) >= 3
				})
			},
		},
		{
			name: "rotatelogs with a fixed number of files", log: "|/usr/bin/rotatelogs -n 5 <dir logs>/access.log 16K",
			source: []string{"type = taildir", "positionFile = <path positions.json>", "filegroups = g", "filegroups.g = <dir logs>/access[.]log.*"},
			rotate: func(t *testing.T, site *harness.Site) {
				harness.Eventually(t, deliveryLimit, "four files of rotatelogs", func() bool {
					names, err := filepath.Glob(filepath.Join(site.Dir("logs"), "*"))
					return err == nil && len(names) >= 4
				})
			},
		},
		{
			name: "tail -F", log: "<dir logs>/access.log",
			source: []string{"type = exec", "command = tail -n +1 -F <path logs>/access.log"},
		},
		{
			name: "pipe to the netcat source", log: "|/bin/bash -c 'exec cat >/dev/tcp/127.0.0.1/<port netcat>'",
			source: []string{"type = netcat", "bind = 127.0.0.1", "port = <port netcat>", "ack-every-event = false"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			site := harness.NewSite(t)
			var conf topology
			conf.source("r", "out", c.source...)
			conf.store("out")
			harness.StartFlume(t, harness.Launch{Name: "a1", Conf: site.Expand(conf.String())})
			if c.source[0] == "type = netcat" {
				harness.Dial(t, site.Addr("netcat")).Close()
			}
			startHTTPD(t, site, c.log)
			load := sendRequests(t, site.Addr("web"), http.StatusNoContent, false)
			if c.rotate != nil {
				c.rotate(t, site)
			} else {
				pass(t.Context(), time.Second)
			}
			logged(t, site, "out", load.stop(t))
		})
	}
}

// startHTTPD starts a server that answers everything with 204 and logs to a file or pipe.
func startHTTPD(t *testing.T, site *harness.Site, log string) {
	t.Helper()
	user := ""
	if os.Getuid() == 0 {
		user = "User www-data\nGroup www-data\n"
	}
	harness.WriteFile(t, site.Path("httpd.conf"), site.Expand(user+`
ServerRoot "<dir httpd>"
ServerName localhost
Listen 127.0.0.1:<port web>
PidFile <path httpd.pid>
DefaultRuntimeDir <dir httpd>
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule alias_module /usr/lib/apache2/modules/mod_alias.so
StartServers 2
ThreadsPerChild 8
ServerLimit 4
MaxRequestWorkers 32
KeepAlive Off
RedirectMatch 204 .*
ErrorLog <path httpd.err>
LogFormat "%m %U" own
CustomLog "`+log+`" own
`))
	harness.StartProgram(t, harness.Program{Argv: []string{"apache2", "-D", "FOREGROUND", "-f", site.Path("httpd.conf")}})
}
