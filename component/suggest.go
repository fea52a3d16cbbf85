package component

import "strings"

// Nearest returns the candidate that a typo most likely meant, "" when none is
// near. Case, '-', '_' and '.' weigh little, since names differ in them by habit.
func Nearest(name string, candidates []string) string {
	best, bestScore := "", 1<<30
	n := fold(name)
	for _, c := range candidates {
		f := fold(c)
		if d := editDistance(n, f); d < bestScore && d <= max(1, min(len(n), len(f))/3) {
			best, bestScore = c, d
		}
		// A class of another package or a bare class name: the last part decides.
		if i := strings.LastIndexByte(c, '.'); i >= 0 && strings.Contains(c, "apache") {
			if d := editDistance(lastPart(name), fold(c[i+1:])); d <= 2 && d+1 < bestScore {
				best, bestScore = c, d+1
			}
		}
	}
	return best
}

func lastPart(name string) string { return fold(name[strings.LastIndexByte(name, '.')+1:]) }

func fold(s string) string {
	return strings.NewReplacer("-", "", "_", "", ".", "").Replace(strings.ToLower(s))
}

// editDistance is the optimal string alignment distance: insertions, deletions,
// substitutions and swaps of neighbours cost one each.
func editDistance(a, b string) int {
	if len(a) > 256 || len(b) > 256 {
		return 1 << 20
	}
	prev2, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(b)]
}
