package live_test

import (
	"log"
	"log/slog"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/tailwater/tailwater/embed"
)

// natsURL is the URL of a NATS server for all tests.
var natsURL string

func TestMain(m *testing.M) { goleak.VerifyTestMain(withNATS{m}) }

// withNATS runs the tests with a NATS server.
type withNATS struct{ *testing.M }

// Run implements goleak.TestingM.
func (m withNATS) Run() int {
	dir, err := os.MkdirTemp("", "tailwater-live-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	server, err := embed.Start(embed.Config{
		Dir: embed.Setting[string]{Value: dir}, Listen: embed.Setting[string]{Value: "127.0.0.1:0"},
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		log.Fatal(err)
	}
	natsURL = server.URL()
	code := m.M.Run()
	if err := server.Stop(); err != nil {
		log.Print(err)
		code = max(code, 1)
	}
	return code
}
