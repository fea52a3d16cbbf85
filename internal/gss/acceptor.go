package gss

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"github.com/go-krb5/krb5/config"
	"github.com/go-krb5/krb5/iana/chksumtype"
	"github.com/go-krb5/krb5/iana/flags"
	"github.com/go-krb5/krb5/messages"
	"github.com/go-krb5/krb5/types"

	"github.com/flume-go/flume/internal/vfs"
)

// Acceptor is the end of contexts that has the keys of a service. It asks no KDC.
// Safe for concurrent use.
type Acceptor struct {
	principal Principal
	keys      keys
	skew      time.Duration
	seen      replays
}

// NewAcceptor returns an acceptor for what principal says, with _HOST resolved and
// the default realm, and keytab, which is read again when it has changed. It
// fails if the keytab has no key of the principal.
func NewAcceptor(ctx context.Context, fs vfs.FS, principal, keytab string) (*Acceptor, error) {
	p, conf, err := identify(ctx, fs, principal)
	if err != nil {
		return nil, err
	}
	a := &Acceptor{principal: p, keys: keys{fs: fs, path: keytab}, skew: conf.LibDefaults.Clockskew}
	kt, _, err := a.keys.get()
	if err == nil {
		_, err = a.keys.typesOf(kt, p)
	}
	return a, err
}

// identify returns the full principal, and what krb5.conf says.
func identify(ctx context.Context, fs vfs.FS, principal string) (Principal, *config.Config, error) {
	p, err := ParsePrincipal(principal)
	if err != nil {
		return p, nil, err
	}
	if p, err = p.Resolve(ctx); err != nil {
		return p, nil, err
	}
	c, err := loadConfig(fs)
	if err != nil {
		return p, nil, err
	}
	if p.Realm = realmOf(c, p); p.Realm == "" {
		return p, nil, fmt.Errorf("principal %s has no realm, and default_realm is not set in %s; write %s@REALM", p, whereConfig(), p)
	}
	return p, c, nil
}

// Principal returns who accepts.
func (a *Acceptor) Principal() Principal { return a.principal }

// Accept checks an initiator's token. reply is what the initiator has to be sent, nil
// if it does not want to know who is at this end.
func (a *Acceptor) Accept(token []byte, client net.IP) (reply []byte, c *Context, err error) {
	defer guarded(&err)
	kind, data, err := disclose(token)
	if err != nil {
		return nil, nil, err
	}
	var req messages.APReq
	if kind != tokenRequest || req.Unmarshal(data) != nil {
		return nil, nil, defective("it is no request")
	}
	if err := a.openTicket(&req, client); err != nil {
		return nil, nil, err
	}
	if err := a.openAuthenticator(&req); err != nil {
		return nil, nil, err
	}
	return a.establish(&req)
}

// openTicket checks whose ticket it is, for whom and until when.
func (a *Acceptor) openTicket(req *messages.APReq, client net.IP) error {
	t := &req.Ticket
	if service := principalOf(t.SName, t.Realm); service != a.principal {
		return fmt.Errorf("the ticket is for %s, and this service is %s; correct the client's setting of the server's principal, or the principal here", service, a.principal)
	}
	kt, _, err := a.keys.get()
	if err != nil {
		return err
	}
	key, err := a.keys.key(kt, a.principal, t.EncPart.KVNO, t.EncPart.EType)
	if err != nil {
		return err
	}
	if err := checkCipher(key, t.EncPart.Cipher); err != nil {
		return err
	}
	if err := t.Decrypt(key); err != nil {
		return fmt.Errorf("the ticket is not encrypted with the key of %s in keytab %s: the KDC has another one; export the keytab again", a.principal, a.keys.path)
	}
	part, now := &t.DecryptedEncPart, time.Now()
	starts := part.StartTime
	if starts.IsZero() {
		starts = part.AuthTime
	}
	switch {
	case len(part.CName.NameString) == 0:
		return defective("the ticket is nobody's")
	case starts.Sub(now) > a.skew || types.IsFlagSet(&part.Flags, flags.Invalid):
		return fmt.Errorf("the ticket is not valid before %s; set the clocks", starts.UTC().Format(time.RFC3339))
	case now.Sub(part.EndTime) > a.skew:
		return fmt.Errorf("the ticket has expired at %s; the client must get a new one", part.EndTime.UTC().Format(time.RFC3339))
	case len(part.CAddr) > 0 && !types.HostAddressesContains(part.CAddr, types.HostAddressFromNetIP(client)):
		return fmt.Errorf("the ticket is not for clients at %s; set noaddresses = true in the client's krb5.conf", client)
	}
	return nil
}

// checkCipher finds what the library does not.
func checkCipher(key types.EncryptionKey, data []byte) error {
	e, err := cipherOf(key)
	if err == nil && len(data) < e.GetConfounderByteSize()+e.GetHMACBitLength()/8 {
		err = defective("%d bytes are too few to be encrypted ones", len(data))
	}
	return err
}

// openAuthenticator checks that the client holds the ticket now.
func (a *Acceptor) openAuthenticator(req *messages.APReq) error {
	part := &req.Ticket.DecryptedEncPart
	if err := checkCipher(part.Key, req.EncryptedAuthenticator.Cipher); err != nil {
		return err
	}
	if err := req.DecryptAuthenticator(part.Key); err != nil {
		return defective("the client does not have the key of its ticket")
	}
	auth := &req.Authenticator
	made := auth.CTime.Add(time.Duration(auth.Cusec) * time.Microsecond)
	off := time.Since(made)
	switch {
	case !auth.CName.Equal(part.CName) || auth.CRealm != part.CRealm:
		return defective("the ticket is another one's")
	case off > a.skew || off < -a.skew:
		return fmt.Errorf("the client's clock is %v off, at most %v is allowed; set the clocks of both (NTP)", off.Abs().Round(time.Second), a.skew)
	case auth.Cksum.CksumType != chksumtype.GSSAPI || len(auth.Cksum.Checksum) < bindingsSize:
		return defective("the request is none of the GSS-API")
	case a.seen.add(req.EncryptedAuthenticator.Cipher, 2*a.skew):
		return errors.New("the request was made before: somebody repeats what a client has sent")
	}
	return nil
}

func (a *Acceptor) establish(req *messages.APReq) (reply []byte, c *Context, err error) {
	part, auth := &req.Ticket.DecryptedEncPart, &req.Authenticator
	wants := binary.LittleEndian.Uint32(auth.Cksum.Checksum[bindingsSize-4:])
	key := part.Key
	if len(auth.SubKey.KeyValue) > 0 {
		key = auth.SubKey
	}
	if c, err = newContext(principalOf(part.CName, part.CRealm), key); err != nil {
		return nil, nil, err
	}
	c.acceptor, c.ordered = true, wants&(flagReplay|flagSequence) != 0
	c.received = uint64(uint32(auth.SeqNumber)) // some send it as a negative number
	c.sent = c.received                         // unless the reply says another number
	if wants&flagMutual == 0 {
		return nil, c, nil
	}
	// A key of this end, too: what is protected by it cannot be a repetition.
	c.key = newKey(c.key.KeyType)
	c.subkey, c.sent = true, uint64(rand.Uint32()>>2+1)
	data, err := marshalReply(part.Key, messages.EncAPRepPart{
		CTime: auth.CTime, Cusec: auth.Cusec, Subkey: c.key, SequenceNumber: int64(c.sent),
	})
	if err != nil {
		return nil, nil, fmt.Errorf("answering a request: %w", err)
	}
	return enclose(tokenReply, data), c, nil
}
