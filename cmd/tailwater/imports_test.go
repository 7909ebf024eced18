package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/tailwater/tailwater/"

// Imports run one way: the command may import every package, package live all around the core, and those only the core, the load
// generator none, and the core only the standard library without net/http.
func TestImportsRunOneWay(t *testing.T) {
	source := []string{"bridge", "bridge/source", "bridge/source/js", "bridge/source/catalog", "bridge/source/history"}
	live := append([]string{"bridge/outlet", "bridge/sockets", "bridge/httpapi", "bridge/auth", "bridge/presence", "bridge/runs"}, source...)
	packages := append([]string{"bridge/live", "configs", "embed", "web"}, live...)
	allowed := map[string][]string{
		"bridge":                    nil,
		"bridge/bridgetest":         {"bridge"},
		"bridge/source/js":          {"bridge"},
		"bridge/source/catalog":     {"bridge", "bridge/source/js"},
		"bridge/source/history":     {"bridge", "bridge/source/js"},
		"bridge/source":             source,
		"bridge/outlet":             {"bridge", "bridge/sockets"},
		"bridge/sockets":            nil,
		"bridge/httpapi":            {"bridge"},
		"bridge/auth":               {"bridge"},
		"bridge/presence":           {"bridge"},
		"bridge/runs":               {"bridge"},
		"bridge/live":               live,
		"bridge/load":               nil,
		"configs":                   {"bridge"},
		"embed":                     nil,
		"web":                       nil,
		"cmd/tailwater/client":      nil,
		"cmd/tailwater/trace":       {"bridge"},
		"cmd/tailwater/node":        append([]string{"cmd/tailwater/trace"}, packages...),
		"cmd/tailwater/check":       append([]string{"cmd/tailwater/node", "cmd/tailwater/trace"}, packages...),
		"cmd/tailwater/grafana":     append([]string{"cmd/tailwater/node", "cmd/tailwater/trace"}, packages...),
		"cmd/tailwater/nodetest":    append([]string{"cmd/tailwater/node", "cmd/tailwater/trace"}, packages...),
		"cmd/tailwater/e2e/clients": nil,
		"cmd/compare":               {"bridge/load"},
		"cmd/compare/byhand":        nil,
	}
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}} {{join .Deps \" \"}}", module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		path, imports, _ := strings.Cut(line, " ")
		name := strings.TrimPrefix(path, module)
		own, known := allowed[name]
		switch {
		case name == "cmd/tailwater", name == "cmd/tailwater/e2e": // may import everything
			continue
		case !known:
			t.Errorf("package %s has no place in the order of imports: add it here", name)
			continue
		}
		checkDependencies(t, name, strings.Fields(imports), own)
	}
}

func checkDependencies(t *testing.T, name string, imports, allowed []string) {
	for _, path := range imports {
		own, isOwn := strings.CutPrefix(path, module)
		first, _, _ := strings.Cut(path, "/")
		switch {
		case isOwn && !slices.Contains(allowed, own):
			t.Errorf("package %s imports %s", name, own)
		case name == "bridge" && !isOwn && strings.Contains(first, "."): // no package of the standard library
			t.Errorf("the core imports %s", path)
		case name == "bridge" && path == "net/http":
			t.Error("the core imports net/http")
		}
	}
}
