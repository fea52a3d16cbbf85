package thrift

import (
	"context"
	"fmt"
	"net"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/internal/gss"
	"github.com/flume-go/flume/internal/vfs"
	wire "github.com/flume-go/flume/wire/thrift"
)

// Kerberos is the properties by which clients say who they are.
type Kerberos struct {
	Enabled   bool   `flume:"kerberos" default:"false" doc:"Whether clients must say who they are by Kerberos (SASL mechanism GSSAPI). krb5.conf is that of KRB5_CONFIG or -Djava.security.krb5.conf, else /etc/krb5.conf."`
	Principal string `flume:"agent-principal" doc:"Kerberos principal of the source, service/host@REALM, to which clients get tickets. _HOST stands for this machine's canonical name; without a realm it is that of the host, else default_realm of krb5.conf."`
	Keytab    string `flume:"agent-keytab" doc:"File with the keys of agent-principal. It is read again when it has changed."`
}

// check finds what cannot work. Files are warned of only: the check may run on another
// machine than the agent.
func (k Kerberos) check(r *component.Report) {
	if (k.Principal == "") != (k.Keytab == "") {
		r.Error("agent-principal", "goes with agent-keytab", "give both, or none")
		return
	}
	switch {
	case !k.Enabled && k.Principal != "":
		r.Warn("agent-principal", "has no effect without kerberos = true", "remove it and agent-keytab")
	case k.Enabled && k.Principal == "":
		r.Error("kerberos", "needs agent-principal and agent-keytab", "give both, or set kerberos = false")
	case k.Enabled:
		p, err := gss.ParsePrincipal(k.Principal)
		switch {
		case err != nil:
			r.Error("agent-principal", err.Error(), "write service/host@REALM")
		case p.Host() == "":
			r.Error("agent-principal", "has no host", "write service/host@REALM; the host may be _HOST")
		default:
			if err := gss.Inspect(vfs.OS{}, k.Principal, k.Keytab); err != nil {
				r.Warn("agent-keytab", err.Error(), "correct it where the agent runs")
			}
		}
	}
}

// sasl returns what clients must do to show who they are, nil if nothing.
func (s *source) sasl(ctx context.Context) (*wire.SASL, error) {
	k := s.cfg.Kerberos
	if !k.Enabled {
		return nil, nil
	}
	acceptor, err := gss.NewAcceptor(ctx, s.env.FS, k.Principal, k.Keytab)
	if err != nil {
		return nil, fmt.Errorf("preparing Kerberos (properties agent-principal and agent-keytab): %w", err)
	}
	s.env.Log.Info("clients must say who they are by Kerberos", "principal", acceptor.Principal())
	return &wire.SASL{
		Mechanism: gss.SASL,
		Begin: func(client net.Addr) wire.Negotiation {
			var ip net.IP
			if tcp, ok := client.(*net.TCPAddr); ok {
				ip = tcp.IP
			}
			// As Flume's: what must not be read or changed is sent with TLS.
			return gss.NewServer(acceptor, ip, gss.Auth)
		},
	}, nil
}
