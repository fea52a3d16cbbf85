//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/e2e/harness"
	"github.com/flume-go/flume/sdk"
)

// TestKerberosSDK sends with the Go library, by the properties of Flume's secure client and by options, to Java Flume and
// to ours, with and without TLS. (Its krb5.conf is the process's, so no other test runs meanwhile.)
func TestKerberosSDK(t *testing.T) {
	kdc, listeners := harness.NewKDC(t), kerberosWays(t)
	t.Setenv("KRB5_CONFIG", kdc.Config)
	service, client := kdc.Keytab(kerberosService), kdc.Keytab(kerberosClient)
	for _, s := range kdc.SecureSystems() {
		t.Run(s.Name, func(t *testing.T) {
			site := harness.NewSite(t)
			s.Start(t, harness.Launch{Name: "a1", Conf: site.Expand(kerberosReceiver(listeners, kerberosService, service))})
			for _, l := range listeners {
				harness.Dial(t, site.Addr(l.name)).Close()
				address := fmt.Sprintf("localhost:%d", site.Port(l.name))
				props := slices.Concat([]string{"hosts=h1", "hosts.h1=" + address, "batch-size=2", "kerberos=true",
					"client-principal=" + kerberosClient, "client-keytab=" + client, "server-principal=" + kerberosService}, l.client)
				o, warnings, err := sdk.Parse(sdkProperties(props...))
				if err != nil || len(warnings) > 0 {
					t.Fatalf("%s: %v, warnings %q", l.name, err, warnings)
				}
				sendSecurely(t, o, "one", "zwei €", "")
				o.Hosts, o.Strategy = []string{"localhost:1", address}, sdk.Failover
				o.Kerberos.Server = "flume@" + harness.Realm // whose host is that of the address
				sendSecurely(t, o, "single")
				if diff := cmp.Diff("{} \n{} one\n{} single\n{} zwei €\n", kerberosStored(t, site, l.name, 4)); diff != "" {
					t.Errorf("%s (-sent +received):\n%s", l.name, diff)
				}
			}
		})
	}
}

// TestKerberosSDKRefused has a client without Kerberos, one that wants another source, and one whom the KDC does not
// know, all of which must fail.
func TestKerberosSDKRefused(t *testing.T) {
	kdc, site := harness.NewKDC(t), harness.NewSite(t)
	t.Setenv("KRB5_CONFIG", kdc.Config)
	service, client, gone := kdc.Keytab(kerberosService), kdc.Keytab(kerberosClient), kdc.Keytab("gone")
	kdc.Keytab("other/localhost")
	kdc.Admin("delprinc -force gone")
	ours := kdc.SecureSystems()[1]
	ours.Start(t, harness.Launch{Name: "a1", Conf: site.Expand(kerberosReceiver(plainWay(), kerberosService, service))})
	harness.Dial(t, site.Addr("compact")).Close()
	for name, k := range map[string]*sdk.Kerberos{
		"nobody":         nil,
		"another source": {Principal: kerberosClient, Keytab: client, Server: "other@" + harness.Realm},
		"unknown client": {Principal: "gone", Keytab: gone, Server: kerberosService},
	} {
		c, err := sdk.New(t.Context(), sdk.Options{
			Hosts: []string{fmt.Sprintf("localhost:%d", site.Port("compact"))}, Protocol: sdk.Thrift, Kerberos: k,
		})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		err = c.Append(t.Context(), sdk.Event{Body: []byte(name)})
		if err == nil {
			t.Errorf("%s: the event is acknowledged", name)
		}
		t.Logf("%s: %v", name, err)
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if got := harness.ReadFiles(t, site.Dir("compact")); got != "" {
		t.Errorf("the source has stored %q", got)
	}
}

// sendSecurely sends bodies as one batch.
func sendSecurely(t *testing.T, o sdk.Options, bodies ...string) {
	t.Helper()
	c, err := sdk.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	var events []sdk.Event
	for _, body := range bodies {
		events = append(events, sdk.Event{Body: []byte(body)})
	}
	if err := errors.Join(c.AppendBatch(t.Context(), events), c.Close()); err != nil {
		t.Fatal(err)
	}
}
