package configs

import (
	"errors"
	"os"
)

// Load reads the settings: from the environment, then from the file envFile names, if any, then their defaults. It
// reports all problems at once, joined with errors.Join: one line each, beginning with the full name of the setting.
// Where the file itself cannot be read, that is the only problem, since the others might be its consequence.
func Load(envFile string) (*Settings, error) {
	file, err := readFile(envFile)
	if err != nil {
		return nil, err
	}
	s := &Settings{set: map[string]bool{}}
	p := problems{broken: map[string]bool{}}
	all := leaves(s)
	unset := make([]leaf, 0, len(all))
	for _, l := range all {
		value, set := os.LookupEnv(l.key())
		if !set {
			value, set = file[l.key()]
		}
		if !set {
			unset = append(unset, l)
			continue
		}
		s.set[l.name] = true
		p.decoded(l, l.read(value))
	}
	// Only now, because some defaults depend on what is set; and in order, because some depend on HTTP_LISTEN.
	for _, l := range unset {
		if value := l.fallback(s); value != "" {
			p.decoded(l, l.read(value))
		}
	}
	s.HTTP.LoopbackOrigins = !s.IsSet("HTTP_ORIGINS") && Loopback(string(s.HTTP.Listen))
	s.HTTP.LoopbackHosts = !s.IsSet("HTTP_HOSTS") && Loopback(string(s.HTTP.Listen))
	p.check(s)
	p.unknown(file, all)
	if err := errors.Join(p.found...); err != nil {
		return nil, err
	}
	s.hints = unprefixed(envFile, file, all, s)
	return s, nil
}
