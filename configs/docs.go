package configs

import (
	"reflect"
	"slices"
	"strings"
	"text/template"

	"github.com/kelseyhightower/envconfig"
)

// whatIsExposed explains the word "exposed" that the defaults use.
const whatIsExposed = "A bridge is exposed if other machines may reach it: if a listener of any kind is not loopback " +
	"(for browsers, for probes, for NATS, or any other in the file of EMBED_CONFIG), HTTP_HOSTS names anything but this machine, " +
	"or HTTP_TRUSTED_PROXIES is set. Then ANONYMOUS_SUBSCRIBE and ANONYMOUS_PUBLISH must be set, at least to their defaults."

// Markdown returns the page of all settings: configs/README.md.
func Markdown() string {
	return "<!-- Generated from settings.go by: go generate ./configs -->\n# Settings\n\n" +
		"All settings are optional environment variables. `tailwater --env-file FILE` reads them from a file; the environment wins over the file.\n" +
		"[example.env](example.env) is such a file. An unknown name that begins with `TAILWATER_` is an error. `tailwater check` shows the result.\n\n" +
		wrap(whatIsExposed, 120, "\n") + "\n\n" + render("| Setting | Default | What it does |\n|---|---|---|\n"+
		"{{range .}}| `{{.Key}}` | {{markdown (fallback .Tags true)}} | {{markdown (.Tags.Get `desc`)}} |\n{{end}}")
}

// Help returns settings as plain text of at most 100 columns, for --help: those with the names, written without the prefix, or
// all if there are no names.
func Help(names ...string) string {
	intro := ""
	if len(names) == 0 {
		intro = wrap(whatIsExposed, 100, "\n") + "\n\n"
	}
	return intro + render("{{range .}}{{if named .Key}}{{printf `%-34s` .Key}}  {{wrap 36 (printf `%s (default: %s)` (.Tags.Get `desc`) (fallback .Tags false))}}\n{{end}}{{end}}", names...)
}

// ExampleEnv returns all settings as an env file in which every line is commented out.
func ExampleEnv() string {
	return render("# All settings of Tailwater, for --env-file. Remove the # before what you change; the environment wins over this file.\n" +
		"# This file is generated from configs/settings.go by: go generate ./configs\n#\n# " + wrap(whatIsExposed, 98, "\n# ") + "\n" +
		"{{range .}}\n# {{wrapComment (.Tags.Get `desc`)}}\n# {{wrapComment (printf `Default: %s.` (fallback .Tags false))}}\n" +
		"#{{.Key}}={{or (.Tags.Get `default`) (.Tags.Get `example`)}}\n{{end}}")
}

// render fills a template with the settings, through envconfig, so that the names are those that envconfig reads. The template's
// function named reports whether a setting is among names; without names, it is always true.
func render(text string, names ...string) string {
	var out strings.Builder
	functions := template.FuncMap{
		"named": func(key string) bool {
			return len(names) == 0 || slices.Contains(names, strings.TrimPrefix(key, Prefix+"_"))
		},
		"fallback":    describeFallback,
		"markdown":    strings.NewReplacer("|", `\|`, "*", `\*`, "<", "&lt;").Replace,
		"wrap":        func(indent int, text string) string { return wrap(text, 100-indent, "\n"+strings.Repeat(" ", indent)) },
		"wrapComment": func(text string) string { return wrap(text, 98, "\n# ") },
	}
	page := template.Must(template.New("").Funcs(functions).Parse(text))
	if err := envconfig.Usaget(Prefix, new(Settings), &out, page); err != nil {
		panic(err) // struct and templates are constant: no setting can cause this
	}
	return out.String()
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
