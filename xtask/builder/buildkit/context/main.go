// Command context lists what an ignore file lets through, by the code with which BuildKit's clients send a context.
//
// It reads lines of JSON with a root and the text of an ignore file, and answers each with a line: the paths of all files
// and links that a builder would see, or an error.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/moby/patternmatcher/ignorefile"
	"github.com/tonistiigi/fsutil"
)

type question struct {
	Root   string `json:"root"`
	Ignore string `json:"ignore"`
}

type answer struct {
	Paths []string `json:"paths"`
	Error string   `json:"error,omitempty"`
}

func main() {
	questions := json.NewDecoder(os.Stdin)
	answers := json.NewEncoder(os.Stdout)
	for {
		var q question
		if err := questions.Decode(&q); err != nil {
			if errors.Is(err, io.EOF) {
				return
			}
			panic(err)
		}
		paths, err := list(q)
		a := answer{Paths: paths}
		if err != nil {
			a.Error = err.Error()
		}
		if err := answers.Encode(a); err != nil {
			panic(err)
		}
	}
}

func list(q question) ([]string, error) {
	patterns, err := ignorefile.ReadAll(strings.NewReader(q.Ignore))
	if err != nil {
		return nil, err
	}
	root, err := fsutil.NewFS(q.Root)
	if err != nil {
		return nil, err
	}
	filtered, err := fsutil.NewFilterFS(root, &fsutil.FilterOpt{ExcludePatterns: patterns})
	if err != nil {
		return nil, err
	}
	paths := []string{}
	err = filtered.Walk(context.Background(), "", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if entry.Type().IsRegular() {
			// What is listed is not sent if it can't be opened, and that is decided by another rule.
			file, err := filtered.Open(path)
			if err != nil {
				return err
			}
			file.Close()
		}
		paths = append(paths, path)
		return nil
	})
	return paths, err
}
