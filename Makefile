# usherd. `make` alone says what there is.

GO            ?= go
LINT_VERSION  := v2.15.0
VERSION       ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS       := -s -w -X main.version=$(VERSION)
CACHE         := $(CURDIR)/.cache
TIMEOUT       ?= 40m# of each package's tests
FUZZTIME      ?= 10s# for each fuzz target
BENCH         ?=# what `make bench` measures: all

# The race detector needs a C compiler. Without one the tests still run, and say so.
# SQLite itself, C that was translated to Go, is left out: with the detector it takes most of the time of all tests, and
# each connection is used by one goroutine at a time. Its driver, which sees to that, is watched; its allocator is C's.
UNWATCHED := modernc.org/sqlite/lib modernc.org/libc/... modernc.org/memory
RACE      := $(if $(shell command -v gcc || command -v clang),-race $(UNWATCHED:%=-gcflags=%=-race=false),)

# What go test would look at by itself is looked at by `make vet`, with more.
GOTEST := $(GO) run ./internal/gotest -vet=off -count=1 -timeout=$(TIMEOUT)

# What the race detector has no time for, or for all of: disasters in each mode, all lots that the suite of the store
# draws (on SQLite, and on PostgreSQL behind a pooler).
WITHOUT_RACE := Disaster|EmptiedOU|ClockJumps|TestDirectoryRestored|DomainControllerRestored|BehindAPooler|RandomSignals|TestConformance/sqlite

# What it has nothing to look at, one goroutine at work: plans and costs of the store, records that are packed, reports about a million,
# and directories that are read by one command after the other. Followed live, with kills, they are read with the detector.
ONE_AT_WORK := PackedRecordsComeBack|AMillionPeopleNeed|DoorOfManyUsers|OneMemberOfALargeGroup|LastPageCosts|ConditionPlans|PlansOfPostgres|ScriptOfChanges|ScriptOnSlapd$$

# What runs on SQLite, and then on PostgreSQL: each package whose tests take a store from newstore. connector/store does both at
# once. Those tests are left out
# - that have been on PostgreSQL already, whatever the environment says: replicas, and what only they can do;
# - that are about a file (the fleet, some commands, the demo), or no store (alarms, what is deployed);
# - changes of real directories: what one says is the same before either store, so that slapd with kills stands for all;
# - browsers: they ask for the pages that other tests of the console ask for on PostgreSQL.
ON_BOTH   := $(filter-out ./connector/store/,$(sort $(dir $(shell grep -rl --include=*_test.go '"usherd/connector/store/newstore"' . 2>/dev/null))))
NOT_AGAIN := ReplicasAre|ReplicasOutlive|ReplicasHave|ReplicasReport|OneReplicaLeads|OlderReplica|LeadThatIsLost|NextLeaderDoes|ClaimsEndByTimeOnce|ServiceManagerHears
NOT_AGAIN := $(NOT_AGAIN)|ScriptsOnFiles|TwoDaemonsOnOneFile|TestFleet$$|TestDemo|TestAlarms|TestPrometheus|TestCompose|TestImage|TestKubernetes
NOT_AGAIN := $(NOT_AGAIN)|ScriptOfChanges|ScriptOnSlapd$$|ScriptOnSamba|ScriptByUSNOnSamba|ScriptOn389ds|OfSamba|RealDirectoryRestored.*/Samba|NestedMembershipsArrive.*/Samba|ByARealIdentityProvider
NOT_AGAIN := $(NOT_AGAIN)|InABrowser

# A linter of the pinned version that is there already is used; else one is built into .cache/bin.
LINT := $(shell for l in $(CACHE)/bin/golangci-lint "$$(command -v golangci-lint)" "$$($(GO) env GOPATH)/bin/golangci-lint"; do \
	[ -x "$$l" ] && "$$l" version 2>/dev/null | grep -q "version $(LINT_VERSION:v%=%) " && echo "$$l" && break; done)
ifeq ($(LINT),)
LINT := $(CACHE)/bin/golangci-lint
endif

.DEFAULT_GOAL := help

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

build: ## build ./bin/usherd for this machine
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/usherd$(shell $(GO) env GOEXE) ./cmd/usherd

demo: build ## a directory of 1,000 people, a first sync and the daemon, all in a temporary folder
	bin/usherd$(shell $(GO) env GOEXE) demo || [ $$? = 3 ] # 3: some people were refused, which is what it shows

test: test-servers ## all tests, with real servers (as root: Samba and 389-ds too)
	@[ -n "$(RACE)" ] || echo 'NO C COMPILER: the tests run without the race detector: apt-get install gcc libc6-dev' >&2
	$(GOTEST) $(RACE) -skip='$(ONE_AT_WORK)' -shuffle=on ./...
	$(GOTEST) -run='$(WITHOUT_RACE)|$(ONE_AT_WORK)' ./cmd/usherd ./connector/store ./connector/provision ./connector ./connector/report
	USHERD_TEST_STORE=postgres $(GOTEST) -short -shuffle=on -skip='$(NOT_AGAIN)' $(ON_BOTH)

test-servers: ## install the servers that tests use, where they are missing and it is possible
	@.ci/servers

test-patroni: ## PostgreSQL under Patroni and etcd, which it installs: leaders killed and frozen while clients write
	@.ci/servers patroni
	$(GO) run ./internal/gotest -tags=patroni -run=Patroni -count=1 -timeout=$(TIMEOUT) ./internal/testpg ./connector/store

test-scim: ## what scim2-tester, an independent check, says of the SCIM door
	@GO='$(GO)' .ci/test-scim

test-api: ## what schemathesis finds that asks the API for everything that its document describes
	@GO='$(GO)' .ci/test-api

test-browser: ## administrators' ways through the console in a real Chromium, by Playwright and axe-core (USHERD_SHOTS=DIR: pictures)
	@GO='$(GO)' .ci/test-browser

check: fmt-check vet lint test ## everything that has to pass before a change is merged

fmt: $(LINT) ## format the code
	$(LINT) fmt

fmt-check: $(LINT) ## say what is not formatted
	$(LINT) fmt --diff

vet: ## go vet, for Linux and Windows
	$(GO) vet ./...
	GOOS=windows $(GO) vet ./...

lint: $(LINT) ## golangci-lint, in the pinned version
	$(LINT) run --timeout=30m

$(CACHE)/bin/golangci-lint:
	GOBIN=$(CACHE)/bin $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)

fuzz: ## each fuzz target for a moment (FUZZTIME=10s)
	@GO='$(GO)' FUZZTIME='$(FUZZTIME)' .ci/fuzz

bench: test-servers ## measure usherd next to ldapsearch and a bare HTTP server (BENCH='directory start' picks some)
	$(GO) run ./internal/bench $(BENCH)

cross: ## build ./dist for Linux and Windows, amd64 and arm64
	@set -e; for os in linux windows; do for arch in amd64 arm64; do \
		out=dist/usherd-$$os-$$arch; [ $$os = linux ] || out=$$out.exe; echo $$out; \
		CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $$out ./cmd/usherd; done; done

clean: ## remove what was built, and the cached test domains and clusters
	rm -rf bin dist .cache console/tour/node_modules "$${XDG_CACHE_HOME:-$$HOME/.cache}/usherd-test"

.PHONY: help build demo test test-servers test-patroni test-scim test-api test-browser check fmt fmt-check vet lint fuzz bench cross clean
