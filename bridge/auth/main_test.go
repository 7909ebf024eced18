package auth_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		bridgetest.RemoveNATSServer()
		os.Exit(code)
	}))
}
