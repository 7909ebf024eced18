package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSoakRunsWhatIsLong reads the Makefile and every test: make soak must run each test that has a long form or is skipped without
// -soak, and CI must run make soak. Nothing else would notice a test that nobody runs.
func TestSoakRunsWhatIsLong(t *testing.T) {
	runs, found := soakRuns(t), 0
	for folder, tests := range longTests(t) {
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

// longTests returns the tests that look at -soak, by folder: through onlySoak, length and startChaos, or by themselves.
func longTests(t *testing.T) map[string][]string {
	t.Helper()
	tests := make(map[string][]string)
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel(root, filepath.Dir(path))
		for _, declared := range file.Decls {
			if test, isFunc := declared.(*ast.FuncDecl); isFunc && strings.HasPrefix(test.Name.Name, "Test") && looksAtSoak(test) {
				tests[filepath.ToSlash(folder)] = append(tests[filepath.ToSlash(folder)], test.Name.Name)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tests
}

func looksAtSoak(test *ast.FuncDecl) (looks bool) {
	ast.Inspect(test, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.CallExpr:
			name, isName := node.Fun.(*ast.Ident)
			looks = looks || isName && (name.Name == "onlySoak" || name.Name == "length" || name.Name == "startChaos")
		case *ast.StarExpr:
			name, isName := node.X.(*ast.Ident)
			looks = looks || isName && name.Name == "soak"
		}
		return !looks
	})
	return looks
}
