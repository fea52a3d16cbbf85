package harness

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Realm is the one that a KDC serves, and the default one of its clients.
const Realm = "TEST.EXAMPLE"

// KDC is a key distribution center of MIT Kerberos on a loopback port, with a database of
// its own for each realm. Its methods that take a test end that test when they fail.
type KDC struct {
	Config string // path of the krb5.conf for its clients
	Addr   string // host:port

	t       testing.TB
	realms  []string
	dir     string
	env     []string
	process *Process
}

// NewKDC makes the database and starts the KDC, until the test ends. It can serve more realms; the last one is that of
// services on this machine.
func NewKDC(t testing.TB, more ...string) *KDC {
	t.Helper()
	dir := t.TempDir()
	k := &KDC{t: t, realms: append([]string{Realm}, more...), dir: dir, Config: filepath.Join(dir, "krb5.conf"), Addr: fmt.Sprintf("127.0.0.1:%d", FreePort(t))}
	k.env = []string{"KRB5_CONFIG=" + k.Config, "KRB5_KDC_PROFILE=" + filepath.Join(dir, "kdc.conf")}
	k.writeConfig(Realm)
	WriteFile(t, filepath.Join(dir, "kdc.conf"), fmt.Sprintf(`[kdcdefaults]
 kdc_listen = ""
 kdc_tcp_listen = %s
[realms]
%s`, k.Addr, k.perRealm(` %[1]s = {
  database_name = %[3]s/principal.%[1]s
  key_stash_file = %[3]s/stash.%[1]s
  acl_file = %[3]s/acl
  max_life = 10h
  supported_enctypes = aes256-cts:normal aes128-cts:normal
 }
`)))
	for _, realm := range k.realms {
		k.run(Tool(t, "kdb5_util"), "create", "-s", "-r", realm, "-P", "not a secret")
	}
	k.Start()
	return k
}

// writeConfig writes krb5.conf for clients with this default realm.
func (k *KDC) writeConfig(realm string) {
	WriteFile(k.t, k.Config, fmt.Sprintf(`[libdefaults]
 default_realm = %[1]s
 dns_lookup_kdc = false
 dns_lookup_realm = false
 dns_canonicalize_hostname = false
 rdns = false
 udp_preference_limit = 1
 kdc_timesync = 0
[domain_realm]
 localhost = %[2]s
[realms]
%[3]s`, realm, k.realms[len(k.realms)-1], k.perRealm(" %[1]s = {\n  kdc = %[2]s\n }\n")))
}

// Seen returns the KDC as clients see it whose default realm is another one than Realm.
func (k *KDC) Seen(realm string) *KDC {
	seen := *k
	seen.Config = filepath.Join(k.dir, realm+".conf")
	seen.env = append([]string{"KRB5_CONFIG=" + seen.Config}, k.env[1:]...)
	seen.writeConfig(realm)
	return &seen
}

// perRealm fills in a part of a configuration for each realm: the realm, the address and the folder.
func (k *KDC) perRealm(part string) string {
	var all strings.Builder
	for _, realm := range k.realms {
		fmt.Fprintf(&all, part, realm, k.Addr, k.dir)
	}
	return all.String()
}

// Trust lets principals of one realm get tickets for services of another one: both have a key in common.
func (k *KDC) Trust(client, service string) {
	k.t.Helper()
	for _, realm := range []string{client, service} {
		k.admin(realm, fmt.Sprintf("addprinc -pw shared-secret krbtgt/%s@%s", service, client))
	}
}

// Env returns the variable by which clients find the KDC.
func (k *KDC) Env() []string { return k.env[:1] }

// OffClock returns the variables by which a program in C takes the time for another one, by
// an offset such as +20m. The program faketime would do the same, but stay in between.
func OffClock(offset string) []string {
	// The loader knows where the libraries of this machine are.
	return []string{"FAKETIME=" + offset, "LD_PRELOAD=/usr/$LIB/faketime/libfaketime.so.1"}
}

