//go:build !race && !invariants

package event

// poison is off in ordinary builds: released memory is recycled at once.
const poison = false
