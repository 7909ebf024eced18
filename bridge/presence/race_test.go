//go:build race

package presence_test

// modelSeeds is how many models run. Under the race detector, more than some dozens of them in one process crash the detector itself
// (SIGSEGV in its stack depot, Go 1.26).
const modelSeeds = 8
