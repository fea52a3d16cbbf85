package thrift

import (
	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/internal/gss"
	"github.com/flume-go/flume/internal/vfs"
)

// Kerberos is the properties by which the sink says who it is.
type Kerberos struct {
	Enabled         bool   `flume:"kerberos" default:"false" doc:"Whether to say who this agent is by Kerberos (SASL mechanism GSSAPI), and to want the same of the source. krb5.conf is that of KRB5_CONFIG or -Djava.security.krb5.conf, else /etc/krb5.conf."`
	ClientPrincipal string `flume:"client-principal" doc:"Kerberos principal of this agent. _HOST in it stands for this machine's canonical name."`
	ClientKeytab    string `flume:"client-keytab" doc:"File with the keys of client-principal. It is read again when it has changed."`
	ServerPrincipal string `flume:"server-principal" doc:"Kerberos principal of the source, service/host@REALM: its agent-principal. As in Flume, _HOST stands for the name of this machine, not of the source's."`
}

// check finds what cannot work. Files are warned of only: the check may run on another
// machine than the agent.
func (k Kerberos) check(r *component.Report) {
	keys := map[string]string{
		"client-principal": k.ClientPrincipal, "client-keytab": k.ClientKeytab, "server-principal": k.ServerPrincipal,
	}
	for _, key := range []string{"client-principal", "client-keytab", "server-principal"} {
		switch {
		case !k.Enabled && r.Given(key):
			r.Warn(key, "has no effect without kerberos = true", "remove it")
		case k.Enabled && keys[key] == "":
			r.Error(key, "is needed with kerberos = true", "give it, or set kerberos = false")
		}
	}
	if !k.Enabled || k.ClientPrincipal == "" || k.ClientKeytab == "" || k.ServerPrincipal == "" {
		return
	}
	good := true
	for _, key := range []string{"client-principal", "server-principal"} {
		if _, err := gss.ParsePrincipal(keys[key]); err != nil {
			r.Error(key, err.Error(), "write service/host@REALM")
			good = false
		}
	}
	server, err := gss.ParsePrincipal(k.ServerPrincipal)
	if err == nil && server.Host() == "" {
		r.Error("server-principal", "has no host", "write service/host@REALM")
		good = false
	}
	if good {
		if err := gss.Inspect(vfs.OS{}, k.ClientPrincipal, k.ClientKeytab); err != nil {
			r.Warn("client-keytab", err.Error(), "correct it where the agent runs")
		}
	}
}
