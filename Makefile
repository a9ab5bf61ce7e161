# make run builds and serves a development server; make check is what a change
# must pass; make help lists the rest. Only race needs a C compiler, static and
# test need Node.js with npm (for the types of the console's scripts, and for real clients).
GO      ?= go
PACKAGES = ./...
BINARY  := postern
FUZZTIME ?= 20000x
export CGO_ENABLED = 0

.PHONY: help run build test e2e check static race fuzz bench bench-large clean

help:
	@echo "run    build and start a development server"
	@echo "build  build the binary ./$(BINARY)"
	@echo "test   the whole test suite, with real clients from npm"
	@echo "e2e    the tests against real identity providers, with a browser (Debian packages and npm, as root)"
	@echo "check  static checks, build, test, race, a short fuzz"
	@echo "race   the tests where goroutines meet, under the race detector (needs a C compiler)"
	@echo "fuzz   every fuzz target, FUZZTIME ($(FUZZTIME)) inputs each"
	@echo "bench  measure, side by side with the floors of this machine (bench.html, bench.json)"
	@echo "bench-large  the same with 10 million entities: 20 GiB, an hour"
	@echo "clean  remove what was built"

run: build
	./$(BINARY) dev

build:
	$(GO) build -trimpath -ldflags "-s -w" -o $(BINARY) .

test:
	$(GO) test -timeout 14m $(PACKAGES)

# One package at a time: each starts servers of its own, a domain controller among them.
# Always anew: the tool that remembers results does not see what those are made of.
e2e:
	$(GO) test -count=1 -p 1 -tags e2e -timeout 28m ./auth/mic/... ./engine/identity ./engine/console
	$(GO) test -count=1 -tags e2e -run '^TestBrowser' -timeout 10m ./engine/clients

static:
	@test -z "$$(gofmt -l .)" || { echo "gofmt would change:"; gofmt -l .; exit 1; }
	$(GO) vet -tags e2e $(PACKAGES)
	$(GO) tool staticcheck -tags e2e $(PACKAGES)
	for os in linux darwin; do for arch in amd64 arm64; do GOOS=$$os GOARCH=$$arch $(GO) build -o /dev/null . || exit 1; done; done
	GOOS=windows GOARCH=amd64 $(GO) build -o /dev/null .
	$(GO) test -run '^(TestAssets|TestTypes)$$' ./engine/console

check: static build test race fuzz

# Inputs are counted, not timed: a time limit that ends in the middle of an input
# is reported as a failure now and then.
# -short: the long histories run without the detector, in test.
race:
	CGO_ENABLED=1 $(GO) test -short -race -tags invariants -timeout 14m ./acl ./auth/... ./engine ./engine/store

fuzz:
	@set -e; for p in $$($(GO) list $(PACKAGES)); do \
	  for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz' || true); do \
	    echo "fuzz $$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$p; \
	  done; done

bench: build
	./$(BINARY) bench --json bench.json --html bench.html

bench-large: build
	./$(BINARY) bench --only workload --entities 100000,10000000 --json bench-large.json --html bench-large.html

clean:
	rm -f $(BINARY) bench.json bench.html bench-large.json bench-large.html
