package bridgetest

import "github.com/tailwater/tailwater/bridge"

// Next is reader.Next for tests that wait on a channel. If there are no frames, it returns a channel that receives one value when Next is
// worth calling again; otherwise nil.
func Next(reader *bridge.Reader, batch [][]byte, maxBytes int) ([][]byte, <-chan struct{}) {
	signal := bridge.NewSignal()
	got := reader.Next(batch, maxBytes, signal)
	if len(got) > len(batch) {
		return got, nil
	}
	return got, signal
}
