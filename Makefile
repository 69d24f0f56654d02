# Targets for users: all (default), demo, test, bench, bench-api, bench-ipam, test-long, test-crash, vuln. See README.md.
GO      ?= go
BIN     := $(CURDIR)/bin
LDFLAGS := -s -w
BUILD   := CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)'

.PHONY: all lab reference demo test vet bench bench-api bench-ipam test-long test-crash vuln clean

all:
	@mkdir -p $(BIN)
	$(BUILD) -o $(BIN)/ ./cmd/moat ./cmd/moat-cni ./cmd/moat-ipam

lab: all
	$(BUILD) -o $(BIN)/ ./cmd/moat-demo ./cmd/moat-bench ./cmd/moat-bench-api ./cmd/moat-bench-ipam

demo: lab
	$(BIN)/moat-demo --bin $(BIN)

# The plugins that the benchmark compares with, from their own module.
reference:
	@mkdir -p $(BIN)/reference
	$(BUILD) -o $(BIN)/reference/ github.com/containernetworking/plugins/plugins/main/bridge github.com/containernetworking/plugins/plugins/ipam/host-local

bench: lab reference
	$(BIN)/moat-bench --bin $(BIN) --max-ratio 0.5

bench-api: lab
	$(BIN)/moat-bench-api --dir /var/tmp --max-ratio 1.3 --max-get-p99 5ms

bench-ipam: lab
	$(BIN)/moat-bench-ipam

vet:
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

# Root and network namespaces are needed; nothing is skipped without them.
test: vet all
	@test "$$(id -u)" = 0 || { echo "make test makes network namespaces: run it as root"; exit 1; }
	$(GO) test -race -timeout 45m ./...

# What takes long: the same tests with the numbers that the project promises.
test-long: vet all
	MOAT_TEST_LONG_OPS=1000000 $(GO) test -timeout 60m -run TestProcessesFightForAddresses -v ./ipam/etcdkv
	MOAT_TEST_CONTENTION=1m $(GO) test -race -timeout 20m -run TestContention -v ./sdn/topology
	MOAT_TEST_CROWD_TENANTS=200 $(GO) test -timeout 30m -run TestFirstPodsOfManyTenants -v ./cmd/internal/e2e
	MOAT_TEST_RANDOM_STEPS=10000 MOAT_TEST_RANDOM_SEED=2 MOAT_TEST_RANDOM_SEEDS=20 $(GO) test -timeout 6h -run TestRandomSteps -v ./cmd/internal/crash

# Kills the daemon and the plugins at every step that changes something outside them,
# takes out every undo, and has what the daemon depends on go wrong under every operation.
test-crash:
	@test "$$(id -u)" = 0 || { echo "make test-crash makes network namespaces: run it as root"; exit 1; }
	MOAT_TEST_CRASH_EVERY_POINT=1 MOAT_TEST_RANDOM_STEPS=10000 $(GO) test -timeout 60m -v ./cmd/internal/crash
	MOAT_TEST_FAULTS_ALL=1 $(GO) test -timeout 30m -v ./cmd/internal/faults

# Known vulnerabilities that the programs reach. It reads a database from the
# Internet, or another one that VULNDB names, and so is not a part of test.
VULNDB   ?= https://vuln.go.dev
VULNPKGS ?= ./...
vuln:
	$(GO) run golang.org/x/vuln/cmd/govulncheck@v1.6.0 -db $(VULNDB) $(VULNPKGS)

clean:
	rm -rf $(BIN)
