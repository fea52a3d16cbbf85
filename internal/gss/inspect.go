package gss

import (
	"fmt"

	"github.com/flume-go/flume/internal/vfs"
)

// Inspect checks, without asking anybody, that a principal can use a keytab: both
// the keytab and krb5.conf are there and readable, and the keytab has a key of the
// principal. The host of a principal with _HOST is not looked at, as it takes DNS.
func Inspect(fs vfs.FS, principal, keytab string) error {
	p, err := ParsePrincipal(principal)
	if err != nil {
		return err
	}
	k := keys{fs: fs, path: keytab}
	kt, _, err := k.get()
	if err != nil {
		return err
	}
	c, err := loadConfig(fs)
	if err != nil {
		return err
	}
	if p.HasHostPattern() {
		return nil
	}
	if p.Realm = realmOf(c, p); p.Realm == "" {
		return fmt.Errorf("principal %s has no realm, and default_realm is not set in %s; write %s@REALM", p, whereConfig(), p)
	}
	_, err = k.typesOf(kt, p)
	return err
}
