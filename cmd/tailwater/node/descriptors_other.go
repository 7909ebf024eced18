//go:build !unix

package node

import "math"

// Descriptors returns how many file descriptors this process may have; this system has no limit.
func Descriptors() int { return math.MaxInt32 }
