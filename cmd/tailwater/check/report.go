package check

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/tailwater/tailwater/configs"
)

// warnings counts the warnings in the lines written through it.
type warnings struct {
	io.Writer
	count int
}

func (w *warnings) Write(text []byte) (int, error) {
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(strings.TrimSpace(line), "! ") {
			w.count++
		}
	}
	return w.Writer.Write(text)
}

// report is the output of check: a table of two columns.
type report struct{ table *tabwriter.Writer }

func (r report) row(what, format string, values ...any) {
	fmt.Fprintf(r.table, what+"\t"+format+"\n", values...)
}

func list(subjects configs.Subjects) string {
	if len(subjects) == 0 {
		return "nothing"
	}
	names := make([]string, len(subjects))
	for i, subject := range subjects {
		names[i] = string(subject)
	}
	return strings.Join(names, " ")
}
