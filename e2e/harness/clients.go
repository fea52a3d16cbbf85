package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Tool returns the path of a program that setup.sh installs. Programs for administrators are not on
// everybody's PATH, so their folders are looked at as well.
func Tool(t testing.TB, name string) string {
	t.Helper()
	Tools(t)
	for _, dir := range []string{"", "/usr/sbin", "/sbin", "/usr/lib/systemd", "/lib/systemd"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path
		}
	}
	t.Fatalf("there is no program %s: run e2e/setup.sh", name)
	return ""
}

// Pid returns the process id, which is that of nobody else until the test ends.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// StartRsyslog starts rsyslogd with this configuration alone, and a folder of its own for its queues. Both it
// and the folder go away with the test.
func StartRsyslog(t testing.TB, conf string) *Process {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "rsyslog.conf")
	WriteFile(t, path, fmt.Sprintf("global(workDirectory=%q net.enableDNS=\"off\" maxMessageSize=\"16k\")\n%s", dir, conf))
	return start(t, command{
		name: "rsyslogd", dir: dir, argv: []string{Tool(t, "rsyslogd"), "-n", "-iNONE", "-f", path},
	})
}

// RunLogger runs logger, of util-linux, to its end with text as its standard input and
// in UTC, and returns what it printed.
func RunLogger(t testing.TB, text string, args ...string) string {
	t.Helper()
	out, status := RunProgram(t, Program{Argv: append([]string{"logger"}, args...), Env: []string{"TZ=UTC"}, Stdin: text})
	if status != 0 {
		t.Fatalf("logger %q ended with status %d:\n%s", args, status, out)
	}
	return out
}

// StartNginx starts nginx in the foreground. Its configuration is the text of the http block; %s in it is the
// folder that everything nginx writes is put into.
func StartNginx(t testing.TB, http string) *Process {
	t.Helper()
	dir := t.TempDir()
	// Started by root, nginx gives its folders to a user of its own, who must be able to get there.
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var temporary strings.Builder
	for _, what := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&temporary, "%s_temp_path %s/%s;\n", what, dir, what)
	}
	path := filepath.Join(dir, "nginx.conf")
	WriteFile(t, path, fmt.Sprintf("daemon off; master_process off; pid %s/pid; error_log stderr info;\nevents {}\nhttp {\n%s%s\n}\n",
		dir, temporary.String(), http))
	return start(t, command{name: "nginx", dir: dir, argv: []string{Tool(t, "nginx"), "-e", "stderr", "-p", dir, "-c", path}})
}

// journald is what StartJournald runs in a mount namespace of its own: /run is empty there, so that the
// journal's sockets are nobody else's. The first argument is the program journald, the second rsyslogd, the
// third its configuration, the fourth a script that is run when both are there.
const journald = `set -eu
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/journal /run/systemd/journald.conf.d
cat >/run/systemd/journald.conf.d/e2e.conf <<-'END'
	[Journal]
	Storage=none
	ForwardToSyslog=yes
	ForwardToKMsg=no
	ForwardToConsole=no
	ForwardToWall=no
	ReadKMsg=no
	Audit=no
	RateLimitBurst=0
	END
"$2" -n -iNONE -f "$3" &
rsyslogd=$!
"$1" &
journald=$!
trap 'kill $journald $rsyslogd; wait $journald $rsyslogd' EXIT
for socket in syslog dev-log socket stdout; do
	until [ -S /run/systemd/journal/$socket ]; do sleep 0.02; done
done
sh -eu -c "$4"
echo done
# Until the test ends: what was logged may still be on its way.
sleep 600 &
sleep=$!
trap 'kill $sleep; exit 0' TERM
wait $sleep
`

// StartJournald starts systemd-journald in namespaces of its own, which takes no rights, with rsyslogd beside it that
// reads what the journal forwards to syslog (at /run/systemd/journal/syslog) and does with it what conf says. Then it
// runs a script of commands that log, and waits for its end.
func StartJournald(t testing.TB, conf, script string) *Process {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "rsyslog.conf")
	WriteFile(t, path, fmt.Sprintf(`global(workDirectory=%q net.enableDNS="off")
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="/run/systemd/journal/syslog" CreatePath="on" RateLimit.Interval="0")
%s`, dir, conf))
	p := start(t, command{name: "systemd-journald", dir: dir, argv: []string{
		Tool(t, "unshare"), "--user", "--map-root-user", "--mount", "--propagation", "private",
		"sh", "-c", journald, "journald", Tool(t, "systemd-journald"), Tool(t, "rsyslogd"), path, script,
	}})
	Eventually(t, startLimit, "the journal and what is logged to it", func() bool {
		return strings.HasSuffix(p.Output(), "done\n") || p.Exited()
	})
	if p.Exited() {
		t.Fatalf("systemd-journald could not be run: %s", p.Output())
	}
	return p
}

// Certificates are the files of an authority of the test's own, and of a server and a client whose certificates it
// has signed. All but ServerStore are PEM files.
type Certificates struct {
	Authority             string
	ServerCert, ServerKey string // for the name flume.example and addresses
	ServerStore           string // PKCS#12 with both, and the authority
	Password              string // of ServerStore
	ClientCert, ClientKey string // for the name client.example
}

// MakeCertificates has openssl make them. The server has these addresses and 127.0.0.1.
func MakeCertificates(t testing.TB, addresses ...string) Certificates {
	t.Helper()
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	config := file("openssl.cnf")
	WriteFile(t, config, "[req]\ndistinguished_name = name\n[name]\n")
	c := Certificates{
		Authority:  file("ca.pem"),
		ServerCert: file("server.pem"), ServerKey: file("server-key.pem"), ServerStore: file("server.p12"), Password: "changeit",
		ClientCert: file("client.pem"), ClientKey: file("client-key.pem"),
	}
	issue := func(name, cert, key string, more ...string) {
		openssl(t, append([]string{
			"req", "-x509", "-config", config, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
			"-subj", "/CN=" + name, "-out", cert, "-keyout", key,
		}, more...)...)
	}
	authorityKey := file("ca-key.pem")
	issue("authority", c.Authority, authorityKey, "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
	signed := []string{"-CA", c.Authority, "-CAkey", authorityKey, "-addext", "basicConstraints=critical,CA:FALSE"}
	names := "subjectAltName=DNS:flume.example,IP:127.0.0.1"
	for _, address := range addresses {
		names += ",IP:" + address
	}
	issue("flume.example", c.ServerCert, c.ServerKey, append(signed, "-addext", names)...)
	issue("client.example", c.ClientCert, c.ClientKey, append(signed, "-addext", "subjectAltName=DNS:client.example")...)
	openssl(t, "pkcs12", "-export", "-name", "server", "-in", c.ServerCert, "-inkey", c.ServerKey, "-certfile", c.Authority,
		"-passout", "pass:"+c.Password, "-out", c.ServerStore)
	return c
}

func openssl(t testing.TB, args ...string) {
	t.Helper()
	if out, status := RunProgram(t, Program{Argv: append([]string{"openssl"}, args...)}); status != 0 {
		t.Fatalf("openssl %q ended with status %d:\n%s", args, status, out)
	}
}
