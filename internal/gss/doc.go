// Package gss is the GSS-API with Kerberos 5 (RFC 4121) as far as RPC needs it,
// over a library that talks to key distribution centers (KDCs), encrypts and
// encodes.
//
// A Login (login.go) is a principal with a keytab that gets tickets from a KDC, anew
// before they end. With a ticket an Initiator makes itself known to an Acceptor, which
// has the keys of its own principal and needs no KDC. Both end up with a Context
// that protects messages. Client and Server are the SASL mechanism GSSAPI
// (RFC 4752) over them.
//
// Only AES is spoken (encryption types 17 to 20): the older types protect messages
// in other ways, and nobody should use them.
//
// What comes from the network is bounded, is not believed before it is checked,
// and cannot end the process: see guarded.
package gss
