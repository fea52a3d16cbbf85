//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/e2e/harness"
)

// The service of another realm, which the client's trusts.
const (
	otherRealm   = "OTHER.EXAMPLE"
	otherService = "flume/localhost@" + otherRealm
)

// TestKerberosRealms sends to a source of another realm, with Java Flume and ours on either side.
func TestKerberosRealms(t *testing.T) {
	t.Parallel()
	kdc := harness.NewKDC(t, otherRealm)
	kdc.Trust(harness.Realm, otherRealm)
	service, client := kdc.Keytab(otherService), kdc.Keytab(kerberosClient)
	for _, from := range kdc.SecureSystems() {
		for _, to := range kdc.Seen(otherRealm).SecureSystems() { // the default realm is the only one that Java logs in to
			t.Run(from.Name+"-"+to.Name, func(t *testing.T) {
				t.Parallel()
				site := harness.NewSite(t)
				to.Start(t, harness.Launch{Name: "a1", Conf: site.Expand(kerberosReceiver(plainWay(), otherService, service))})
				harness.Dial(t, site.Addr("compact")).Close()
				from.Start(t, harness.Launch{Name: "a1", Conf: site.Expand(kerberosSender(plainWay(), client, "server-principal = "+otherService))})
				harness.Converse(t, site.Addr("in-compact"), "one\ntwo\n")
				if diff := cmp.Diff("{} one\n{} two\n", kerberosStored(t, site, "compact", 2)); diff != "" {
					t.Errorf("(-sent +received):\n%s", diff)
				}
			})
		}
	}
}

// TestKerberosNoTrust has a source of a realm that the client's does not trust; the log says so, and what to do, and once
// that is done the events arrive.
func TestKerberosNoTrust(t *testing.T) {
	t.Parallel()
	kdc, site := harness.NewKDC(t, otherRealm), harness.NewSite(t)
	service, client := kdc.Keytab(otherService), kdc.Keytab(kerberosClient)
	ours := kdc.SecureSystems()[1] // the principals have their realms, so the default one does not matter
	ours.Start(t, harness.Launch{Name: "a1", Conf: site.Expand(kerberosReceiver(plainWay(), otherService, service))})
	harness.Dial(t, site.Addr("compact")).Close()
	sender := ours.Start(t, harness.Launch{Name: "a1", Conf: site.Expand(kerberosSender(plainWay(), client, "server-principal = "+otherService))})
	harness.Converse(t, site.Addr("in-compact"), "one\n")
	for _, text := range []string{"krbtgt/" + otherRealm + "@" + harness.Realm, "does not trust"} {
		harness.Eventually(t, 30*time.Second, fmt.Sprintf("the log to say %q", text), func() bool {
			return strings.Contains(sender.Output(), text)
		})
	}
	kdc.Trust(harness.Realm, otherRealm)
	if diff := cmp.Diff("{} one\n", kerberosStored(t, site, "compact", 1)); diff != "" {
		t.Errorf("(-sent +received):\n%s", diff)
	}
}