// Start starts the KDC, with more variables if any are given, and waits until it answers.
func (k *KDC) Start(env ...string) {
	k.t.Helper()
	argv := []string{Tool(k.t, "krb5kdc"), "-n"}
	for _, realm := range k.realms {
		argv = append(argv, "-r", realm)
	}
	k.process = start(k.t, command{name: "krb5kdc", dir: k.dir, env: slices.Concat(k.env, env), argv: argv})
	Eventually(k.t, startLimit, "the KDC to listen", func() bool {
		if k.process.Exited() {
			k.t.Fatalf("krb5kdc has ended:\n%s", k.process.Output())
		}
		conn, err := net.Dial("tcp", k.Addr)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

// Stop stops the KDC; Start starts it again.
func (k *KDC) Stop() {
	k.t.Helper()
	k.process.Stop(k.t)
}

// Keytab adds principals with random keys, or gives new keys to those that there are, and
// returns the path of a keytab with them.
func (k *KDC) Keytab(principals ...string) string {
	k.t.Helper()
	path := filepath.Join(k.t.TempDir(), "keytab")
	for _, p := range principals {
		realm := Realm
		if _, named, ok := strings.Cut(p, "@"); ok {
			realm = named
		}
		k.admin(realm, "addprinc -randkey +requires_preauth "+p)
		k.admin(realm, "ktadd -k "+path+" "+p)
	}
	return path
}

// Admin carries out a command of kadmin on the database of Realm.
func (k *KDC) Admin(query string) {
	k.t.Helper()
	k.admin(Realm, query)
}

func (k *KDC) admin(realm, query string) {
	k.t.Helper()
	k.run(Tool(k.t, "kadmin.local"), "-r", realm, "-q", query)
}

// Run runs a program to its end in the KDC's environment with more variables, and returns
// what it printed and its status.
func (k *KDC) Run(env []string, argv ...string) (string, int) {
	k.t.Helper()
	p := start(k.t, command{name: filepath.Base(argv[0]), dir: k.dir, env: slices.Concat(k.Env(), env), argv: argv})
	status := p.Wait(k.t, startLimit)
	return p.Output(), status
}

func (k *KDC) run(argv ...string) {
	k.t.Helper()
	p := start(k.t, command{name: filepath.Base(argv[0]), dir: k.dir, env: k.env, argv: argv})
	if status := p.Wait(k.t, startLimit); status != 0 {
		k.t.Fatalf("%q ended with status %d:\n%s", argv, status, p.Output())
	}
}

// SecureSystems are Java Flume and ours as clients of the KDC: Java with the libraries
// that it logs in with.
func (k *KDC) SecureSystems() []System {
	return []System{
		{Name: "java", Start: k.startJavaFlume},
		{Name: "flume", Start: func(t testing.TB, l Launch) *Process {
			// The way of Java's command line works for ours, too.
			l.Args = append(l.Args, "-Djava.security.krb5.conf="+k.Config)
			return StartFlume(t, l)
		}},
	}
}

// startJavaFlume is StartJavaFlume for clients of the KDC.
func (k *KDC) startJavaFlume(t testing.TB, l Launch) *Process {
	t.Helper()
	conf := t.TempDir()
	WriteFile(t, filepath.Join(conf, "log4j2.xml"), logging)
	return startJava(t, "java flume "+l.Name, "flume", launch{
		classPath: append([]string{conf}, k.jars(t)...), vm: k.java(), main: "org.apache.flume.node.Application",
		args: append(l.prepare(t, conf), l.Args...), env: l.Env,
	})
}

// RunJavaClient is harness.RunJavaClient for clients of the KDC, of which the status is returned, too.
func (k *KDC) RunJavaClient(t testing.TB, main, text string, args ...string) (string, int) {
	t.Helper()
	p := startJava(t, "java "+main, "flume", launch{vm: k.java(), main: main, args: args, stdin: text, classPath: k.jars(t)})
	status := p.Wait(t, startLimit)
	return p.Output(), status
}

// java returns options of a virtual machine that asks the KDC. Hadoop looks into the JDK.
func (k *KDC) java() []string {
	return []string{
		"-Djava.security.krb5.conf=" + k.Config,
		"--add-opens=java.security.jgss/sun.security.krb5=ALL-UNNAMED",
	}
}

// jars returns the libraries that Flume logs in with.
func (k *KDC) jars(t testing.TB) []string {
	t.Helper()
	dir, err := cache()
	if err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(dir, "hadoop", "hadoop-*.jar"))
	if err != nil || len(found) == 0 {
		t.Fatalf("no Hadoop jars in %s (%v): run e2e/setup.sh", dir, err)
	}
	return []string{strings.Join(found, string(os.PathListSeparator))}
}
