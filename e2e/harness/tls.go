package harness

import (
	"path/filepath"
	"strings"
	"testing"
)

// TLSStores are a server's key and what its clients need to trust it, as files, with one password for all.
type TLSStores struct {
	Keystore   string // JKS, with the server's key
	Truststore string // JKS, with its certificate
	PEM        string // the certificate alone
	Password   string
}

// NewTLSStores makes a key for 127.0.0.1 and localhost, with the JDK's keytool.
func NewTLSStores(t testing.TB) TLSStores {
	t.Helper()
	if _, err := cache(); err != nil { // which installs the tool
		t.Fatal(err)
	}
	dir := t.TempDir()
	s := TLSStores{
		Keystore: filepath.Join(dir, "server.jks"), Truststore: filepath.Join(dir, "trust.jks"),
		PEM: filepath.Join(dir, "server.pem"), Password: "changeit",
	}
	for _, args := range []string{
		"-genkeypair -alias server -keyalg RSA -keysize 2048 -validity 30 -dname CN=localhost " +
			"-ext san=dns:localhost,ip:127.0.0.1 -storetype JKS -keystore " + s.Keystore,
		"-exportcert -rfc -alias server -keystore " + s.Keystore + " -file " + s.PEM,
		"-importcert -noprompt -alias server -file " + s.PEM + " -storetype JKS -keystore " + s.Truststore,
	} {
		argv := append([]string{"keytool"}, strings.Fields(args)...)
		argv = append(argv, "-storepass", s.Password)
		p := start(t, command{name: "keytool", dir: dir, argv: argv})
		if status := p.Wait(t, startLimit); status != 0 {
			t.Fatalf("keytool ended with status %d:\n%s", status, p.Output())
		}
	}
	return s
}
