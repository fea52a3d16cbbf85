package avro

// aheadKey stands in the metadata of a handshake and of calls. Apache Flume ignores it.
//
// In a client's handshake it asks whether the server keeps the order of calls that are
// sent ahead, and in the server's answer it says so: a call that has the key was sent
// before the client knew that the one in front was answered with OK; if it was not, the
// server answers this one with FAILED and stores nothing of it. So a client can have
// several calls under way and sends again, in their order, all behind one that was not
// taken. Without the key in the server's answer a client that needs the order waits for
// each answer.
const aheadKey = "flume-go.ahead"

// appendHandshakeMeta appends the metadata of a handshake, which in an answer is there
// only if the client has asked.
func appendHandshakeMeta(out []byte, ahead bool) []byte {
	if !ahead {
		return append(out, 0) // null
	}
	return appendMeta(append(out, 2), Meta{{Key: aheadKey}})
}

// isAhead reports whether a call, or a handshake, has the key.
func (m Meta) isAhead() bool {
	_, ok := m.Get(aheadKey)
	return ok
}

// Ahead returns m with the word that the call is sent before the client knows that the
// one in front was answered with OK. See Client.Orders.
func (m Meta) Ahead() Meta { return append(m, MetaEntry{Key: aheadKey}) }

// Orders reports whether the server keeps the order of calls that are sent ahead: one
// whose metadata is Ahead is not stored if the one in front was not.
func (c *Client) Orders() bool { return c.orders }
