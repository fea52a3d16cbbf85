package scenario

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/flume-go/flume/bench/proc"
)

// Peers adds the other agents that are installed on this machine to the
// programs of a tcp-lines scenario, and returns the names of those found. They
// run from our directory with our configuration, beside and without touching a
// service of the same name.
// Other scenarios are returned as they are.
func Peers(sc Scenario) (Scenario, []string) {
	if !strings.HasPrefix(sc.Name, "tcp-lines") {
		return sc, nil
	}
	var found []string
	for _, peer := range []struct {
		name, executable string
		program          func(path string) Program
	}{
		{"rsyslog", "rsyslogd", rsyslog},
		{"syslog-ng", "syslog-ng", syslogNG},
	} {
		if path, ok := lookUp(peer.executable); ok {
			sc.Programs = append(sc.Programs[:len(sc.Programs):len(sc.Programs)], peer.program(path))
			found = append(found, peer.name)
		}
	}
	return sc, found
}

// lookUp searches PATH, and where daemons are kept that PATH leaves out for
// ordinary users.
func lookUp(executable string) (string, bool) {
	if path, err := exec.LookPath(executable); err == nil {
		return path, true
	}
	for _, dir := range []string{"/usr/local/sbin", "/usr/sbin", "/sbin"} {
		path := filepath.Join(dir, executable)
		if info, err := os.Stat(path); err == nil && info.Mode()&0o111 != 0 {
			return path, true
		}
	}
	return "", false
}

// rsyslog writes the raw message: parsing a header that is not there would be
// work that nobody else is asked for. Octet counting is off because it would
// take the number that each line begins with for a length. Its queue holds as
// many messages as the agent's channel, and blocks when it is full.
func rsyslog(path string) Program {
	return Program{Name: "rsyslog", Spec: func(r *Run) (proc.Spec, error) {
		conf, err := r.WriteConfig("rsyslog.conf", fmt.Sprintf(`global(workDirectory="%s" maxMessageSize="64k" parser.escapeControlCharactersOnReceive="off")
module(load="imptcp" threads="2")
template(name="raw" type="string" string="%%rawmsg%%\n")
input(type="imptcp" address="127.0.0.1" port="%d" ruleset="lines" supportOctetCountedFraming="off")
ruleset(name="lines" queue.type="FixedArray" queue.size="100000" queue.dequeueBatchSize="10000" queue.timeoutEnqueue="600000") {
  action(type="omfile" file="%s" template="raw" ioBufferSize="256k" asyncWriting="off" flushOnTXEnd="on")
}
`, r.Dir, r.Port, filepath.Join(r.Out(), "rsyslog")))
		if err != nil {
			return proc.Spec{}, err
		}
		return proc.Spec{Path: path, Args: []string{"-n", "-iNONE", "-f", conf}}, nil
	}}
}

// syslogNG passes messages unparsed too, with flow control so that none is
// dropped.
func syslogNG(path string) Program {
	return Program{Name: "syslog-ng", Spec: func(r *Run) (proc.Spec, error) {
		conf, err := r.WriteConfig("syslog-ng.conf", fmt.Sprintf(`@version: 3.38
options { stats-freq(0); mark-freq(0); };
source s {
  network(ip("127.0.0.1") port(%d) transport("tcp") flags(no-parse) max-connections(1000)
    log-msg-size(65536) log-fetch-limit(1000) log-iw-size(1000000));
};
destination d { file("%s" template("$MSG\n") flush-lines(1000) log-fifo-size(1200000)); };
log { source(s); destination(d); flags(flow-control); };
`, r.Port, filepath.Join(r.Out(), "syslog-ng")))
		if err != nil {
			return proc.Spec{}, err
		}
		return proc.Spec{Path: path, Args: []string{
			"--foreground", "--no-caps", "--worker-threads=2", "--cfgfile=" + conf,
			"--persist-file=" + filepath.Join(r.Dir, "persist"),
			"--pidfile=" + filepath.Join(r.Dir, "pid"),
			"--control=" + filepath.Join(r.Dir, "control"),
		}}, nil
	}}
}
