//go:build !unix

package node

import "math"

// Descriptors returns how many file descriptors this process may have: any number.
func Descriptors() int { return math.MaxInt32 }
