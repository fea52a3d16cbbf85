package wal

import (
	"fmt"
	"slices"
	"sort"
)

// Range is the events numbered From up to, and not including, To.
type Range struct{ From, To uint64 }

// String returns the range as "from-last".
func (r Range) String() string { return fmt.Sprintf("%d-%d", r.From, r.To-1) }

// Len returns the number of events.
func (r Range) Len() uint64 { return r.To - r.From }

// rangeSet is a set of event numbers: sorted ranges that neither overlap nor touch.
type rangeSet []Range

// find returns the index of the first range that ends behind or at n.
func (s rangeSet) find(n uint64) int {
	return sort.Search(len(s), func(i int) bool { return s[i].To >= n })
}

// add adds r and returns how many numbers are new.
func (s *rangeSet) add(r Range) uint64 {
	if r.From >= r.To {
		return 0
	}
	added := r.Len() - s.count(r)
	i := s.find(r.From)
	j := i
	for j < len(*s) && (*s)[j].From <= r.To {
		r.From = min(r.From, (*s)[j].From)
		r.To = max(r.To, (*s)[j].To)
		j++
	}
	*s = slices.Replace(*s, i, j, r)
	return added
}

// remove takes r out of the set.
func (s *rangeSet) remove(r Range) {
	var left rangeSet
	for _, have := range *s {
		if have.To <= r.From || have.From >= r.To {
			left = append(left, have)
			continue
		}
		if have.From < r.From {
			left = append(left, Range{have.From, r.From})
		}
		if have.To > r.To {
			left = append(left, Range{r.To, have.To})
		}
	}
	*s = left
}

// count returns how many numbers of r are in the set.
func (s rangeSet) count(r Range) uint64 {
	var n uint64
	for i := s.find(r.From); i < len(s) && s[i].From < r.To; i++ {
		if from, to := max(s[i].From, r.From), min(s[i].To, r.To); from < to {
			n += to - from
		}
	}
	return n
}

// gap returns the first run of numbers of r that are not in the set; it is empty if all are.
func (s rangeSet) gap(r Range) Range {
	for i := s.find(r.From); i < len(s) && s[i].From < r.To; i++ {
		if s[i].From > r.From {
			return Range{r.From, s[i].From}
		}
		if r.From = max(r.From, s[i].To); r.From >= r.To {
			return Range{r.To, r.To}
		}
	}
	return r
}
