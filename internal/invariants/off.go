//go:build !race && !invariants

// Package invariants says whether a build checks invariants at the cost of
// speed: builds with the race detector do, and those with the tag "invariants".
// They overwrite released memory instead of recycling it, so that tests of
// allocation budgets have nothing to measure in them.
package invariants

// Enabled says whether this build checks invariants at the cost of speed.
const Enabled = false
