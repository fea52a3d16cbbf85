//go:build race || invariants

package channeltest

// memoryIsPoisoned says that batches are not recycled; see package event.
const memoryIsPoisoned = true
