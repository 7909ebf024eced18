package source

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/catalog"
)

// Table is a table on a source's connection.
type Table struct {
	*catalog.Table
	Changes chan struct{} // buffers one: the table has reported a change
}

// Table opens a table. It is closed at the end of the test.
func (s *Source) Table(t testing.TB, keep History, log *slog.Logger) *Table {
	t.Helper()
	changes := make(chan struct{}, 1)
	changed := func() {
		select {
		case changes <- struct{}{}:
		default:
		}
	}
	opened, err := catalog.New(s.api, catalog.Config{History: keep}, changed, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(opened.Close)
	return &Table{opened, changes}
}

// Classify returns the origins as `stream: subject subject; …`; none stands for no stream. It returns "" if the streams are not
// known.
func (t *Table) Classify(subjects ...bridge.Subject) string {
	origins, _ := t.Table.Classify(subjects)
	return originsText(origins)
}

// Await is Classify, and waits until the streams are known.
func (t *Table) Await(ctx context.Context, subjects ...bridge.Subject) (string, error) {
	origins, err := t.Table.Await(ctx, subjects)
	return originsText(origins), err
}

func originsText(o catalog.Origins) string {
	var texts []string
	add := func(name string, subjects []bridge.Subject) {
		for _, s := range subjects {
			name += " " + string(s)
		}
		texts = append(texts, name)
	}
	for _, p := range o.Stored {
		add(p.Stream.Name()+":", p.Subjects)
	}
	if len(o.Unstored) > 0 {
		add("none:", o.Unstored)
	}
	return strings.Join(texts, "; ")
}

// Holding returns the stream that stores messages on a subject.
func (t *Table) Holding(ctx context.Context, subject bridge.Subject) (string, error) {
	s, err := t.Table.Holding(ctx, subject)
	if s == nil {
		return "none", err
	}
	return s.Name(), err
}

// Epoch returns the epoch of a stream; "" if there is none.
func (t *Table) Epoch(stream string) string {
	if s := t.Current().Get(stream); s != nil {
		return s.Epoch
	}
	return ""
}

// Reason returns why no stream serves a filter.
func (t *Table) Reason(filter bridge.Subject) string { return t.Current().Reason(filter) }

// Explain explains filters.
func (t *Table) Explain(ctx context.Context, filters ...bridge.Subject) ([]Holding, error) {
	return t.Table.Explain(ctx, filters, filters)
}

// OwnTable returns the table of the source itself.
func (s *Source) OwnTable() *Table { return &Table{Table: s.table} }
