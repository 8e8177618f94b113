# Targets are for people and CI alike; everything they need comes from the Go module proxy.
GO      ?= go
BIN     := bin
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS := -s -w -X main.version=$(VERSION)
ORACLES := test test/flux test/transit test/kms test/keyless
GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

.PHONY: build demo test test-product test-oracles flux lint generate bench conformance clean help

build: ## artifactctl and every signer-* into bin/
	$(GO) build -ldflags '$(LDFLAGS)' -o $(BIN)/ ./cmd/... ./plugins/signer-...

demo: build ## publish the examples on the embedded registry, verify them, and publish again
	./examples/demo.sh $(BIN)

test: test-product test-oracles ## every test, oracles included

test-product: ## the product's own tests, with the race detector
	$(GO) vet ./...
	$(GO) test -race ./...

test-oracles: ## cosign, Flux's verification, real registries, Vault's transit engine, key services, a private Sigstore
	for module in $(ORACLES); do (cd $$module && $(GO) vet ./... && $(GO) test -timeout 30m ./...) || exit 1; done

flux: ## the whole circle on a real Flux and a real API server; the first time it builds them, which takes minutes
	cd test && ARTIFACTCTL_TEST_CLUSTER=1 $(GO) test -count=1 -parallel 6 -timeout 60m ./cluster

lint: ## golangci-lint, pinned
	$(GO) run $(GOLANGCI) run ./...
	for module in $(ORACLES); do (cd $$module && $(GO) run $(GOLANGCI) run --config $(CURDIR)/.golangci.yml ./...) || exit 1; done

generate: ## protocol, schemas and generated docs; a test fails when they are stale
	$(GO) generate ./plugins/signer/rpc/...
	$(GO) run ./schema/generate
	$(GO) test ./cmd/artifactctl -run TestCLIDocs -update-docs

bench: ## against a real registry on loopback; prints markdown
	$(GO) test -run '^$$' -bench . -benchmem ./internal/...
	cd test && $(GO) run ./bench
	cd test/transit && $(GO) run ./bench

conformance: ## sigstore's own vectors through our verifier; DIR is a checkout of sigstore/sigstore-conformance
	SIGSTORE_CONFORMANCE=$(abspath $(DIR)) $(GO) test -count=1 -v -run TestConformance ./internal/attest

clean: ## remove what build and the examples leave
	rm -rf $(BIN) out

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14
