//go:build !linux

package load

// systemClient is the client for this system.
func systemClient(target *target, tallies []*tally) (client, error) {
	return newPlainClient(target, tallies)
}

func loops() int { return 1 }
