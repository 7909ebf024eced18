package source_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"maps"
	"path/filepath"
	"strings"
	"testing"
)

// Inside each package files call downwards only: no file calls one that calls it, be it by others. So a reader can begin at the top.
func TestFilesCallDownwards(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{".", "catalog", "history", "js"} {
		calls := callsBetweenFiles(t, dir)
		for range len(calls) { // each time those at the bottom and at the top are taken away
			isCalled := map[string]bool{}
			for _, called := range calls {
				maps.DeleteFunc(called, func(file, _ string) bool { return calls[file] == nil })
				for file := range called {
					isCalled[file] = true
				}
			}
			maps.DeleteFunc(calls, func(file string, called map[string]string) bool { return len(called) == 0 || !isCalled[file] })
		}
		for file, called := range calls {
			t.Errorf("%s calls %v in a circle", file, called)
		}
	}
}

// callsBetweenFiles returns which files of a package each file calls, and a function that it calls there.
func callsBetweenFiles(t *testing.T, dir string) map[string]map[string]string {
	t.Helper()
	places := token.NewFileSet()
	var files []*ast.File
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(places, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no files in %s, %v", dir, err)
	}
	found := types.Info{Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: nothing{}, Error: func(error) {}} // what is imported calls nothing here
	own, _ := config.Check(dir, places, files, &found)
	calls := map[string]map[string]string{}
	for name, used := range found.Uses {
		function, isFunction := used.(*types.Func)
		from, to := places.Position(name.Pos()).Filename, places.Position(used.Pos()).Filename
		if !isFunction || function.Pkg() != own || from == to {
			continue
		}
		if calls[from] == nil {
			calls[from] = map[string]string{}
		}
		calls[from][to] = function.Name()
	}
	return calls
}

// nothing finds no package to import.
type nothing struct{}

func (nothing) Import(string) (*types.Package, error) { return nil, fs.ErrNotExist }
