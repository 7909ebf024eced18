package e2e

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// secrets overhears all that these tests let the command say: its logs, whatever their level, its metrics, its answers and its
// errors. What is planted in it must be in none of them; TestMain asks for the verdict.
var secrets bridgetest.Secrets

// What is planted before the first test. Tokens and tickets are when they are made.
const (
	tokenSecret  = "a-secret-for-tokens-of-32-bytes-or-more"
	ticketSecret = "another-for-tickets-of-32-bytes-or-more"
	natsPassword = "s3cret"
	plantedQuery = "QUERY-41f7a6c3" // is in the query of every request
)

// newTestLog returns a log that is checked for secrets.
func newTestLog(w io.Writer) *slog.Logger {
	return slog.New(secrets.Log(slog.NewTextHandler(w, nil)))
}

// withQuery adds what is planted to a URL.
func withQuery(url string) string {
	if strings.Contains(url, "?") {
		return url + "&planted=" + plantedQuery
	}
	return url + "?planted=" + plantedQuery
}

// overhearMetrics checks the metrics of a node.
func (n *testNode) overhearMetrics(t testing.TB) {
	t.Helper()
	if n.AdminURL() == "" {
		return
	}
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}
	for _, path := range []string{"/metrics", "/readyz"} {
		response, err := client.Get(n.AdminURL() + path)
		if err != nil {
			t.Errorf("GET %s: %v", path, err)
			continue
		}
		text, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			t.Errorf("GET %s: %v", path, err)
		}
		secrets.Overhear(string(text))
	}
}

// isSession tells the answer by which a session is given, which alone may hold a ticket, or a token in a cookie.
func isSession(response *http.Response) bool {
	return response.Request != nil && response.Request.URL.Path == "/session" && response.StatusCode == http.StatusOK
}
