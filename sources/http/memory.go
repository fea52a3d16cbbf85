package http

import "sync/atomic"

// budget is the memory that the requests of a source may take together.
type budget struct {
	limit int64
	used  atomic.Int64
}

// account is what one request takes of a budget. For one goroutine.
type account struct {
	budget *budget
	taken  int64
	fixed  int64 // of it, what need does not speak of
}

// hold takes n bytes until close.
func (a *account) hold(n int64) error {
	a.fixed += n
	return a.need(0)
}

// need makes the account have total bytes, besides those that are held. If they cannot be had it is refused:
// for good when the request wants more than there is, else for now.
func (a *account) need(total int64) error {
	total += a.fixed
	more := total - a.taken
	if more <= 0 {
		return nil
	}
	if total > a.budget.limit {
		return tooLarge("the request takes more memory than maxMemory allows")
	}
	if a.budget.used.Add(more) > a.budget.limit {
		a.budget.used.Add(-more)
		return busy("The requests under way take all the memory that maxMemory allows.")
	}
	a.taken = total
	return nil
}

// close gives everything back.
func (a *account) close() {
	a.budget.used.Add(-a.taken)
	a.taken, a.fixed = 0, 0
}
