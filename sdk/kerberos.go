package sdk

import (
	"fmt"
	"log/slog"

	"github.com/flume-go/flume/internal/gss"
	"github.com/flume-go/flume/internal/rpc"
	"github.com/flume-go/flume/internal/vfs"
)

// Kerberos is how a client and thrift sources with kerberos = true show each other who
// they are. The calls are not encrypted: use TLS besides where others can read or change
// them. krb5.conf is the file that the variable KRB5_CONFIG names, else /etc/krb5.conf. New
// fails if it or the keytab cannot be used. KDCs are asked when a connection is made and
// no ticket lasts; that they do not answer is an error of the call that connects.
type Kerberos struct {
	// Principal is who the program is, name@REALM or name/host@REALM. _HOST in it
	// stands for this machine's canonical name; without a realm it has the default one.
	Principal string
	// Keytab is the file with the keys of Principal, of AES only. It is read again when
	// it has changed.
	Keytab string
	// Server is who the sources are: service/host@REALM, their agent-principal. A name
	// without host, such as flume@REALM, has the host of each of Hosts, which suits
	// strategies with several. _HOST in it stands, as with Apache Flume, for this
	// machine's name, and not for the source's.
	Server string
}

// check finds what cannot work.
func (k *Kerberos) check() error {
	for _, p := range []struct{ field, principal string }{{"Principal", k.Principal}, {"Server", k.Server}} {
		if _, err := gss.ParsePrincipal(p.principal); err != nil {
			return fmt.Errorf("Kerberos.%s: %w; write service/host@REALM", p.field, err)
		}
	}
	if err := gss.Inspect(vfs.OS{}, k.Principal, k.Keytab); err != nil {
		return fmt.Errorf("Kerberos.Keytab: %w", err)
	}
	return nil
}

// identity is what says who the client is. Logging is the program's: it may log by way
// of this very client.
func (k *Kerberos) identity() *rpc.Kerberos {
	return rpc.NewKerberos(vfs.OS{}, k.Principal, k.Keytab, k.Server, slog.New(slog.DiscardHandler))
}
