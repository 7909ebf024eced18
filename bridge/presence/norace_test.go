//go:build !race

package presence_test

const modelSeeds = 40
