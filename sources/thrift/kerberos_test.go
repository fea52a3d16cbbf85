package thrift

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-krb5/krb5/keytab"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/metrics"
)

// realm makes a krb5.conf that is in use until the test ends, and a keytab of flume/localhost.
func realm(t *testing.T) (keys string) {
	t.Helper()
	dir := t.TempDir()
	kt := keytab.New()
	if err := kt.AddEntry("flume/localhost", "TEST.EXAMPLE", "secret", time.Now(), 1, 18); err != nil {
		t.Fatal(err)
	}
	data, err := kt.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	keys = filepath.Join(dir, "keytab")
	for path, data := range map[string][]byte{keys: data, filepath.Join(dir, "krb5.conf"): []byte("[libdefaults]\n default_realm = TEST.EXAMPLE\n")} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("KRB5_CONFIG", filepath.Join(dir, "krb5.conf"))
	return keys
}

// TestKerberosCheck: what cannot work is found before the source starts, as far as this machine
// can tell.
func TestKerberosCheck(t *testing.T) {
	keys := realm(t)
	for _, c := range []struct {
		settings, want string
		failed         bool
	}{
		{"agent-principal = flume/localhost,agent-keytab = " + keys, "", false},
		{"agent-principal = flume/_HOST,agent-keytab = " + keys, "", false},
		{"", "needs agent-principal and agent-keytab", true},
		{"agent-principal = flume/localhost", "goes with agent-keytab", true},
		{"agent-principal = flume/,agent-keytab = " + keys, "empty part", true},
		{"agent-principal = flume,agent-keytab = " + keys, "has no host", true},
		{"agent-principal = flume/localhost,agent-keytab = " + keys + ".old", "no such file", false},
		{"agent-principal = flume/elsewhere,agent-keytab = " + keys, "only of flume/localhost@TEST.EXAMPLE", false},
	} {
		all := []string{"bind = 127.0.0.1", "port = 0", "kerberos = true"}
		if c.settings != "" {
			all = append(all, strings.Split(c.settings, ",")...)
		}
		d := decode(all...)
		if got := fmt.Sprint(d.Problems); d.Failed() != c.failed || !strings.Contains(got, c.want) || (c.want == "") != (got == "") {
			t.Errorf("%s: failed is %v: %s", c.settings, d.Failed(), got)
		}
	}
}

// TestKerberosRun: a source without its keys does not start, and says why; one with them
// has nothing to do with clients who do not say who they are.
func TestKerberosRun(t *testing.T) {
	keys := realm(t)
	settings := []string{"kerberos = true", "agent-principal = flume/localhost", "agent-keytab = " + keys}
	out := new(emitter)
	addr, set, log := begin(t, out, settings...)
	conn := dial(t, addr)
	io.WriteString(conn, "\x00\x00\x00\x18\x82\x21\x01\x06append\x1c\x1b\x01\x88\x01k\x01v\x18\x02hi\x00\x00")
	if answer, err := io.ReadAll(conn); len(answer) > 0 {
		t.Errorf("a client that does not say who it is is answered %q, %v", answer, err)
	}
	if !strings.Contains(log.String(), "seems not to use Kerberos") {
		t.Errorf("the log says\n%s", log)
	}
	if n := set.Counter("AppendReceivedCount").Value(); n != 0 {
		t.Errorf("%d calls are counted", n)
	}
	if err := os.Remove(keys); err != nil {
		t.Fatal(err)
	}
	made, err := component.New[flow.Source](decode(append(settings, "bind = 127.0.0.1", "port = 0")...), component.Env{
		Agent: "a1", Name: "r1", FS: vfs.OS{}, Metrics: metrics.NewSet(metrics.KindSource, "r1"), Log: slog.New(slog.DiscardHandler),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = made.Run(context.Background(), out)
	for _, text := range []string{keys, "agent-keytab", "no such file", "ktadd"} {
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("without its keys Run returned %v, which does not say %q", err, text)
		}
	}
}
