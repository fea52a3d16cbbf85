//go:build race || invariants

package sinktest

// memoryIsPoisoned says that batches are not recycled; see package event.
const memoryIsPoisoned = true
