# The race detector needs a C compiler; without one the tests run all the same. In CI it is not optional.
HAS_CC := $(shell command -v $$(go env CC) >/dev/null 2>&1 && echo yes)
RACE   := $(if $(or $(HAS_CC),$(CI)),-race)

# make lint vets; a test binary without DWARF links in half the time, and its stack traces are the same.
LEAN := -vet=off -ldflags=-w

# Each process with the race detector would wait a second at its end, for goroutines that report: the leak checks have shown that there are none.
DETECT := CGO_ENABLED=1 GORACE=atexit_sleep_ms=10

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOFUMPT     := mvdan.cc/gofumpt@v0.12.0
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0

.PHONY: run test clients soak chaos lint vulncheck fmt bench fuzz generate release

run: ## run the bridge with its embedded NATS
	go run ./cmd/tailwater

test: ## run every test in its short form; one that takes long, and is not the first to find what breaks its promise, is left to make soak
	$(if $(RACE),,@echo "no C compiler: testing without the race detector")
	$(if $(RACE),$(DETECT) )go test $(RACE) $(LEAN) -count=1 -timeout=10m -p=4 -parallel=6 ./cmd/tailwater/e2e ./bridge/source ./bridge/outlet ./... # the longest first, and more at once than there are processors: tests wait for most of their time

CLIENTS := cmd/tailwater/e2e/clients
$(CLIENTS)/node_modules: $(CLIENTS)/package-lock.json
	npm ci --prefix=$(CLIENTS) --ignore-scripts --no-audit --no-fund --loglevel=error

clients: $(CLIENTS)/node_modules ## run the clients of others against the bridge, three minutes at most; CLIENTS.md has the table
	go test -count=1 -timeout=10m -parallel=20 -run='^TestClients$$' ./cmd/tailwater/e2e/clients -clients

soak: $(CLIENTS)/node_modules ## run the chaos tests and attacks in their long form, proxies, all pages but the chat page in Chromium, each missing permission and limit of NATS, the commands that check prints, the rule of gaps on many streams, the faults of make chaos once each, and the whole comparison: fifteen minutes
	go test -count=1 -timeout=20m -parallel=6 -run='^TestChaos|^TestPages|^TestClient$$|^TestHostilePages$$|^TestExamplesWork$$|^TestExamplesOfNATS$$|^TestCookieOverTLS$$|^TestWithoutOnePermission$$|^TestAtOneLimit$$|^TestPermissionsInADomain$$|^TestHostileRequestsOverHTTP2$$|^TestPeople$$|^TestInspect$$|^TestSignedInPages$$|^TestProxies|^TestGracefulRestart|^TestSinceStorm$$|^TestFiftyThousandSubjects$$|^TestAttacksOverHTTP2$$|^TestHostileRequests$$|^TestPermissionsAreLeast$$|^TestCheckNamesMissingPermissions$$|^TestSignIn$$|^TestTrickledRequests$$|^TestHeaderBombs$$|^TestPublishFlood$$|^TestBodiesWithoutEndShareMemory$$|^TestSilentSocketsKeepNobodyOut$$|^TestFullBridgeAnswers$$|^TestSubAndPubOutlastKills$$|^TestSubOutlastsAgeAndDrains$$|^TestReleaseRuns$$|^TestDashboardMoves$$|^TestFloodInContainer$$|^TestMemoryOfTheProcess$$' ./cmd/tailwater/e2e -soak
	cd cmd/tailwater/e2e && go test -count=1 -timeout=10m -parallel=12 -short -chaos -chaos-only='^TestChaos(BridgesAreRolled|CertificateIsExchanged|Clock|ClusterIsRolled|DamagedFolder|DelayedLink|Descriptors|FullDisk|HalfOpenClients|Herd|LeaderIsKilled|LeaderIsPaused|LinkToBrowsers|LinkToNATS|MemoryLimit|PermissionsAreChanged|StalledClients|StreamIsDeleted)$$'
	TAILWATER_HTTP_LOOPS=0 go test -count=1 -timeout=15m -run='^TestChaosClientsAreCut$$|^TestChaosFlood$$|^TestChaosBridgeIsKilledEmbedded$$|^TestChaosRetention$$' ./cmd/tailwater/e2e -soak
	go test -count=1 -run='^TestGroundTruth$$|^TestAbsenceIsLogged$$|^TestUntilCostsFewRequests$$|^TestUntilGivesWhatIsStored$$|^TestNewestIsReadInPages$$|^TestHiddenStreamCostsLimitedQuestions$$|^TestSilentStreamCostsFewQuestions$$|^TestServerThatTakesNothingIsGivenUp$$|^TestEveryCommandMends$$|^TestLittleOfASearchIsOnTheWay$$' ./bridge/source -soak
	go test -count=1 -run='^TestCompare$$|^TestFleets$$' ./cmd/compare -soak

chaos: ## bring about every fault of RELIABILITY.md, and write what was measured into it; Linux, as root where a small disk and a memory limit are wanted
	cd cmd/tailwater/e2e && go test -count=1 -timeout=20m -parallel=12 -chaos

lint: ## check style, the order of imports, and the manifests of configs/deploy
	go mod tidy -diff
	go vet ./...
	cd $(CLIENTS)/go && go mod tidy -diff && go vet ./...
	cd configs/deploy/strict && go mod tidy -diff && go vet ./... && go test -count=1 ./...
	go run $(STATICCHECK) ./...
	@unformatted=$$(go run $(GOFUMPT) -l .) && test -z "$$unformatted" || { echo "run make fmt for: $$unformatted"; exit 1; }
	go test -count=1 -run TestImportsRunOneWay ./cmd/tailwater

vulncheck: ## look for known vulnerabilities in what is called, where their database can be reached
	@report=$$(go run $(GOVULNCHECK) ./... 2>&1) && echo "$$report" || { echo "$$report"; \
		case "$$report" in \
		*"govulncheck: fetching vulnerabilities:"*) echo "vulncheck: passed over, because the vulnerability database cannot be reached from here" ;; \
		*) exit 1 ;; \
		esac; }

fmt: ## format
	go run $(GOFUMPT) -w .

# A quick look: make bench ROUNDS=1 DURATION=1s SETTLE=1s BENCHTIME=1x. With RECORD=yes the documents say what came out.
BENCHTIME := 1s
ROUNDS    := 3
DURATION  := 3s
SETTLE    := 140s
bench: ## measure: the micro-benchmarks, Tailwater beside others, and bridges in front of NATS (sixteen minutes)
	go test -run='^$$' -bench=. -benchmem -benchtime=$(BENCHTIME) ./...
	go run ./cmd/compare -rounds=$(ROUNDS) -duration=$(DURATION) -settle=$(SETTLE) $(if $(RECORD),-record)
	go run ./cmd/compare -reach -rounds=$(ROUNDS) -duration=$(DURATION) $(if $(RECORD),-record)

FUZZTIME := 20s
fuzz: ## look for inputs that break a parser, FUZZTIME each
	@for package in $$(go list ./bridge/... ./configs/...); do \
		for target in $$(go test -list '^Fuzz' $$package | grep '^Fuzz'); do \
			echo "$$package $$target"; go test -run='^$$' -fuzz="^$$target\$$" -fuzztime=$(FUZZTIME) $$package || exit 1; \
		done; \
	done

generate: ## write the documentation of the settings and of the command, and the README's picture
	go generate ./...
	go test -count=1 -run TestScreenshot ./cmd/tailwater/e2e -screenshot="$(CURDIR)/.github/chat.png"

release: ## build what is released into dist: archives, Debian packages, images, checksums
	rm -rf dist
	.ci/release dist
