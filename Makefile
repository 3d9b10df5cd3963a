# Lockstep. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
export PATH := $(PATH):/usr/local/go/bin

# No cgo, but for the race detector. One setting for build, vet and lint, so that they share one compile.
export CGO_ENABLED := 0

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
LINT_VERSION := v2.15.0
LINT := .tools/golangci-lint-$(LINT_VERSION)
FUZZTIME ?= 30s
KILLS ?= 200
SEED ?= 0
ONLY ?= each

# The race detector needs a C compiler. SQLite is machine-translated C with no goroutines of its own: instrumenting it
# finds nothing of ours and costs minutes. Only that package: without more of modernc.org, its copies of the standard
# library's code win at linking, and the detector reports races that are none.
RACE := $(if $(shell command -v gcc),CGO_ENABLED=1,)
RACEFLAGS := $(if $(RACE),-race -gcflags=modernc.org/sqlite/lib=-race=false,)

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## the binary, bin/lockstep
	go build -trimpath -ldflags '$(LDFLAGS)' -o bin/lockstep ./cmd/lockstep

.PHONY: demo
demo: build ## watch a Pimcore keep a Magento shop in step (stand-ins); under a minute
	bin/lockstep demo

.PHONY: demo-databases
demo-databases: build ## watch two databases being brought and kept in step; under a minute
	bin/lockstep demo databases

.PHONY: test
test: ## everything: vet, lint, all tests with the race detector, 20 kills -9
	@.ci/stage setup .ci/setup
	@failed=0; \
	.ci/stage vet go vet ./... || failed=1; \
	.ci/stage lint $(MAKE) lint || failed=1; \
	.ci/stage test $(MAKE) test-race || failed=1; \
	.ci/stage crash $(MAKE) test-crash || failed=1; \
	exit $$failed

.PHONY: test-race
test-race:
	@[[ -n "$(RACE)" ]] || echo "!! no C compiler: the tests run WITHOUT the race detector" >&2
	@go build -o .tools/testreport ./internal/testreport
	@$(RACE) .tools/testreport $(RACEFLAGS) -timeout 15m ./...

.PHONY: test-crash
test-crash: ## what the race detector would make too slow: the exhaustive crash test on the SQLite store, the whole Luma catalogue
	@go build -o .tools/testreport ./internal/testreport
	@.tools/testreport -timeout 10m -run 'TestCrashAnywhereInSQLite|TestLumaFromPimcoreToMagento|TestLumaThroughFaults' ./internal/engine ./internal/trial

.PHONY: test-short
test-short: ## a quick look: no race detector, no slow tests
	go test -short ./...

.PHONY: lint
lint: ## golangci-lint: style, traps, and the floors of the house
	@if ! [[ -x $(LINT) ]]; then \
		echo "installing golangci-lint $(LINT_VERSION) into .tools"; \
		if GOFLAGS= GOBIN=$$PWD/.tools/new go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION); \
		then mv .tools/new/golangci-lint $(LINT) && rmdir .tools/new; \
		elif [[ -n "$${LOCKSTEP_CI:-}" ]]; then exit 1; \
		else echo "!! golangci-lint cannot be installed: NOT LINTED" >&2; exit 0; fi; \
	fi; \
	[[ ! -x $(LINT) ]] || GOLANGCI_LINT_CACHE=$$PWD/.tools/lint-cache $(LINT) run --allow-parallel-runners ./...

.PHONY: gen
gen: ## everything that is generated from the code
	go generate ./...

.PHONY: bench
bench: build ## figures for docs/performance.md: 1,000,000 rows beside the limits of psql; about 20 minutes
	go run ./internal/bench -lockstep bin/lockstep -out docs/performance.md $(BENCHFLAGS)

.PHONY: chaos
chaos: build ## kill -9 the real binary 200 times under load for each tracker and database, and with a Magento, then compare (KILLS=, SEED=, ONLY=magento)
	go run ./internal/chaos/cmd/chaos -lockstep bin/lockstep -kills $(KILLS) -seed $(SEED) -only $(ONLY)

.PHONY: chaos-short
chaos-short: build ## the same with few kills and pairs, as `make test` has it
	go run ./internal/chaos/cmd/chaos -lockstep bin/lockstep -kills 10 -every 5 -seed $(SEED) -only short

.PHONY: fuzz
fuzz: ## every fuzz test for FUZZTIME (30s)
	@go list -f '{{.Dir}} {{.ImportPath}}' ./... | while read -r dir pkg; do \
		{ grep -hoE '^func Fuzz[A-Za-z0-9_]*' "$$dir"/*_test.go 2>/dev/null || true; } | awk '{print $$2}' | sort -u | while read -r name; do \
			echo "== $$pkg $$name"; go test -run '^$$' -fuzz "^$$name$$" -fuzztime $(FUZZTIME) "$$pkg"; \
		done; \
	done

.PHONY: cover
cover: ## the share of code that the tests reach, by package and in all
	go test -short -coverpkg ./... -coverprofile coverage.out ./...
	go tool cover -func coverage.out | tail -1

.PHONY: clean
clean: ## remove what was built
	rm -rf bin coverage.out
