package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/flume-go/flume/internal/gss"
	"github.com/flume-go/flume/internal/vfs"
	wire "github.com/flume-go/flume/wire/thrift"
)

// Kerberos is how a client shows thrift sources who it is, and sees that they are who they
// should be. It fetches tickets when they are needed. Safe for concurrent use.
type Kerberos struct {
	login          *gss.Login
	client, server string
}

// NewKerberos returns the identity of a principal with a keytab. server is the principal
// of the source; without a host it gets the name that is connected to. Logins are logged.
func NewKerberos(fs vfs.FS, client, keytab, server string, log *slog.Logger) *Kerberos {
	return &Kerberos{login: gss.NewLogin(fs, client, keytab, log), client: client, server: server}
}

// Identify is done once on a connection to a host of this name, behind TLS and before the
// first call. It ends with ctx.
func (k *Kerberos) Identify(ctx context.Context, conn net.Conn, host string) error {
	server, err := service(k.server, host)
	if err != nil {
		return err
	}
	ticket, err := k.login.Ticket(ctx, server)
	if err != nil {
		return err
	}
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	stop := context.AfterFunc(ctx, func() {
		_ = conn.SetDeadline(longAgo) // fails on closed connections only
	})
	err = wire.Negotiate(conn, gss.SASL, gss.NewClient(ticket, gss.Auth))
	if !stop() && err == nil {
		return context.Cause(ctx) // its deadline has come, or is about to
	}
	var refused *wire.Refused
	if errors.As(err, &refused) {
		// The source may have got other keys since the ticket was made.
		k.login.Forget()
	}
	if err != nil {
		return fmt.Errorf("agreeing on Kerberos as %s with %s: %w", k.client, server, err)
	}
	return conn.SetDeadline(time.Time{})
}

// service returns a principal with a host: its own, or else the one given.
func service(principal, host string) (string, error) {
	p, err := gss.ParsePrincipal(principal)
	if err != nil || strings.Contains(p.Name, "/") {
		return principal, err
	}
	p.Name += "/" + strings.ToLower(host)
	return p.String(), nil
}
