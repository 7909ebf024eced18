package auth_test

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	secrets.Plant(secret, ticketSecret, "swordfish")
	goleak.VerifyTestMain(m, goleak.Cleanup(secrets.Exit))
}
