package configs

import (
	"errors"
	"os"
)

// Load reads the settings: from the environment, then from the file envFile names, if any, then their defaults. It
// reports all problems at once, joined with errors.Join: one line each, beginning with the full name of the setting.
// Where the file itself cannot be read, that is the only problem, since the others might be its consequence.
// Where NATS is embedded, inspect is asked for its listeners.
func Load(envFile string, inspect Inspect) (*Settings, error) {
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
	p.fallBack(s, unset, inspect)
	s.Machine = readMachine()
	if !s.IsSet("MEMORY") {
		s.Memory = s.Machine.memory()
	}
	p.check(s)
	p.unknown(file, all)
	if err := errors.Join(p.found...); err != nil {
		return nil, err
	}
	s.hints = unprefixed(envFile, file, all, s)
	s.findHints()
	s.hints = append(s.hints, s.memoryHints()...)
	return s, nil
}

// fallBack gives their defaults to the settings that are not set: now that it is known what is set, and last to those that
// depend on whether the bridge is exposed.
func (p *problems) fallBack(s *Settings, unset []leaf, inspect Inspect) {
	for _, isLast := range []bool{false, true} {
		if isLast {
			s.exposed = s.exposures(p.inspected(s, inspect))
		}
		for _, l := range unset {
			if value := l.fallback(s); value != "" && l.dependsOnExposure() == isLast {
				p.decoded(l, l.read(value))
			}
		}
	}
	s.HTTP.LoopbackOrigins = !s.IsSet("HTTP_ORIGINS") && len(s.exposed) == 0
	// An exposed bridge has the stricter of two defaults. Of names that is the one for loopback, which holds while browsers come
	// from this machine: whatever else is exposed, a stranger's page in one of them must not reach the bridge under its own name.
	s.HTTP.LoopbackHosts = !s.IsSet("HTTP_HOSTS") && Loopback(string(s.HTTP.Listen)) && len(s.HTTP.TrustedProxies) == 0
}

// inspected asks for the listeners of the embedded server, if there is one and its file can be read.
func (p *problems) inspected(s *Settings, inspect Inspect) []Exposure {
	if s.external() || s.Embed.Config != "" && rereadable(s.Embed.Config) != nil {
		return nil // what is wrong with the file is said by checkEmbedConfig
	}
	found, err := inspect(s)
	if err != nil {
		p.found = append(p.found, err)
	}
	return found
}
