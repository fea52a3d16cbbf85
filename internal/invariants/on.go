//go:build race || invariants

package invariants

// Enabled says whether this build checks invariants at the cost of speed.
const Enabled = true
