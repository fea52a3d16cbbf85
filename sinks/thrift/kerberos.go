package thrift

import "github.com/flume-go/flume/component"

// Kerberos is the properties by which the sink says who it is.
type Kerberos struct {
	Enabled         bool   `flume:"kerberos" default:"false" doc:"Whether to say who this agent is by Kerberos. This version cannot do that, and refuses true."`
	ClientPrincipal string `flume:"client-principal" doc:"Kerberos principal of this agent. It has no effect in this version."`
	ClientKeytab    string `flume:"client-keytab" doc:"File with the keys of client-principal. It has no effect in this version."`
	ServerPrincipal string `flume:"server-principal" doc:"Kerberos principal of the source. It has no effect in this version."`
}

// check refuses what this version does not have.
func (k Kerberos) check(r *component.Report) {
	if k.Enabled {
		r.Error("kerberos", "this version has no Kerberos for Thrift", "use TLS (ssl = true), or put a Java agent in between")
		return
	}
	for _, key := range []string{"client-principal", "client-keytab", "server-principal"} {
		if r.Given(key) {
			r.Warn(key, "has no effect without kerberos = true", "remove it")
		}
	}
}
