package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestSoakRunsWhatIsLong reads the Makefile and every test: make soak must run each test that has a long form or is skipped without
// -soak, and CI must run make soak. Nothing else would notice a test that nobody runs.
func TestSoakRunsWhatIsLong(t *testing.T) {
	runs, found := soakRuns(t), 0
	for folder, tests := range tests(t, looksAtSoak) {
		for _, test := range tests {
			found++
			if pattern := runs[folder]; pattern == nil || !pattern.MatchString(test) {
				t.Errorf("make soak does not run %s of %s: add it to the -run pattern in the Makefile", test, folder)
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d tests with a long form were found", found)
	}
	ci := read(t, ".ci/run")
	for _, target := range []string{"make test", "make soak"} {
		if !strings.Contains(ci, "\n"+target+"\n") {
			t.Errorf("CI does not run %s", target)
		}
	}
}

// Each fault that has no other form than that of make chaos is brought about by make soak, once.
func TestSoakRunsEachFault(t *testing.T) {
	line := regexp.MustCompile(`(?m)^\tcd cmd/tailwater/e2e && go test .* -short .*-chaos-only='([^']*)'$`).FindStringSubmatch(read(t, "Makefile"))
	if line == nil {
		t.Fatal("make soak has no short form of make chaos")
	}
	pattern := regexp.MustCompile(strings.ReplaceAll(line[1], "$$", "$"))
	for _, test := range tests(t, func(test *ast.FuncDecl) bool { return calls(test, "onlyChaos") })["cmd/tailwater/e2e"] {
		if !pattern.MatchString(test) {
			t.Errorf("make soak does not run %s: add it to the pattern of -chaos-only in the Makefile", test)
		}
	}
}

// soakRuns returns what make soak runs: for each folder the pattern of its first line there.
func soakRuns(t *testing.T) map[string]*regexp.Regexp {
	t.Helper()
	runs := make(map[string]*regexp.Regexp)
	line := regexp.MustCompile(`(?m)^\tgo test .*-run='([^']*)' \./(\S+) -soak$`)
	for _, match := range line.FindAllStringSubmatch(read(t, "Makefile"), -1) {
		if runs[match[2]] == nil {
			runs[match[2]] = regexp.MustCompile(strings.ReplaceAll(match[1], "$$", "$"))
		}
	}
	return runs
}

// tests returns the tests of a kind, by folder.
func tests(t *testing.T, isOfKind func(*ast.FuncDecl) bool) map[string][]string {
	t.Helper()
	found := make(map[string][]string)
	for path, content := range files(t, "_test.go") {
		file, err := parser.ParseFile(token.NewFileSet(), path, content, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declared := range file.Decls {
			if test, isFunc := declared.(*ast.FuncDecl); isFunc && strings.HasPrefix(test.Name.Name, "Test") && isOfKind(test) {
				folder := filepath.ToSlash(filepath.Dir(path))
				found[folder] = append(found[folder], test.Name.Name)
			}
		}
	}
	return found
}

// looksAtSoak reports whether a test looks at -soak: through a function, or by itself.
func looksAtSoak(test *ast.FuncDecl) (looks bool) {
	ast.Inspect(test, func(node ast.Node) bool {
		if value, isValue := node.(*ast.StarExpr); isValue {
			name, isName := value.X.(*ast.Ident)
			looks = looks || isName && name.Name == "soak"
		}
		return !looks
	})
	return looks || calls(test, "onlySoak", "length", "startChaos")
}

// calls reports whether a test calls one of these functions.
func calls(test *ast.FuncDecl, functions ...string) (does bool) {
	ast.Inspect(test, func(node ast.Node) bool {
		if call, isCall := node.(*ast.CallExpr); isCall {
			name, isName := call.Fun.(*ast.Ident)
			does = does || isName && slices.Contains(functions, name.Name)
		}
		return !does
	})
	return does
}
