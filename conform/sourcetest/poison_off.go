//go:build !race && !invariants

package sourcetest

// memoryIsPoisoned says that batches are not recycled; see package event.
const memoryIsPoisoned = false
