package configs

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// whatIsExposed explains the word "exposed" that the defaults use.
const whatIsExposed = "A bridge is exposed if other machines may reach it: if a listener of any kind is not loopback " +
	"(for browsers, for probes, for NATS, or any other in the file of EMBED_CONFIG), HTTP_HOSTS names anything but this machine, " +
	"or HTTP_TRUSTED_PROXIES is set. Then ANONYMOUS_SUBSCRIBE and ANONYMOUS_PUBLISH must be set, at least to their defaults."

// inMarkdown escapes what a table of Markdown would take for its own.
var inMarkdown = strings.NewReplacer("|", `\|`, "*", `\*`, "<", "&lt;")

// Markdown returns the page of all settings: configs/README.md.
func Markdown() string {
	var page strings.Builder
	page.WriteString("<!-- Generated from settings.go by: go generate ./configs -->\n# Settings\n\n" +
		"All settings are optional environment variables. `tailwater --env-file FILE` reads them from a file; the environment wins over the file.\n" +
		"[example.env](example.env) is such a file. An unknown name that begins with `TAILWATER_` is an error. `tailwater check` shows the result.\n\n" +
		wrap(whatIsExposed, 120, "\n") + "\n\n| Setting | Default | What it does |\n|---|---|---|\n")
	for _, l := range leaves(new(Settings)) {
		fmt.Fprintf(&page, "| `%s` | %s | %s |\n", l.key(), inMarkdown.Replace(describeFallback(l.tags, true)), inMarkdown.Replace(l.tags.Get("desc")))
	}
	return page.String()
}

// Help returns settings as plain text of at most 100 columns, for --help: those with the names, written without the prefix, or
// all if there are no names.
func Help(names ...string) string {
	var text strings.Builder
	if len(names) == 0 {
		text.WriteString(wrap(whatIsExposed, 100, "\n") + "\n\n")
	}
	for _, l := range leaves(new(Settings)) {
		if len(names) == 0 || slices.Contains(names, l.name) {
			says := l.tags.Get("desc") + " (default: " + describeFallback(l.tags, false) + ")"
			fmt.Fprintf(&text, "%-34s  %s\n", l.key(), wrap(says, 100-36, "\n"+strings.Repeat(" ", 36)))
		}
	}
	return text.String()
}

// ExampleEnv returns all settings as an env file in which every line is commented out.
func ExampleEnv() string {
	var file strings.Builder
	file.WriteString("# All settings of Tailwater, for --env-file. Remove the # before what you change; the environment wins over this file.\n" +
		"# This file is generated from configs/settings.go by: go generate ./configs\n#\n# " + wrap(whatIsExposed, 98, "\n# ") + "\n")
	for _, l := range leaves(new(Settings)) {
		fallback := "Default: " + describeFallback(l.tags, false) + "."
		fmt.Fprintf(&file, "\n# %s\n# %s\n#%s=%s\n", wrap(l.tags.Get("desc"), 98, "\n# "), wrap(fallback, 98, "\n# "), l.key(), cmp.Or(l.tags.Get("default"), l.tags.Get("example")))
	}
	return file.String()
}

// describeFallback describes the value of a setting that is not set, and of one that is set but empty. In Markdown, values are
// written as code, words are not.
func describeFallback(tags reflect.StructTag, markdown bool) string {
	value := func(tag string) string {
		text := tags.Get(tag)
		if markdown && text != "" {
			return "`" + text + "`"
		}
		return text
	}
	said := value("default") + tags.Get("unset")
	if embedded := value("embedded"); embedded != "" {
		said = "with an embedded server: " + embedded + "; else " + said
	}
	if unexposed := value("unexposed"); unexposed != "" {
		said = unexposed + "; if exposed: " + said
	}
	if empty := tags.Get("empty"); empty != "" && empty != tags.Get("unset") && tags.Get("default") != "" {
		said += "; set to nothing: " + empty
	}
	return said
}

// wrap breaks text at blanks, into lines of at most width characters.
func wrap(text string, width int, lineBreak string) string {
	var out strings.Builder
	column := 0
	for i, word := range strings.Fields(text) {
		length := len([]rune(word))
		switch {
		case i == 0:
		case column+1+length > width:
			out.WriteString(lineBreak)
			column = 0
		default:
			out.WriteByte(' ')
			column++
		}
		out.WriteString(word)
		column += length
	}
	return out.String()
}
