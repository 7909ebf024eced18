package auth_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

func TestMain(m *testing.M) {
	secrets.Plant(secret, ticketSecret, "swordfish")
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		bridgetest.RemoveBinaries()
		secrets.Exit(code)
	}))
}
