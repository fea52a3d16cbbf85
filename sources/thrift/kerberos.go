package thrift

import "github.com/flume-go/flume/component"

// Kerberos is the properties by which clients say who they are.
type Kerberos struct {
	Enabled   bool   `flume:"kerberos" default:"false" doc:"Whether clients must say who they are by Kerberos. This version cannot do that, and refuses true."`
	Principal string `flume:"agent-principal" doc:"Kerberos principal of the agent. It has no effect in this version."`
	Keytab    string `flume:"agent-keytab" doc:"File with the keys of agent-principal. It has no effect in this version."`
}

// check refuses what this version does not have, and what cannot be meant.
func (k Kerberos) check(r *component.Report) {
	if k.Enabled {
		r.Error("kerberos", "this version has no Kerberos for Thrift",
			"set ssl = true with client-auth = require to know your clients, or put a Java agent in front")
		return
	}
	if (k.Principal == "") != (k.Keytab == "") {
		r.Error("agent-principal", "goes with agent-keytab", "give both, or none")
		return
	}
	if k.Principal != "" {
		r.Warn("agent-principal", "has no effect without kerberos = true", "remove it and agent-keytab")
	}
}
