package configs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// The settings of the manifests are settings, in the image, before a NATS server of one's own.
func TestDeployedSettings(t *testing.T) {
	image := read(t, "deploy/Containerfile")
	for _, path := range []string{"deploy/kubernetes/settings.env", "deploy/compose.yaml", "deploy/helm/values.yaml"} {
		t.Run(filepath.Base(path), func(t *testing.T) {
			all := []string{"TAILWATER_NATS_URL=nats://nats:4222"}
			for _, text := range []string{image, read(t, path)} {
				for _, match := range regexp.MustCompile(`(?m)\b(TAILWATER_[A-Z_]+)(?:=|: )"?([^\s"]+)"?`).FindAllStringSubmatch(text, -1) {
					all = append(all, match[1]+"="+match[2])
				}
			}
			environ(t, all...)
			s := load(t, "")
			if s.Embedded() || s.HTTP.Listen != ":8080" || len(s.Anonymous.Subscribe) != 1 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
