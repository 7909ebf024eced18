package bridgetest

import "github.com/tailwater/tailwater/bridge"

// Next is reader.Next for tests that wait on a channel: where there are no frames it gives one from which a value can be
// received once, as soon as calling again is worth while; else nil.
func Next(reader *bridge.Reader, batch [][]byte, maxBytes int) ([][]byte, <-chan struct{}) {
	signal := bridge.NewSignal()
	got := reader.Next(batch, maxBytes, signal)
	if len(got) > len(batch) {
		return got, nil
	}
	return got, signal
}
