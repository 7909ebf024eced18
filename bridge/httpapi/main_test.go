package httpapi_test

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	secrets.Plant(tokenMark, ticketMark, lookLikeAToken, "swordfish", plantedQuery)
	goleak.VerifyTestMain(m, goleak.Cleanup(secrets.Exit))
}
