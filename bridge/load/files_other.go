//go:build !unix

package load

import "time"

// raiseFiles does nothing: this system has no such limit.
func raiseFiles(wanted int) int { return wanted }

func isFileLimit(error) bool { return false }

func isPortLimit(error) bool { return false }

// ownCPU is unknown on this system.
func ownCPU() time.Duration { return 0 }
