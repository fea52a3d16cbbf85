//go:build race || invariants

package netcat

// Batches are poisoned instead of reused in these builds.
const allocationBudget = 20
