package configs_test

import (
	"strings"
	"testing"

	"github.com/tailwater/tailwater/configs"
)

func TestMemory(t *testing.T) {
	environ(t)
	s := load(t, "")
	if limit := s.Machine.Limit(); limit <= 0 || int64(s.Memory) != min(max(limit/4, 8<<20), 256<<20) {
		t.Errorf("%d bytes: MEMORY is %v", limit, s.Memory)
	}
	environ(t, "TAILWATER_MEMORY=64MiB")
	same(t, "MEMORY", load(t, "").Memory, configs.Bytes(64<<20))
}

func TestMachineLimit(t *testing.T) {
	for _, test := range []struct {
		machine configs.Machine
		want    int64
	}{
		{configs.Machine{}, 0},
		{configs.Machine{Total: 8 << 30}, 8 << 30},
		{configs.Machine{Container: 128 << 20, Total: 8 << 30}, 128 << 20},
		{configs.Machine{Container: 16 << 30, Total: 8 << 30}, 8 << 30},
		{configs.Machine{Container: 128 << 20}, 128 << 20},
	} {
		same(t, "limit", test.machine.Limit(), test.want)
	}
}

// Of a container's memory, a fifth is not Go's, in a small container 56 MiB, in a tiny one a half.
func TestMemoryForGo(t *testing.T) {
	for container, want := range map[int64]int64{0: 0, 64 << 20: 32 << 20, 128 << 20: 72 << 20, 256 << 20: 200 << 20, 10 << 30: 8 << 30} {
		same(t, "share of Go", configs.Machine{Container: container, Total: 1 << 40}.ForGo(), want)
	}
}

func TestMemoryHints(t *testing.T) {
	for text, want := range map[string]string{
		"TAILWATER_MEMORY=1TiB":                             "the process may be killed",
		"TAILWATER_MEMORY=8MiB,TAILWATER_LIMIT_BODY=1MiB":   "only 4 such bodies can arrive at once",
		"TAILWATER_MEMORY=64MiB,TAILWATER_LIMIT_BODY=64KiB": "",
	} {
		environ(t, strings.Split(text, ",")...)
		hints := strings.Join(load(t, "").Hints(), "\n")
		if want == "" && hints != "" || !strings.Contains(hints, want) {
			t.Errorf("%s: the hints are %q", text, hints)
		}
	}
}
