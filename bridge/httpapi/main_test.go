package httpapi_test

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	secrets.Plant(tokenSuffix, ticketPrefix, lookLikeAToken, "swordfish", plantedQuery)
	goleak.VerifyTestMain(m, goleak.Cleanup(secrets.Exit))
}
