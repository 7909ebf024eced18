package configs

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/hashicorp/go-envparse"
)

// readFile reads a file of NAME=value lines; an empty path means no file. Errors never show values.
func readFile(path string) (map[string]string, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s: the env file cannot be read: %w", path, reason(err))
	}
	values, err := envparse.Parse(bytes.NewReader(text))
	var parse *envparse.ParseError
	if errors.As(err, &parse) {
		return nil, fmt.Errorf("%s: line %d: %w; write NAME=value, with quotes around a value that holds # or quotes", path, parse.Line, parse.Err)
	}
	return values, err
}

// telemetry returns the variables of OpenTelemetry in a file, except those that the environment sets. A header among them may hold a token.
func telemetry(file map[string]string) map[string]Secret {
	found := map[string]Secret{}
	for name, value := range file {
		if _, isSet := os.LookupEnv(name); strings.HasPrefix(name, "OTEL_") && !isSet {
			found[name] = Secret{conceal(value, "***")}
		}
	}
	return found
}

// checkFiles checks that each file can be read. Errors show no path, because people put the secret itself there.
func (p *problems) checkFiles(s *Settings) {
	for _, file := range []struct{ name, path string }{
		{"NATS_CREDS", s.NATS.Creds},
		{"NATS_NKEY", s.NATS.Nkey},
		{"NATS_TLS_CA", s.NATS.TLS.CA},
		{"NATS_TLS_CERT", s.NATS.TLS.Cert},
		{"NATS_TLS_KEY", s.NATS.TLS.Key},
		{"HTTP_TLS_CERT", s.HTTP.TLS.Cert},
		{"HTTP_TLS_KEY", s.HTTP.TLS.Key},
	} {
		if file.path == "" {
			continue
		}
		if err := readable(file.path); err != nil {
			p.refuse(file.name, "its file cannot be read: %w; give the path of a readable file, not its content", err)
		}
	}
}

// checkEmbedConfig checks that the file of the embedded server can be read repeatedly: at the start, and at each SIGHUP.
func (p *problems) checkEmbedConfig(s *Settings) {
	if err := rereadable(s.Embed.Config); s.Embed.Config != "" && err != nil {
		p.refuse("EMBED_CONFIG", "its file cannot be read: %w; give the path of a readable file, not its content", err)
	}
}

// checkCertificate checks that a certificate can be served. Errors show neither the paths of the files nor their content.
func (p *problems) checkCertificate(s *Settings) {
	p.together(s, "HTTP_TLS_CERT", "HTTP_TLS_KEY")
	files := s.HTTP.TLS
	if readable(files.Cert) != nil || readable(files.Key) != nil {
		return // not set, or already reported
	}
	if _, err := files.Load(); err != nil {
		p.refuse("HTTP_TLS_CERT", "it cannot be served together with %s_HTTP_TLS_KEY: %w; both must be PEM files, the certificate followed by its intermediate certificates", Prefix, err)
	}
}

// Load reads the certificate and its key.
func (c Certificate) Load() (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
	return &pair, reason(err)
}

// readable opens a file if that has no side effect: a pipe, as from a shell's <(…), can be read only once.
func readable(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return reason(err)
	case info.IsDir():
		return errors.New("it is a directory")
	case !info.Mode().IsRegular():
		return nil
	}
	file, err := os.Open(path)
	if err != nil {
		return reason(err)
	}
	return file.Close()
}

// rereadable is readable for a file that is read more than once: a pipe would be empty the second time.
func rereadable(path string) error {
	if err := readable(path); err != nil {
		return err
	}
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return errors.New("it is read more than once, so it must be a regular file")
	}
	return nil
}

// reason strips operation and path from an error about a file. It returns nil for nil.
func reason(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
