package vfs

import "errors"

// IsNoSpace reports whether err says that the volume, or the user's share of it, is full:
// a condition that passes by itself when somebody makes room.
func IsNoSpace(err error) bool {
	for _, full := range noSpaceErrors {
		if errors.Is(err, full) {
			return true
		}
	}
	return false
}
