# Every target works from a fresh clone; tools are installed into .cache/bin.

GO        ?= go
VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS   := -s -w -X main.version=$(VERSION)
TOOLS     := $(CURDIR)/.cache/bin
LINT      := $(TOOLS)/golangci-lint
LINT_VERSION := v2.15.0
FUZZTIME  ?= 30s

.PHONY: all build test race tools lint generate check examples fuzz crash damage kill hop rotate faults bench bench-inputs bench-large bench-peers bench-hop bench-all e2e stress clean help

all: build

help: ## list the targets
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

build: ## bin/flume, and bin/flume-ng for those who have it in their scripts
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/flume ./cmd/flume
	ln -sf flume bin/flume-ng

test: ## the whole suite: no network, no other programs
	$(GO) test ./...

race: ## the suite with the race detector; released memory is poisoned
	$(GO) test -race -shuffle=on ./...

lint: $(LINT) ## formatting, static analysis, the direction of imports
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo "run gofmt"; exit 1; }
	$(GO) vet ./...
	$(LINT) run ./...

tools: $(LINT) ## the linter, into .cache/bin

$(LINT):
	@mkdir -p $(TOOLS)
	GOBIN=$(TOOLS) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)

generate: ## all/all.go, property tables, the reference
	$(GO) generate ./all

examples: build ## check and run every example.conf
	$(GO) test -tags examples -count=1 ./examples/...

check: lint test race examples ## what CI runs, without the real systems

fuzz: ## every fuzz target for $(FUZZTIME)
	./scripts/fuzz $(FUZZTIME)

stress: ## long randomized runs: reloads under load
	FLUME_STRESS=3000 $(GO) test -count=1 -timeout 30m -run 'Stress' -v ./agent/...

crash: ## power cuts and faults at any operation of the log and the file channel, COUNT states on all cores; SEED repeats a run
	GO=$(GO) ./scripts/crash $(or $(COUNT),20000) $(SEED)

damage: ## a log with one bit inverted, or cut off, at each of its bytes, SIZE (1048576) of them, on all cores
	GO=$(GO) ./scripts/damage $(or $(SIZE),1048576)

kill: ## kill -9 of an agent with a file channel under load, COUNT times; SEED repeats a run
	FLUME_KILLS=$(or $(COUNT),1000) FLUME_KILL_SEED=$(SEED) $(GO) test -tags e2e -count=1 -timeout 2h -run 'TestFileChannelKill$$' -v ./e2e

hop: ## a bad network and kill -9 between three agents, COUNT faults; SEED repeats a run
	FLUME_HOPS=$(or $(COUNT),5000) FLUME_HOP_SEED=$(SEED) $(GO) test -tags e2e -count=1 -timeout 2h -run 'TestHopFaults$$' -v ./e2e

rotate: ## logs rotated by logrotate under load, COUNT of them, with kill -9 of the agent; SEED repeats a run
	FLUME_ROTATIONS=$(or $(COUNT),5000) FLUME_ROTATE_SEED=$(SEED) $(GO) test -tags e2e -count=1 -timeout 2h -run 'TestLogrotate$$' -v ./e2e

faults: ## plant faults in a copy of the log and the file channel; the suite must notice each
	GO=$(GO) ./scripts/faults/run

bench: build ## the agent, its parts and bare programs, in less than half an hour
	$(GO) run ./bench/cmd/flumebench -flume bin/flume

bench-large: build ## a backlog of 10 GiB: opening and reading it
	$(GO) run ./bench/cmd/flumebench large -flume bin/flume

bench-peers: build ## Apache Flume (downloads are cached), rsyslog and syslog-ng on the same work
	./e2e/setup.sh
	$(GO) run ./bench/cmd/flumebench peers -flume bin/flume

bench-inputs: build ## sources for files, syslog and HTTP; a part of bench
	$(GO) run ./bench/cmd/flumebench inputs -flume bin/flume

bench-hop: build ## one agent passing events on to another; also two of Apache Flume (downloads are cached)
	./e2e/setup.sh
	$(GO) run ./bench/cmd/flumebench hop -flume bin/flume

bench-all: build ## all of these, into the tables of docs/performance.md
	./e2e/setup.sh
	$(GO) run ./bench/cmd/flumebench all -flume bin/flume -run '^(tcp-lines|idle|connections|backlog|staged|file-channel)' -into docs/performance.md
	$(GO) run ./bench/cmd/flumebench -flume bin/flume -micro=false -runs 7 -run '^(wal-|tcp-(durable|answered))' -into docs/performance.md -section durable
	$(GO) run ./bench/cmd/flumebench inputs -flume bin/flume -into docs/performance.md -section inputs
	$(GO) run ./bench/cmd/flumebench hop -flume bin/flume -into docs/performance.md -section hop

e2e: build ## against real systems: Java Flume, ZooKeeper (downloads are cached)
	./e2e/setup.sh
	$(GO) test -tags e2e -count=1 -timeout 20m ./e2e/...

clean:
	rm -rf bin/flume bin/flume-ng dist
