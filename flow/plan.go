package flow

// Plan is a selector's answer for one batch: for each of the source's channels
// the events it must get (required) and those it may get (optional). What an
// optional channel refuses is counted and forgotten; it never holds up the flow.
//
// Channels are named by their index in the source's list.
type Plan struct {
	required, optional []Share
}

// Share is the part of a batch that one channel gets: all of it, or the events
// of these indexes, in order.
type Share struct {
	All     bool
	Indexes []int
}

// Empty reports whether the channel gets nothing.
func (s *Share) Empty() bool { return !s.All && len(s.Indexes) == 0 }

// Reset makes the plan empty, for a source with this many channels. It keeps
// memory for reuse.
func (p *Plan) Reset(channels int) {
	p.required = resetShares(p.required, channels)
	p.optional = resetShares(p.optional, channels)
}

func resetShares(s []Share, n int) []Share {
	if cap(s) < n {
		return make([]Share, n)
	}
	s = s[:n]
	for i := range s {
		s[i].All, s[i].Indexes = false, s[i].Indexes[:0]
	}
	return s
}

// All gives the whole batch to a required channel.
func (p *Plan) All(channel int) { p.required[channel].All = true }

// Add gives one event to a required channel. Events are added in order.
func (p *Plan) Add(channel, event int) {
	p.required[channel].Indexes = append(p.required[channel].Indexes, event)
}

// AllOptional offers the whole batch to an optional channel.
func (p *Plan) AllOptional(channel int) { p.optional[channel].All = true }

// AddOptional offers one event to an optional channel. Events are added in order.
func (p *Plan) AddOptional(channel, event int) {
	p.optional[channel].Indexes = append(p.optional[channel].Indexes, event)
}

// Required returns what each channel must get, by channel index.
func (p *Plan) Required() []Share { return p.required }

// Optional returns what is offered to each channel, by channel index.
func (p *Plan) Optional() []Share { return p.optional }
