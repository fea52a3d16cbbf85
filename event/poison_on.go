//go:build race || invariants

package event

// poison makes released memory unusable; see the package comment.
const poison = true
