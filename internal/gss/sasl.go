package gss

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
)

// Protection is what is done to the messages behind the negotiation: SASL's quality
// of protection.
type Protection byte

// The protections, numbered as on the wire.
const (
	Auth            Protection = 1 // nothing: the ends know each other, no more
	Integrity       Protection = 2 // messages cannot be changed
	Confidentiality Protection = 4 // nor be read
)

// String returns SASL's name of the protection.
func (p Protection) String() string {
	switch p {
	case Auth:
		return "auth"
	case Integrity:
		return "auth-int"
	case Confidentiality:
		return "auth-conf"
	}
	return fmt.Sprintf("protection %d", byte(p))
}

// SASL is the name of the mechanism that Client and Server speak.
const SASL = "GSSAPI"

// mostBuffer is the most bytes of a protected message that this end takes, the
// default of Java's.
const mostBuffer = 65536

// ErrOrder says that a negotiation was used when it was over.
var ErrOrder = errors.New("the negotiation is over")

// Layer is what a negotiation has agreed upon. Not safe for concurrent use.
type Layer struct {
	context    *Context
	protection Protection
	most       int // bytes that the other end takes, once protected
}

// Context returns the context.
func (l *Layer) Context() *Context { return l.context }

// Protection returns what Wrap does.
func (l *Layer) Protection() Protection { return l.protection }

// Most returns the longest message that Wrap takes, 0 for no limit.
func (l *Layer) Most() int {
	if l.protection == Auth {
		return 0
	}
	return max(l.most-l.context.Overhead(l.protection == Confidentiality), 0)
}

// Wrap protects a message as agreed.
func (l *Layer) Wrap(message []byte) ([]byte, error) {
	if l.protection == Auth {
		return message, nil
	}
	if len(message) > l.Most() {
		return nil, fmt.Errorf("a message of %d bytes is too long, the other end takes %d", len(message), l.Most())
	}
	return l.context.Wrap(message, l.protection == Confidentiality)
}

// Unwrap returns the message that the other end has protected.
func (l *Layer) Unwrap(token []byte) ([]byte, error) {
	if l.protection == Auth {
		return token, nil
	}
	if len(token) > mostBuffer {
		return nil, defective("it has %d bytes, at most %d are allowed", len(token), mostBuffer)
	}
	message, seal, err := l.context.Unwrap(token)
	if err == nil && l.protection == Confidentiality && !seal {
		return nil, defective("it is not encrypted")
	}
	return message, err
}

// choice is four bytes: protections, and the most bytes in a message.
func choice(p Protection, most int) []byte {
	return binary.BigEndian.AppendUint32(nil, uint32(p)<<24|uint32(most))
}

func chosen(b []byte) (p Protection, most int) {
	v := binary.BigEndian.Uint32(b)
	return Protection(v >> 24), int(v & 0xFFFFFF)
}

// Client is the end of SASL's mechanism GSSAPI that begins. It is used once.
type Client struct {
	initiator *Initiator
	wishes    []Protection
	layer     Layer
	step      int
}

// NewClient returns a client that takes the first of these protections that the
// server offers.
func NewClient(t *Ticket, wishes ...Protection) *Client {
	return &Client{initiator: NewInitiator(t), wishes: wishes}
}

// Next takes what the server has sent, nothing at first, and returns what to send.
// done says that the client is content; the server has the last word.
func (c *Client) Next(in []byte) (out []byte, done bool, err error) {
	c.step++
	switch c.step {
	case 1:
		out, err = c.initiator.Token()
		return out, false, err
	case 2:
		c.layer.context, err = c.initiator.Finish(in)
		return []byte{}, false, err
	case 3:
		out, err = c.choose(in)
		return out, err == nil, err
	}
	return nil, false, ErrOrder
}

func (c *Client) choose(in []byte) ([]byte, error) {
	offer, _, err := c.layer.context.Unwrap(in)
	if err != nil {
		return nil, fmt.Errorf("reading what the server offers: %w", err)
	}
	if len(offer) != 4 {
		return nil, defective("the server's offer has %d bytes", len(offer))
	}
	offered, most := chosen(offer)
	i := slices.IndexFunc(c.wishes, func(p Protection) bool { return offered&p != 0 })
	if i < 0 {
		return nil, fmt.Errorf("the server offers none of %v", c.wishes)
	}
	c.layer.protection, c.layer.most = c.wishes[i], most
	own := mostBuffer
	if c.layer.protection == Auth {
		own = 0
	}
	// No name follows: the client acts as who it is.
	return c.layer.context.Wrap(choice(c.layer.protection, own), false)
}

// Layer returns what was agreed upon, once Next has said done.
func (c *Client) Layer() *Layer { return &c.layer }

// Server is the end of SASL's mechanism GSSAPI that answers. It is used once.
type Server struct {
	acceptor *Acceptor
	client   net.IP
	offer    Protection // several, added up
	layer    Layer
	step     int
}

// NewServer returns the server's end for a client at this address, which may choose
// from these protections.
func NewServer(a *Acceptor, client net.IP, offers ...Protection) *Server {
	s := &Server{acceptor: a, client: client}
	for _, p := range offers {
		s.offer |= p
	}
	return s
}

// Next takes what the client has sent and returns what to send. done says that the
// client has shown who it is.
func (s *Server) Next(in []byte) (out []byte, done bool, err error) {
	s.step++
	switch s.step {
	case 1:
		out, s.layer.context, err = s.acceptor.Accept(in, s.client)
		if err != nil || out != nil {
			return out, false, err
		}
		s.step++
		fallthrough
	case 2:
		if s.step == 2 && len(in) > 0 && s.layer.context.subkey {
			return nil, false, defective("the client sends %d bytes where it should wait", len(in))
		}
		most := mostBuffer
		if s.offer == Auth {
			most = 0
		}
		out, err = s.layer.context.Wrap(choice(s.offer, most), false)
		return out, false, err
	case 3:
		err = s.chosen(in)
		return nil, err == nil, err
	}
	return nil, false, ErrOrder
}

func (s *Server) chosen(in []byte) error {
	answer, _, err := s.layer.context.Unwrap(in)
	if err != nil {
		return fmt.Errorf("reading what the client chooses: %w", err)
	}
	if len(answer) < 4 {
		return defective("the client's choice has %d bytes", len(answer))
	}
	s.layer.protection, s.layer.most = chosen(answer)
	switch s.layer.protection {
	case Auth, Integrity, Confidentiality:
	default:
		return fmt.Errorf("the client chooses %v", s.layer.protection)
	}
	if s.layer.protection&s.offer == 0 {
		return fmt.Errorf("the client chooses %v, which was not offered", s.layer.protection)
	}
	peer := s.layer.context.Peer().String()
	if name := string(answer[4:]); name != "" && name != peer {
		return fmt.Errorf("%s wants to act as %.100q; a client acts as itself only", peer, name)
	}
	return nil
}

// Layer returns what was agreed upon, once Next has said done.
func (s *Server) Layer() *Layer { return &s.layer }
