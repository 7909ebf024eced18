package main

import (
	"os"
	"path/filepath"
)

// documents returns the documents of a repository, made from its results.
func documents(root string) (map[string]string, error) {
	m, err := readResults(filepath.Join(root, source, results))
	if err != nil {
		return nil, err
	}
	text, err := replaced(filepath.Join(root, document), begin, end, m.tables())
	if err != nil {
		return nil, err
	}
	reach, err := reachDocument(root, m)
	if err != nil {
		return nil, err
	}
	return map[string]string{document: text, reachPage: reach, pictureInDot: m.picture()}, nil
}

func writeDocuments(root string) error {
	made, err := documents(root)
	if err != nil {
		return err
	}
	for name, text := range made {
		if err := os.WriteFile(filepath.Join(root, filepath.FromSlash(name)), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
