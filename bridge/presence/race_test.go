//go:build race

package presence_test

// modelSeeds is how many models run. Under the race detector, hundreds of them in one process have crashed the detector itself (SIGSEGV in its
// own code, Go 1.26).
const modelSeeds = 8
