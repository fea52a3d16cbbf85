package gss

import (
	"encoding/asn1"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/go-krb5/krb5/iana/chksumtype"
	"github.com/go-krb5/krb5/iana/flags"
	"github.com/go-krb5/krb5/iana/keyusage"
	"github.com/go-krb5/krb5/messages"
	"github.com/go-krb5/krb5/types"
)

// Ticket proves to one service who its holder is. Safe for concurrent use.
type Ticket struct {
	client, service Principal
	ticket          messages.Ticket
	key             types.EncryptionKey
	ends            time.Time
}

// Initiator is the end of a context that has a ticket. It is used for one context.
type Initiator struct {
	ticket  *Ticket
	request types.Authenticator
}

// NewInitiator returns one that wants to know who is at the other end, too.
func NewInitiator(t *Ticket) *Initiator { return &Initiator{ticket: t} }

// Token returns what the acceptor needs.
func (i *Initiator) Token() ([]byte, error) {
	token, err := i.token()
	if err != nil {
		return nil, fmt.Errorf("making a request for %s: %w", i.ticket.service, err)
	}
	return token, nil
}

func (i *Initiator) token() ([]byte, error) {
	t := i.ticket
	if _, err := cipherOf(t.key); err != nil {
		return nil, err
	}
	var err error
	if i.request, err = types.NewAuthenticator(t.client.Realm, t.client.encoded()); err != nil {
		return nil, err
	}
	i.request.SubKey = newKey(t.key.KeyType)
	i.request.Cksum = types.Checksum{
		CksumType: chksumtype.GSSAPI,
		Checksum:  bindings(flagMutual | flagReplay | flagSequence | flagSeal | flagIntegrity),
	}
	req, err := messages.NewAPReq(t.ticket, t.key, i.request)
	if err != nil {
		return nil, err
	}
	types.SetFlag(&req.APOptions, flags.APOptionMutualRequired)
	data, err := req.Marshal()
	if err != nil {
		return nil, err
	}
	return enclose(tokenRequest, data), nil
}

// bindings returns the checksum that is none: it carries the flags (RFC 4121, 4.1.1).
func bindings(flags uint32) []byte {
	out := make([]byte, bindingsSize)
	binary.LittleEndian.PutUint32(out, bindingsSize-8)
	binary.LittleEndian.PutUint32(out[bindingsSize-4:], flags)
	return out
}

const bindingsSize = 24

// Finish takes the acceptor's answer, which must show that it has the service's key.
func (i *Initiator) Finish(token []byte) (*Context, error) {
	c, err := i.finish(token)
	if err != nil {
		return nil, fmt.Errorf("checking the answer of %s: %w", i.ticket.service, err)
	}
	return c, nil
}

func (i *Initiator) finish(token []byte) (c *Context, err error) {
	defer guarded(&err)
	kind, data, err := disclose(token)
	if err != nil {
		return nil, err
	}
	switch kind {
	case tokenReply:
	case tokenError:
		var refusal messages.KRBError
		if err := refusal.Unmarshal(data); err != nil {
			return nil, defective("it is no answer")
		}
		return nil, explained(refusal)
	default:
		return nil, defective("it is no answer")
	}
	var reply messages.APRep
	if err := reply.Unmarshal(data); err != nil {
		return nil, defective("it is no answer")
	}
	plain, err := decrypt(i.ticket.key, keyusage.AP_REP_ENCPART, reply.EncPart.Cipher)
	if err != nil {
		return nil, fmt.Errorf("the other end does not have the key of %s: %w", i.ticket.service, err)
	}
	var part messages.EncAPRepPart
	if err := part.Unmarshal(plain); err != nil {
		return nil, defective("its content is damaged")
	}
	if part.CTime.Unix() != i.request.CTime.Unix() || part.Cusec != i.request.Cusec {
		return nil, defective("it answers another request")
	}
	key, subkey := i.request.SubKey, false
	if len(part.Subkey.KeyValue) > 0 {
		key, subkey = part.Subkey, true
	}
	if c, err = newContext(i.ticket.service, key); err != nil {
		return nil, err
	}
	c.subkey, c.ordered = subkey, true
	c.sent, c.received = uint64(i.request.SeqNumber), uint64(uint32(part.SequenceNumber))
	return c, nil
}

// Numbers of the parts of an answer in ASN.1 (RFC 4120, 5.5.2).
const (
	replyTag     = "application,explicit,tag:15"
	replyPartTag = "application,explicit,tag:27"
)

// marshalReply encodes an answer, which the library only decodes.
func marshalReply(key types.EncryptionKey, part messages.EncAPRepPart) ([]byte, error) {
	plain, err := asn1.MarshalWithParams(part, replyPartTag)
	if err != nil {
		return nil, err
	}
	cipher, err := cipherOf(key)
	if err != nil {
		return nil, err
	}
	_, data, err := cipher.EncryptMessage(key.KeyValue, plain, keyusage.AP_REP_ENCPART)
	if err != nil {
		return nil, err
	}
	return asn1.MarshalWithParams(messages.APRep{
		PVNO: 5, MsgType: 15, EncPart: types.EncryptedData{EType: key.KeyType, Cipher: data},
	}, replyTag)
}
