package main

import (
	"fmt"
	"strings"
)

// panel is a part of the picture: one row of the tables, as bars.
type panel struct {
	title, unit string
	digits      int
	figure      figure
}

var panels = []panel{
	{"Memory of an idle connection", "KB", 2, of(idleOne, perConnection)},
	{"CPU a delivery: 1,000 readers, one message at a time", "µs", 1, of(oneInFlight, perDelivery)},
	{"CPU a delivery: 1,000 readers, 64 messages in flight", "µs", 2, of(manyInFlight, perDelivery)},
	{"CPU a delivery: 5,000 subjects, 20,000 messages/s", "µs", 1, of(eachPaced, perDelivery)},
}

// Sizes of the picture.
const (
	panelWidth  = 430
	panelHeight = 156
	margin      = 20
	barAt       = 96  // from the left of a panel
	barMost     = 230 // the longest bar
	barHeight   = 16
	barEvery    = 26
)

// pictureHead paints its own background, because a picture does not know that of the page.
const pictureHead = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="%s">
<style>
svg{--ground:#fff;--text:#1f2328;--dim:#59636e;--bar:#afb8c1;--own:#0969da}
@media (prefers-color-scheme:dark){svg{--ground:#0d1117;--text:#f0f6fc;--dim:#9198a1;--bar:#4d5761;--own:#4493f8}}
text{font:13px system-ui,sans-serif;fill:var(--text)}.title{font-weight:600}.dim{fill:var(--dim);font-size:12px}
.ground{fill:var(--ground)}.bar{fill:var(--bar)}.own{fill:var(--own)}
</style>
<rect class="ground" width="100%%" height="100%%" rx="8"/>
`

// picture returns the most important rows as an SVG.
func (m *measured) picture() string {
	const columns = 2
	width := columns*panelWidth + margin
	height := (len(panels)+columns-1)/columns*panelHeight + 2*margin
	var b strings.Builder
	fmt.Fprintf(&b, pictureHead, width, height, "Tailwater beside the bare limit, Nchan and a handler in Go: less is better")
	for i := range panels {
		m.draw(&b, &panels[i], margin+i%columns*panelWidth, margin+i/columns*panelHeight)
	}
	fmt.Fprintf(&b, "<text class=\"dim\" x=\"%d\" y=\"%d\">Less is better. The bare limit is a loop in C that does nothing but write. Medians of %d rounds on %d cores.</text>\n</svg>\n",
		margin, height-margin/2, m.rounds, m.machine.Cores)
	return b.String()
}

func (m *measured) draw(b *strings.Builder, p *panel, x, y int) {
	most := 0.0
	values := map[string]float64{}
	for _, server := range servers {
		if figures := m.figures(server, p.figure); len(figures) > 0 {
			values[server] = max(0, median(figures))
			most = max(most, values[server])
		}
	}
	fmt.Fprintf(b, "<text class=\"title\" x=\"%d\" y=\"%d\">%s</text>\n", x, y+14, p.title)
	y += 24
	for _, server := range servers {
		value, measured := values[server]
		if !measured {
			continue
		}
		class := "bar"
		if server == tailwater {
			class = "own"
		}
		length := 1.0
		if most > 0 {
			length = max(length, barMost*value/most)
		}
		fmt.Fprintf(b, "<text class=\"dim\" x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>", x+barAt-8, y+13, titles[server])
		fmt.Fprintf(b, "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" rx=\"2\"/>", class, x+barAt, y, length, barHeight)
		fmt.Fprintf(b, "<text x=\"%.1f\" y=\"%d\">%s %s</text>\n", float64(x+barAt)+length+6, y+13, number(value, p.digits), p.unit)
		y += barEvery
	}
}
