package check_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/cmd/tailwater/check"
	"github.com/tailwater/tailwater/cmd/tailwater/nodetest"
)

// Whoever cannot be asked refuses nothing: the remedy is not to allow more.
func TestWhatIsUnknownIsNotRefused(t *testing.T) {
	s := nodetest.Settings(t, map[string]string{"NATS_URL": "nats://127.0.0.1:1", "ANONYMOUS_SUBSCRIBE": "chat.>"})
	full := errors.New("maximum connections exceeded")
	dial := func(...nats.Option) (*nats.Conn, error) { return nil, full }
	if err := check.Permitted(s, dial); !errors.Is(err, full) || strings.Contains(err.Error(), "allow") {
		t.Errorf("got %v", err)
	}
	var out strings.Builder
	if check.WriteService(&out, s, dial); !strings.Contains(out.String(), "nats micro info") || strings.Contains(out.String(), "!") {
		t.Errorf("check says:\n%s", out.String())
	}
}
