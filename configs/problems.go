package configs

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
)

// problems collects everything that is wrong.
type problems struct {
	found  []error
	broken map[string]bool // settings whose value could not be read, by name without the prefix
}

// decoded records the result of reading one value. Each invalid entry of a list becomes a problem.
func (p *problems) decoded(l leaf, err error) {
	if err != nil {
		p.addAll(l.name, err)
		p.broken[l.name] = true
	}
}

// refuse records a problem of a setting. A setting that could not be read is skipped: it holds its zero value, and a problem of that
// would mislead.
func (p *problems) refuse(name, format string, args ...any) {
	if !p.broken[name] {
		p.addAll(name, fmt.Errorf(format, args...))
	}
}

// addAll splits joined errors, so that each line begins with the name. An error that merely wraps two others stays one line.
func (p *problems) addAll(name string, err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok && strings.Contains(err.Error(), "\n") {
		for _, each := range joined.Unwrap() {
			p.addAll(name, each)
		}
		return
	}
	p.found = append(p.found, fmt.Errorf("%s_%s: %w", Prefix, name, err))
}

// together refuses a certificate without its key, or a key without its certificate.
func (p *problems) together(s *Settings, cert, key string) {
	switch {
	case s.IsSet(cert) && !s.IsSet(key):
		p.refuse(cert, "it needs its key; set %s_%s as well", Prefix, key)
	case s.IsSet(key) && !s.IsSet(cert):
		p.refuse(key, "it needs its certificate; set %s_%s as well", Prefix, cert)
	}
}

// serviceLink matches variables that Kubernetes sets in each container of a namespace with a service named tailwater, or
// tailwater-something (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables). A plain
// TAILWATER_PORT=8080 is a mistake: in a service link that variable holds a URL.
var serviceLink = regexp.MustCompile(`^` + Prefix + `(_[A-Z0-9_]+)?_(` +
	`SERVICE_HOST=|SERVICE_PORT(_[A-Z0-9_]+)?=|` +
	`PORT(_[0-9]+_(TCP|UDP|SCTP))?=(tcp|udp|sctp)://|` +
	`PORT_[0-9]+_(TCP|UDP|SCTP)_(PROTO|PORT|ADDR)=)`)

// commandVariables are read by commands that need no settings: tailwater sub, pub and ask.
var commandVariables = []string{"BRIDGE_URL", "BRIDGE_TOKEN"}

// unknown refuses names with the prefix that are not settings: a misspelt limit would silently have no effect.
func (p *problems) unknown(file map[string]string, all []leaf) {
	entries := os.Environ()
	for key, value := range file {
		entries = append(entries, key+"="+value)
	}
	var unknown []string
	for _, entry := range entries {
		key, _, _ := strings.Cut(entry, "=")
		name, ours := strings.CutPrefix(key, Prefix+"_")
		known := slices.Contains(commandVariables, name) || slices.ContainsFunc(all, func(l leaf) bool { return l.name == name })
		if ours && !known && !serviceLink.MatchString(entry) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	for _, name := range slices.Compact(unknown) {
		p.refuse(name, "there is no such setting; did you mean %s?", nearest(name, all).key())
	}
}

// unprefixed finds names in the file that would be settings with the prefix. They are not errors, because the file may also be for
// another program, and they are no hint if the setting has a value anyway.
func unprefixed(path string, file map[string]string, all []leaf, s *Settings) (hints []string) {
	for _, l := range all {
		if _, there := file[l.name]; there && !s.IsSet(l.name) {
			hints = append(hints, fmt.Sprintf("%s: %s is ignored, because the names of settings begin with %s_; did you mean %s?", path, l.name, Prefix, l.key()))
		}
	}
	return hints
}

// edits makes a replaced letter as expensive as one removed and one added. Otherwise an unrelated short name would be nearer to
// LISTEN than HTTP_LISTEN.
var edits = levenshtein.NewParams().SubCost(2)

// nearest returns the setting whose name needs the fewest edits.
func nearest(name string, all []leaf) leaf {
	return slices.MinFunc(all, func(a, b leaf) int {
		return levenshtein.Distance(a.name, name, edits) - levenshtein.Distance(b.name, name, edits)
	})
}
