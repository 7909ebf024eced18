package configs_test

import (
	"flag"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/configs"
)

var update = flag.Bool("update", false, "write the generated documentation instead of comparing it")

// TestGenerated compares the generated documents with the files. After a change of a setting:
// go generate ./configs
func TestGenerated(t *testing.T) {
	for path, text := range map[string]string{"example.env": configs.ExampleEnv(), "README.md": configs.Markdown()} {
		bridgetest.Document(t, path, "go generate ./configs", *update, func(string) string { return text })
	}
}

var exampleLine = regexp.MustCompile(`(?m)^#(TAILWATER_\w+)=(.*)$`)

func TestEverySettingIsDocumented(t *testing.T) {
	environ(t)
	markdown, help := configs.Markdown(), configs.Help()
	settings := exampleLine.FindAllStringSubmatch(configs.ExampleEnv(), -1)
	same(t, "settings", len(settings), strings.Count(markdown, "\n| `TAILWATER_"))
	for _, setting := range settings {
		name, example := setting[1], setting[2]
		if !strings.Contains(markdown, "| `"+name+"` | ") || !strings.Contains(help, "\n"+name+"  ") && !strings.HasPrefix(help, name) {
			t.Errorf("%s is missing", name)
		}
		if example == "" {
			t.Errorf("%s has neither default nor example", name)
		}
	}
	if strings.Contains(markdown, "|  |") || strings.Contains(help, "default: )") {
		t.Errorf("a setting without a description or a default:\n%s%s", markdown, help)
	}
	for _, line := range strings.Split(help, "\n") {
		if utf8.RuneCountInString(line) > 100 {
			t.Errorf("too long for a terminal: %s", line)
		}
	}
}

// A line of the example works when its # is removed: the value is valid.
func TestExamplesAreValues(t *testing.T) {
	files := regexp.MustCompile(`_(NKEY|CREDS|CA|CERT|KEY|EMBED_CONFIG)$|_JS_DOMAIN$|_AUTH_(ISSUER|AUDIENCE|COOKIE|JWKS_PROXY)$|_SECRET$`)
	for _, setting := range exampleLine.FindAllStringSubmatch(configs.ExampleEnv(), -1) {
		if files.MatchString(setting[1]) {
			continue // names another machine, needs another setting, or must be replaced
		}
		environ(t)
		load(t, write(t, "one.env", strings.Join(meant, "\n")+"\n"+setting[1]+"="+setting[2]))
	}
}
