package gss

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-krb5/krb5/asn1tools"
	"github.com/go-krb5/krb5/crypto"
	"github.com/go-krb5/krb5/iana/asn1apptag"
	"github.com/go-krb5/krb5/iana/etypeID"
	"github.com/go-krb5/krb5/iana/keyusage"
	"github.com/go-krb5/krb5/keytab"
	"github.com/go-krb5/krb5/messages"
	"github.com/go-krb5/krb5/types"
	"github.com/go-krb5/x/encoding/asn1"

	"github.com/flume-go/flume/internal/vfs"
)

const (
	testRealm   = "TEST.EXAMPLE"
	testService = "flume/host.test.example@" + testRealm
	testClient  = "sender@" + testRealm
)

// world is a realm without a KDC: its tickets are made by the tests.
type world struct {
	dir     string
	keytab  string
	service *keytab.Keytab
}

// newWorld writes krb5.conf and a keytab of the service.
func newWorld(t testing.TB, conf string) *world {
	t.Helper()
	w := &world{dir: t.TempDir(), service: keytab.New()}
	w.keytab = filepath.Join(w.dir, "service.keytab")
	w.addKeys(t, "secret", 1)
	write(t, filepath.Join(w.dir, "krb5.conf"), []byte("[libdefaults]\n default_realm = "+testRealm+"\n"+conf))
	t.Setenv(envConfig, filepath.Join(w.dir, "krb5.conf"))
	return w
}

// addKeys adds keys of the service and writes the keytab.
func (w *world) addKeys(t testing.TB, password string, version uint8) {
	t.Helper()
	p, err := ParsePrincipal(testService)
	if err != nil {
		t.Fatal(err)
	}
	for _, typ := range strong {
		if err := w.service.AddEntry(p.Name, p.Realm, password, time.Unix(int64(version), 0), version, typ); err != nil {
			t.Fatal(err)
		}
	}
	data, err := w.service.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	write(t, w.keytab, data)
}

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// terms are what a ticket says.
type terms struct {
	service      string // testService if empty
	keys         *keytab.Keytab
	version      int
	typ          int32 // AES-256 with SHA-1 if 0
	starts, ends time.Duration
}

// ticket makes one as a KDC does.
func (w *world) ticket(t testing.TB, x terms) *Ticket {
	t.Helper()
	if x.service == "" {
		x.service = testService
	}
	if x.keys == nil {
		x.keys = w.service
	}
	if x.typ == 0 {
		x.typ = etypeID.AES256_CTS_HMAC_SHA1_96
	}
	if x.ends == 0 {
		x.ends = time.Hour
	}
	client, _ := ParsePrincipal(testClient)
	service, _ := ParsePrincipal(x.service)
	now := time.Now().UTC()
	key := newKey(x.typ)
	plain, err := asn1.Marshal(messages.EncTicketPart{
		Flags: types.NewKrbFlags(), Key: key, CRealm: client.Realm, CName: client.encoded(),
		AuthTime: now.Add(x.starts), StartTime: now.Add(x.starts), EndTime: now.Add(x.ends), RenewTill: now.Add(x.ends),
	}, asn1.WithMarshalSlicePreserveTypes(true), asn1.WithMarshalSliceAllowStrings(true))
	if err != nil {
		t.Fatal(err)
	}
	serviceKey, version, err := x.keys.GetEncryptionKey(service.encoded(), service.Realm, x.version, x.typ)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := crypto.GetEncryptedData(asn1tools.AddASNAppTag(plain, asn1apptag.EncTicketPart), serviceKey, keyusage.KDC_REP_TICKET, version)
	if err != nil {
		t.Fatal(err)
	}
	tk := messages.Ticket{TktVNO: 5, Realm: service.Realm, SName: service.encoded(), EncPart: sealed}
	return &Ticket{client: client, service: service, ticket: tk, key: key, ends: now.Add(x.ends)}
}

func (w *world) acceptor(t testing.TB) *Acceptor {
	t.Helper()
	a, err := NewAcceptor(t.Context(), osFS, testService, w.keytab)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// contexts returns both ends of a new context.
func (w *world) contexts(t testing.TB, x terms) (initiator, acceptor *Context) {
	t.Helper()
	i := NewInitiator(w.ticket(t, x))
	token, err := i.Token()
	if err != nil {
		t.Fatal(err)
	}
	reply, acceptor, err := w.acceptor(t).Accept(token, nil)
	if err != nil {
		t.Fatal(err)
	}
	if initiator, err = i.Finish(reply); err != nil {
		t.Fatal(err)
	}
	return initiator, acceptor
}

// here is where clients are.
var here = net.IPv4(127, 0, 0, 1)

// osFS are the files of the tests.
var osFS = vfs.OS{}
