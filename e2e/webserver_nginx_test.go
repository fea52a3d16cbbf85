//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/flume-go/flume/e2e/harness"
)

// serverRotations is how many times the log of a web server is rotated in a test.
const serverRotations = 10

// TestNginx follows the access log of nginx, which logrotate rotates as Debian configures it, while requests are
// served. Each request is delivered once.
func TestNginx(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, log string }{
		{"each line at once", ""},
		{"in blocks", " buffer=2k flush=100ms"}, // which end in the middle of a line
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			site := harness.NewSite(t)
			startNginx(t, site, c.log)
			startFollower(t, site)
			load := sendRequests(t, site.Addr("web"), http.StatusOK, true)
			rotateServer(t, site, "kill -USR1 `cat <path nginx.pid>`")
			logged(t, site, "out", load.stop(t))
		})
	}
}

// startNginx starts a server that logs to access.log in the site's folder logs.
func startNginx(t *testing.T, site *harness.Site, options string) {
	t.Helper()
	user := ""
	if os.Getuid() == 0 {
		user = "user root;\n"
	}
	harness.WriteFile(t, site.Path("nginx.conf"), site.Expand(user+`
daemon off;
worker_processes 2;
pid <path nginx.pid>;
error_log <path nginx.err> warn;
events { worker_connections 256; }
http {
  client_body_temp_path <path tmp1>; proxy_temp_path <path tmp2>; fastcgi_temp_path <path tmp3>;
  uwsgi_temp_path <path tmp4>; scgi_temp_path <path tmp5>;
  log_format own '$request_method $uri';
  access_log <dir logs>/access.log own`+options+`;
  server {
    listen 127.0.0.1:<port web>;
    location / { return 200 "served"; }
  }
}
`))
	harness.StartProgram(t, harness.Program{Argv: []string{"nginx", "-p", site.Dir("prefix"), "-e", site.Path("nginx.err"), "-c", site.Path("nginx.conf")}})
}

// startFollower starts an agent that follows access.log and the first name that rotation gives it, and stores its
// lines in out.
func startFollower(t *testing.T, site *harness.Site) {
	t.Helper()
	var c topology
	c.source("r", "out", "type = taildir", "positionFile = <path positions.json>", "filegroups = g",
		"filegroups.g = <dir logs>/access[.]log([.]1)?")
	c.store("out")
	harness.StartFlume(t, harness.Launch{Name: "a1", Conf: site.Expand(c.String())})
}

// rotateServer lets logrotate rotate a server's log some times. script tells the server.
func rotateServer(t *testing.T, site *harness.Site, script string) {
	t.Helper()
	conf := site.Path("logrotate.conf")
	harness.WriteFile(t, conf, site.Expand(fmt.Sprintf(`<dir logs>/*.log {
  rotate 14
  missingok
  notifempty
  compress
  delaycompress
  create 0640
  sharedscripts
  postrotate
    %s
  endscript
}
`, script)))
	for range serverRotations {
		pass(t.Context(), 200*time.Millisecond)
		harness.Eventually(t, 30*time.Second, "the log to have a line, as an empty one is not rotated", func() bool {
			info, err := os.Stat(site.Path("logs/access.log"))
			return err == nil && info.Size() > 0
		})
		out, status := harness.RunProgram(t, harness.Program{Argv: []string{"logrotate", "-f", "-s", site.Path("logrotate.state"), conf}, Dir: site.Dir("logs")})
		if status != 0 {
			t.Fatalf("logrotate ended with status %d:\n%s", status, out)
		}
	}
	if _, err := os.Stat(site.Path(fmt.Sprintf("logs/access.log.%d.gz", serverRotations))); err != nil {
		t.Fatalf("the log was not rotated %d times: %v", serverRotations, err)
	}
	pass(t.Context(), 200*time.Millisecond)
}
