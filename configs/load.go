package configs

import (
	"errors"
	"os"
)

// Load reads the settings: from the environment, then from the file that envFile names, if any, then their defaults. It reports
// all problems at once, joined with errors.Join: one line each, beginning with the full name of the setting. If the file itself
// cannot be read, only that is reported, because other problems might follow from it. If NATS is embedded, inspect returns its
// listeners.
func Load(envFile string, inspect Inspect) (*Settings, error) {
	file, err := readFile(envFile)
	if err != nil {
		return nil, err
	}
	s := &Settings{set: map[string]bool{}, telemetry: telemetry(file)}
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

// fallBack sets the defaults of the settings that are not set. Those that depend on whether the bridge is exposed come last.
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
	// An exposed bridge has the stricter of two defaults. For names, the loopback names are the stricter ones while browsers connect
	// from this machine: another web page in them must not reach the bridge under its own name, whatever else is exposed.
	s.HTTP.LoopbackHosts = !s.IsSet("HTTP_HOSTS") && Loopback(string(s.HTTP.Listen)) && len(s.HTTP.TrustedProxies) == 0
}

// inspected returns the exposed listeners of the embedded server, if there is one and its file can be read.
func (p *problems) inspected(s *Settings, inspect Inspect) []Exposure {
	if s.external() || s.Embed.Config != "" && rereadable(s.Embed.Config) != nil {
		return nil // checkEmbedConfig reports the file
	}
	found, err := inspect(s)
	if err != nil {
		p.found = append(p.found, err)
	}
	return found
}
