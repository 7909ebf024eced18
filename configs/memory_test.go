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
	same(t, "MEMORY", load(t, "").Memory, configs.Budget(64<<20))
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
