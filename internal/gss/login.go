package gss

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-krb5/krb5/client"
	"github.com/go-krb5/krb5/config"
	"github.com/go-krb5/krb5/iana/nametype"
	"github.com/go-krb5/krb5/keytab"
	"github.com/go-krb5/krb5/messages"
	"github.com/go-krb5/krb5/types"

	"github.com/flume-go/flume/internal/vfs"
)

// Login is a principal with a keytab that gets tickets from a KDC. It starts nothing
// in the background: tickets are renewed when they are asked for and four fifths of
// their time are over. Safe for concurrent use.
type Login struct {
	fs        vfs.FS
	principal string
	keys      keys
	log       *slog.Logger

	mu      sync.Mutex
	self    Principal // principal, resolved
	tgt     *Ticket
	tickets map[Principal]*Ticket
}

// NewLogin returns a login of principal, in which _HOST and the realm may be left
// open, with the keys in keytab. It does not read or ask anything yet.
func NewLogin(fs vfs.FS, principal, keytab string, log *slog.Logger) *Login {
	return &Login{fs: fs, principal: principal, keys: keys{fs: fs, path: keytab}, log: log, tickets: map[Principal]*Ticket{}}
}

// Ticket returns a ticket for a service, a new one if there is none that lasts. ctx
// limits how long KDCs are asked.
func (l *Login) Ticket(ctx context.Context, service string) (*Ticket, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	want, err := ParsePrincipal(service)
	if err != nil {
		return nil, err
	}
	if want, err = want.Resolve(ctx); err != nil {
		return nil, err
	}
	now := time.Now()
	if t := l.tickets[want]; t != nil && now.Before(t.ends) {
		return t, nil
	}
	self, conf, err := identify(ctx, l.fs, l.principal)
	if err != nil {
		return nil, err
	}
	l.self = self
	kt, fresh, err := l.keys.get()
	if err != nil {
		return nil, err
	}
	if l.tgt == nil || fresh || !now.Before(l.tgt.ends) {
		if err := l.login(ctx, conf, kt); err != nil {
			return nil, fmt.Errorf("getting a ticket for %s with keytab %s: %w", self, l.keys.path, err)
		}
	}
	t, err := l.ticket(ctx, conf, want)
	if err != nil {
		l.tgt = nil // the KDC may have begun anew
		return nil, fmt.Errorf("getting a ticket for %s as %s: %w", want, self, err)
	}
	l.tickets[want] = t
	return t, nil
}

// Forget drops the tickets for all services. It is for those that a service does not
// accept: its key may have changed.
func (l *Login) Forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.tickets)
}

// login gets the ticket by which others are got.
func (l *Login) login(ctx context.Context, conf *config.Config, kt *keytab.Keytab) error {
	usable, err := l.keys.typesOf(kt, l.self)
	if err != nil {
		return err
	}
	// What the keytab has no key for must not be asked for.
	conf.LibDefaults.DefaultTktEnctypeIDs = slices.DeleteFunc(slices.Clone(conf.LibDefaults.DefaultTktEnctypeIDs),
		func(t int32) bool { return !slices.Contains(usable, t) })
	if len(conf.LibDefaults.DefaultTktEnctypeIDs) == 0 {
		return fmt.Errorf("default_tkt_enctypes in %s has none of the types of the keys in the keytab; add one, or remove the line", whereConfig())
	}
	if !hasKDC(conf, l.self.Realm) {
		return noKDC(l.self.Realm)
	}
	l.tgt, l.tickets = nil, map[Principal]*Ticket{}
	return l.ask(ctx, conf, l.keys.own(kt, l.self), func(cl *client.Client) error {
		req, err := messages.NewASReqForTGT(l.self.Realm, conf, l.self.encoded())
		if err != nil {
			return err
		}
		reply, err := cl.ASExchange(l.self.Realm, req, 0)
		if err != nil {
			return explained(err)
		}
		l.tgt = l.made(reply.Ticket, reply.DecryptedEncPart)
		l.log.Info("logged in with Kerberos", "principal", l.self, "until", reply.DecryptedEncPart.EndTime)
		return nil
	})
}

// ticket gets one for a service, by way of the service's realm if it is another one.
func (l *Login) ticket(ctx context.Context, conf *config.Config, want Principal) (*Ticket, error) {
	var made *Ticket
	err := l.ask(ctx, conf, keytab.New(), func(cl *client.Client) error {
		tgt, realm := l.tgt, realmOf(conf, want)
		if realm != l.self.Realm {
			var err error
			if tgt, err = l.cross(cl, conf, realm); err != nil {
				return err
			}
		}
		_, reply, err := cl.TGSREQGenerateAndExchange(want.encoded(), realm, tgt.ticket, tgt.key, false)
		if err != nil {
			return explained(err)
		}
		made = l.made(reply.Ticket, reply.DecryptedEncPart)
		return nil
	})
	return made, err
}

// cross gets the ticket by which those of another realm are got. That realm must trust the login's own: there is no way
// by a third one.
func (l *Login) cross(cl *client.Client, conf *config.Config, realm string) (*Ticket, error) {
	if !hasKDC(conf, realm) {
		return nil, noKDC(realm)
	}
	way := types.PrincipalName{NameType: nametype.KRB_NT_SRV_INST, NameString: []string{"krbtgt", realm}}
	_, reply, err := cl.TGSREQGenerateAndExchange(way, l.self.Realm, l.tgt.ticket, l.tgt.key, false)
	switch {
	case err == nil:
	case strings.Contains(err.Error(), "KDC_ERR_S_PRINCIPAL_UNKNOWN"):
		return nil, fmt.Errorf("realm %s does not trust realm %s: give both KDCs a principal krbtgt/%[1]s@%[2]s with the same key (%s)",
			realm, l.self.Realm, whereConfig())
	default:
		return nil, explained(err)
	}
	return l.made(reply.Ticket, reply.DecryptedEncPart), nil
}

func (l *Login) made(t messages.Ticket, part messages.EncKDCRepPart) *Ticket {
	starts := part.StartTime
	if starts.IsZero() {
		starts = part.AuthTime
	}
	return &Ticket{
		client: l.self, service: principalOf(t.SName, t.Realm), ticket: t, key: part.Key,
		ends: part.EndTime.Add(-part.EndTime.Sub(starts) / 5),
	}
}

// ask lets do talk to KDCs until ctx ends. The library's client is made for one
// exchange only: one that lives on renews tickets in a goroutine of its own.
func (l *Login) ask(ctx context.Context, conf *config.Config, kt *keytab.Keytab, do func(*client.Client) error) (err error) {
	defer guarded(&err)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cl := client.NewWithKeytab(l.self.Name, l.self.Realm, kt, conf, client.DisablePAFXFAST(true), client.UseDialer(dialer(
		func(network, addr string) (net.Conn, error) {
			d := net.Dialer{Timeout: kdcLimit}
			d.SetMultipathTCP(false)
			conn, err := d.DialContext(ctx, network, addr)
			if err == nil {
				// The library sets deadlines of its own.
				context.AfterFunc(ctx, func() { conn.Close() })
			}
			return conn, err
		})))
	defer cl.Destroy()
	if err = do(cl); err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w (%w)", err, context.Cause(ctx))
	}
	return err
}

// kdcLimit is how long connecting to a KDC may take; then the next one is tried.
const kdcLimit = 5 * time.Second

// dialer is a function that is a client.Dialer.
type dialer func(network, addr string) (net.Conn, error)

// Dial calls d.
func (d dialer) Dial(network, addr string) (net.Conn, error) { return d(network, addr) }
