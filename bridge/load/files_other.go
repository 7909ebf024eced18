//go:build !unix

package load

import "time"

// raiseFiles has nothing to raise: there is no such limit.
func raiseFiles(wanted int) int { return wanted }

func isFileLimit(error) bool { return false }

func isPortLimit(error) bool { return false }

// ownCPU is not known.
func ownCPU() time.Duration { return 0 }
