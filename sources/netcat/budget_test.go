//go:build !race && !invariants

package netcat

const allocationBudget = 0
