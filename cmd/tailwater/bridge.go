package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/tailwater/tailwater/cmd/tailwater/client"
)

// bridgeFlags say where a bridge is, and how to reach it. The names of TLS files are those of the nats command.
type bridgeFlags struct {
	URL       string   `default:"http://127.0.0.1:8080" env:"TAILWATER_BRIDGE_URL" placeholder:"URL" help:"The bridge (${default})."`
	TokenFile string   `placeholder:"FILE" help:"File with a token, read again for each request. Without it, the token is that of the environment, TAILWATER_BRIDGE_TOKEN, if any."`
	Header    []string `short:"H" sep:"none" placeholder:"'NAME: VALUE'" help:"A header of the requests; can be repeated."`
	TLSCA     string   `name:"tlsca" placeholder:"FILE" help:"Certificates of the authorities to trust, instead of those of the system."`
	TLSCert   string   `name:"tlscert" placeholder:"FILE" help:"Certificate of this client, for a proxy that asks for one."`
	TLSKey    string   `name:"tlskey" placeholder:"FILE" help:"Key of that certificate."`
}

// open returns a client that gives up after the timeout, and tells on problems why attempts fail. Its errors are usage errors.
func (f *bridgeFlags) open(timeout time.Duration, problems io.Writer) (*client.Client, error) {
	config := client.Config{Patience: timeout, Token: f.token, Trouble: (&failures{to: problems}).tell}
	var err error
	if config.URL, err = parseBridge(f.URL); err != nil {
		return nil, usageError{err}
	}
	if config.Header, err = parseHeader(f.Header); err != nil {
		return nil, usageError{err}
	}
	if config.TLS, err = f.tls(); err != nil {
		return nil, usageError{err}
	}
	if _, err := f.token(); err != nil {
		return nil, usageError{err}
	}
	return client.New(config), nil
}

func parseBridge(text string) (*url.URL, error) {
	at, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("--url, or TAILWATER_BRIDGE_URL: this is not a URL")
	case at.Scheme != "http" && at.Scheme != "https" || at.Host == "":
		return nil, errors.New("--url, or TAILWATER_BRIDGE_URL: write http://host:port or https://host")
	case at.RawQuery != "" || at.Fragment != "":
		return nil, errors.New("--url, or TAILWATER_BRIDGE_URL: only the address of the bridge, without a query")
	}
	return at, nil
}

func parseHeader(lines []string) (http.Header, error) {
	header := http.Header{}
	for _, line := range lines {
		name, value, found := strings.Cut(line, ":")
		if !found || name == "" {
			return nil, fmt.Errorf("--header: write 'Name: value', not %q", name)
		}
		header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	return header, nil
}

// token returns the token for the next request.
func (f *bridgeFlags) token() (string, error) {
	if f.TokenFile == "" {
		return strings.TrimSpace(os.Getenv("TAILWATER_BRIDGE_TOKEN")), nil
	}
	text, err := os.ReadFile(f.TokenFile)
	if err != nil {
		return "", fmt.Errorf("--token-file: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

func (f *bridgeFlags) tls() (*tls.Config, error) {
	config := &tls.Config{}
	if f.TLSCA != "" {
		text, err := os.ReadFile(f.TLSCA)
		if err != nil {
			return nil, fmt.Errorf("--tlsca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("--tlsca: %s holds no certificate in PEM", f.TLSCA)
		}
	}
	switch {
	case f.TLSCert == "" && f.TLSKey == "":
		return config, nil
	case f.TLSCert == "" || f.TLSKey == "":
		return nil, errors.New("--tlscert and --tlskey: give both")
	}
	pair, err := tls.LoadX509KeyPair(f.TLSCert, f.TLSKey)
	if err != nil {
		return nil, fmt.Errorf("--tlscert: %w", err)
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}

// failures tells why attempts fail, once for attempts that fail in a row for the same reason.
type failures struct {
	to   io.Writer
	last string
}

func (f *failures) tell(err error, wait time.Duration) {
	if text := err.Error(); text != f.last {
		f.last = text
		fmt.Fprintf(f.to, "tailwater: %s; trying again, first in %v\n", text, wait.Round(100*time.Millisecond))
	}
}
