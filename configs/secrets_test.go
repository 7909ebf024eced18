package configs_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/configs"
)

// secrets overhears every refusal of these tests.
var secrets bridgetest.Secrets

func TestMain(m *testing.M) {
	secrets.Plant("swordfish", "tokenfish", goodSecret)
	secrets.Exit(m.Run())
}

// Secrets of tokens show nowhere, in whatever they are and however they are printed.
func TestTokenSecretsDoNotShow(t *testing.T) {
	environ(t, "TAILWATER_AUTH_JWT_SECRET=river "+goodSecret, "TAILWATER_AUTH_TICKET_SECRET=swordfish "+goodSecret)
	s := load(t, "")
	var out bytes.Buffer
	type hidden struct{ settings configs.Settings }
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		fmt.Fprintf(&out, verb+"\n"+verb+"\n"+verb+"\n"+verb+"\n", s, *s, s.Auth.JWTSecret, hidden{*s})
	}
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(handler).Info("settings", "all", s, "auth", s.Auth, "secret", s.Auth.TicketSecret)
	}
	asJSON, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{out.String(), string(asJSON)} {
		if !strings.Contains(shown, "***") {
			t.Error("nothing shows that there is a secret")
		}
	}
	out.Write(asJSON)
	concealed(t, out.String())
}

func TestSecretsDoNotShow(t *testing.T) {
	const url = "nats://river:swordfish@a.example:4222,tls://tokenfish@b.example"
	environ(t)
	for _, file := range []string{"", write(t, "prod.env", "TAILWATER_NATS_URL="+url+"\nOTEL_EXPORTER_OTLP_HEADERS=authorization=swordfish")} {
		if file == "" {
			t.Setenv("TAILWATER_NATS_URL", url)
		} else {
			environ(t)
		}
		s := load(t, file)
		same(t, "Reveal", s.NATS.URL.Reveal(), url)
		same(t, "String", s.NATS.URL.String(), "nats://***@a.example:4222,tls://***@b.example")

		var out bytes.Buffer
		type hidden struct{ settings configs.Settings }
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			fmt.Fprintf(&out, verb+"\n"+verb+"\n"+verb+"\n", s, *s, s.NATS.URL)
			fmt.Fprintf(&out, verb+"\n", hidden{*s})
		}
		for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			slog.New(handler).Info("settings", "all", s, "nats", s.NATS, "url", s.NATS.URL)
		}
		if err := json.NewEncoder(&out).Encode(s); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), "a.example") {
			t.Error("the hosts do not show")
		}
		concealed(t, out.String())
	}
}

// concealed fails where a secret of these tests shows, plainly or in hexadecimal.
func concealed(t *testing.T, text string) {
	t.Helper()
	for _, secret := range []string{"river", "swordfish", "tokenfish"} {
		if strings.Contains(text, secret) || strings.Contains(text, fmt.Sprintf("%x", secret)) {
			t.Errorf("%s shows in\n%s", secret, text)
		}
	}
}

func TestSecretsAreNotInErrors(t *testing.T) {
	for _, set := range []string{
		"TAILWATER_NATS_URL=http://river:swordfish@h",
		"TAILWATER_NATS_URL=nats://river:sword fish@h,nats://tokenfish@",
		"TAILWATER_NATS_URL=nats://river:12/swordfish@h", // what looks like a host, a port and a path
		"TAILWATER_NATS_URL=nats://river:12#swordfish@h",
		"TAILWATER_NATS_URL=nats://river:12?swordfish@h",
		"TAILWATER_NATS_URL=nats://river:%zzswordfish@h",
		"TAILWATER_NATS_URL=nats://river:swordfish@h:port",
		"TAILWATER_NATS_URL=river:swordfish@://h",
		"TAILWATER_NATS_URL=swordfish://h",
		"TAILWATER_NATS_CREDS=-----BEGIN swordfish",
		"TAILWATER_NATS_NKEY=swordfish",
		"TAILWATER_NATS_TLS_KEY=swordfish",
		"TAILWATER_AUTH_JWT_SECRET=swordfish",
		"TAILWATER_AUTH_TICKET_SECRET=swordfish",
		"TAILWATER_AUTH_JWT_PUBLIC_KEY=swordfish",
		"TAILWATER_AUTH_JWT_PUBLIC_KEY=-----BEGIN PRIVATE KEY----- swordfish",
		"TAILWATER_AUTH_JWKS_URL=https://river:swordfish@h/k",
		"TAILWATER_AUTH_JWKS_URL=://swordfish",
	} {
		environ(t, set)
		concealed(t, strings.Join(refused(t, ""), "\n"))
		environ(t)
		concealed(t, strings.Join(refused(t, write(t, "x.env", strings.Replace(set, "=", "='", 1)+"'")), "\n"))
	}
}

// Whatever is between :// and the last @ of a server is neither shown nor, if it is refused, told.
func FuzzServerURL(f *testing.F) {
	for _, login := range []string{"", "u:p", "a/b", "a#b", "a?b", "%", "[", "a@b", "1:2/3", "%2f"} {
		f.Add(login)
	}
	f.Fuzz(func(t *testing.T, login string) {
		if strings.Contains(login, ",") {
			return // that begins another server
		}
		var url configs.ServerURL
		shown := ""
		if err := url.Decode("nats://" + login + "SECRET@h"); err != nil {
			shown = err.Error()
		} else {
			shown = fmt.Sprintf("%v %+v %#v %s", url, &url, url, url.LogValue())
		}
		if strings.Contains(strings.ToUpper(shown), "SECRET") {
			t.Errorf("%q shows in %q", login, shown)
		}
	})
}
