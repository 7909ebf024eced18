package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// tables returns the whole text about the results, in Markdown.
func (m *measured) tables() string {
	return "### Targets\n\n" + m.targetTable() +
		"\n### Ratios\n\nHow many times what Tailwater takes (or reaches, in messages/s):\n\n" + m.ratioTable() +
		"\n### Figures\n\n" + m.machine.String() + "\n" + m.figureTable()
}

func (m *measured) targetTable() string {
	var b strings.Builder
	b.WriteString("| | target | median | least and most | |\n|---|---|---|---|---|\n")
	for _, t := range targets {
		values := m.figures(tailwater, t.figure)
		unit := t.unit
		if t.beside != "" {
			values = m.ratios(tailwater, t.beside, t.figure)
			unit = " × " + titles[t.beside]
		}
		sign := "≤"
		if t.least {
			sign = "≥"
		}
		fmt.Fprintf(&b, "| %s | %s %s%s | ", t.title, sign, strconv.FormatFloat(t.bound, 'f', -1, 64), unit)
		if len(values) == 0 {
			b.WriteString("– | | not measured |\n")
			continue
		}
		verdict := "**missed**"
		if t.holds(median(values)) {
			verdict = "holds"
		}
		if agree := t.rounds(values); agree < len(values) {
			verdict += fmt.Sprintf(", as in %d of %d rounds", agree, len(values))
		}
		fmt.Fprintf(&b, "%s | %s | %s |\n", number(median(values), t.digits), spread(values, t.digits), verdict)
	}
	return b.String()
}

func (t *target) holds(value float64) bool {
	if t.least {
		return value >= t.bound
	}
	return value <= t.bound
}

// rounds returns how many rounds have the same verdict as the median.
func (t *target) rounds(values []float64) (agree int) {
	for _, value := range values {
		if t.holds(value) == t.holds(median(values)) {
			agree++
		}
	}
	return agree
}

// spread returns the least and the most of all rounds.
func spread(values []float64, digits int) string {
	if len(values) < 2 {
		return ""
	}
	return number(slices.Min(values), digits) + " to " + number(slices.Max(values), digits)
}

func (m *measured) ratioTable() string {
	return m.table(func(r *row, server string) string {
		values := m.ratios(server, tailwater, r.figure)
		if len(values) == 0 || r.bare {
			return ""
		}
		return number(median(values), 2)
	})
}

func (m *measured) figureTable() string {
	return m.table(func(r *row, server string) string {
		values := m.figures(server, r.figure)
		if len(values) == 0 {
			return "–"
		}
		return strings.TrimSpace(number(median(values), r.digits) + " " + r.unit)
	})
}

// table has a column for each server. Rows without any value are left out.
func (m *measured) table(cell func(*row, string) string) string {
	var b strings.Builder
	b.WriteString("|")
	for _, server := range servers {
		b.WriteString(" | " + titles[server])
	}
	b.WriteString(" |\n|---" + strings.Repeat("|---", len(servers)) + "|\n")
	for i := range rows {
		line, said := "| "+rows[i].title, ""
		for _, server := range servers {
			text := cell(&rows[i], server)
			said += text
			line += " | " + text
		}
		if said != "" {
			b.WriteString(line + " |\n")
		}
	}
	return b.String()
}

// number returns a value with commas between thousands.
func number(value float64, digits int) string {
	text := strconv.FormatFloat(value, 'f', digits, 64)
	whole, fraction, _ := strings.Cut(text, ".")
	for at := len(whole) - 3; at > 0 && whole[at-1] != '-'; at -= 3 {
		whole = whole[:at] + "," + whole[at:]
	}
	if fraction != "" {
		whole += "." + fraction
	}
	return whole
}

// The documents made from the results, and the comments around that text.
const (
	document     = "BENCHMARKS.md"
	begin        = "<!-- compare:begin -->\n"
	end          = "<!-- compare:end -->"
	pictureInDot = ".github/fast.svg"
)

// replaced returns a document with another text between two comments.
func replaced(path, begin, end, made string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, too := strings.Cut(rest, end)
	if !ok || !too {
		return "", fmt.Errorf("%s has no pair of comments for what is made: %s…%s", path, strings.TrimSpace(begin), end)
	}
	return before + begin + "\n" + made + "\n" + end + after, nil
}
