package main

import (
	"time"
)

// scenario is one load.
type scenario struct {
	name        string
	connections int
	subjects    int // 0 for one
	stalled     int
	pace        []string // flags of tailwater bench; empty to publish nothing
	only        []string // servers; empty for all
	history     string   // the subjects that Tailwater keeps in its stream
	cuts        time.Duration
	longer      time.Duration // a minimum for duration
}

// How long stalled clients may receive nothing before they are cut.
const (
	shortPatience = time.Second
	stallLength   = 8 * time.Second // for up to 5 of these, the kernel buffers unread data, and no server can notice
	usualPatience = 20 * time.Second
)

func (s *scenario) patience() time.Duration {
	if s.cuts > 0 {
		return s.cuts
	}
	return usualPatience
}

// The loads. The names are those in the results.
const (
	idleOne      = "idle, one subject"
	idleEach     = "idle, a subject each"
	manyInFlight = "1,000 readers, 64 in flight"
	moreReaders  = "10,000 readers, 16 in flight"
	oneInFlight  = "1,000 readers, one in flight"
	paced        = "1,000 readers, 20 a second"
	eachPaced    = "5,000 subjects, 20,000 a second"
	eachMost     = "5,000 subjects, 1,000 in flight"
	calm         = "200 readers of 8 KB"
	stalled      = "200 readers of 8 KB, 50 stalled"
	fewUnstored  = "10 readers, 2,000 a second"
	fewStored    = "10 readers, 2,000 a second, stored"
	oneUnstored  = "1 reader, 20,000 a second"
	oneStored    = "1 reader, 20,000 a second, stored"
	manyStored   = "1,000 readers, 64 in flight, stored"
)

var idle = []scenario{
	{name: idleOne, connections: 10_000},
	{name: idleEach, connections: 10_000, subjects: 10_000},
}

var busy = []scenario{
	{name: manyInFlight, connections: 1000, pace: []string{"--in-flight=64"}},
	{name: manyStored, connections: 1000, pace: []string{"--in-flight=64"}, only: []string{tailwater}, history: everything},
	{name: moreReaders, connections: 10_000, pace: []string{"--in-flight=16"}},
	{name: oneInFlight, connections: 1000, pace: []string{"--in-flight=1"}},
	{name: paced, connections: 1000, pace: []string{"--rate=20"}},
	{name: eachPaced, connections: 5000, subjects: 5000, pace: []string{"--rate=20000"}},
	{name: eachMost, connections: 5000, subjects: 5000, pace: []string{"--in-flight=1000"}},
	{name: calm, connections: 200, pace: []string{"--rate=100", "--size=8192"}, only: real, cuts: shortPatience, longer: stallLength},
	{name: stalled, connections: 200, stalled: 50, pace: []string{"--rate=100", "--size=8192"}, only: real, cuts: shortPatience, longer: stallLength},
	{name: fewUnstored, connections: 10, pace: []string{"--rate=2000"}, only: []string{tailwater}},
	{name: fewStored, connections: 10, pace: []string{"--rate=2000"}, only: []string{tailwater}, history: everything},
	{name: oneUnstored, connections: 1, pace: []string{"--rate=20000"}, only: []string{tailwater}},
	{name: oneStored, connections: 1, pace: []string{"--rate=20000"}, only: []string{tailwater}, history: everything},
}
