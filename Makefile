# Every step of CI is a target here. `make help` lists them.
SHELL := /bin/bash -o pipefail
.DEFAULT_GOAL := help

CARGO ?= cargo
TOOLS := $(CURDIR)/target/tools
DENY_VERSION := 0.20.2
CASES ?= 20000
STATIC_TARGET := $(shell uname -m)-unknown-linux-gnu
GENERATED := docs/snippets definitions/crd addon/image-gitops/definitions addon/image-gitops/resources/image-gitops.dev_imagegitops.yaml charts/image-gitops/files
IMAGE_ARCHIVE ?= target/image-gitops.tar
say = @printf '\n== %s\n' "$(1)"

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build the program: target/release/image-gitops
	$(CARGO) build --release --locked -p image-gitops

# The target is named so that build scripts and macros, which the machine itself runs, stay dynamic.
.PHONY: static
static: ## Build the program for a container: no library is needed
	RUSTFLAGS="-C target-feature=+crt-static" $(CARGO) build --release --locked --target $(STATIC_TARGET) -p image-gitops

.PHONY: image
image: static ## Build the container image as an OCI archive: make image IMAGE_ARCHIVE=FILE
	@tests/image target/$(STATIC_TARGET)/release/image-gitops "$(IMAGE_ARCHIVE)"

.PHONY: demo
demo: ## Show one update from a pushed tag to a commit; needs Rust and nothing else
	$(call say,building the program and the demo)
	$(CARGO) build --locked -p image-gitops -p image-gitops-tests --bins
	@target/debug/demo target/debug/image-gitops

.PHONY: test
test: tools ## Run every test, against a real registry, Git server and Kubernetes; needs Rust, Go, git and python3
	$(call say,running the tests)
	$(CARGO) test --locked --workspace --no-fail-fast 2>&1 | tee target/test.log
	$(call say,checking the definitions the addon and the chart)
	@tests/definitions 2>&1 | tee -a target/test.log
	@tests/count target/test.log

.PHONY: tools
tools:
	@command -v git >/dev/null || { echo "make test needs git: it serves and checks the repositories of the tests" >&2; exit 1; }
	$(call say,finding or building the servers that the tests use)
	$(CARGO) run --locked --quiet -p image-gitops-tests --bin tools

.PHONY: lint
lint: ## Check format, lints, docs, dependencies and generated files
	$(call say,format)
	$(CARGO) fmt --all --check
	$(call say,lints)
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	$(call say,documentation)
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps --quiet
	$(call say,dependencies and their licences)
	@$(MAKE) --no-print-directory deny
	$(call say,generated files)
	@$(MAKE) --no-print-directory check-generated

.PHONY: deny
deny:
	@command -v cargo-deny >/dev/null || [ -x $(TOOLS)/bin/cargo-deny ] || { \
	  echo "installing cargo-deny $(DENY_VERSION) into target/tools"; \
	  $(CARGO) install cargo-deny --version $(DENY_VERSION) --locked --debug --quiet --root $(TOOLS); }
	PATH="$(TOOLS)/bin:$$PATH" $(CARGO) deny --locked --offline check bans licenses sources

.PHONY: generate
generate: tools ## Write the generated files again: the CRD, the copies of addon and chart, docs/snippets
	$(CARGO) build --locked -p image-gitops -p image-gitops-tests --bins
	@tests/generate target/debug
	@target/debug/image-gitops crd > definitions/crd/image-gitops.dev_imagegitops.yaml
	@tests/generate-addon

.PHONY: check-generated
check-generated:
	@$(MAKE) --no-print-directory generate >/dev/null
	@[ -z "$$(git status --porcelain -- $(GENERATED))" ] || { git --no-pager diff --stat -- $(GENERATED); echo "these files are not what is generated: run make generate and commit" >&2; exit 1; }
	@tests/check-translations

.PHONY: fire
fire: tools ## Play faults, deaths and races, and random faults for long: make fire SEED=7 CYCLES=10000
	@seed=$(SEED); seed=$${seed:-$$RANDOM$$RANDOM}; printf '\n== seed %s\n' "$$seed"; \
	  FIRE_SEED=$$seed FIRE_CYCLES=$(CYCLES) $(CARGO) test --locked -p image-gitops --test fire -- --nocapture --test-threads 1

.PHONY: fuzz
fuzz: ## Run the fuzz targets and property tests for long: make fuzz CASES=100000
	$(call say,$(CASES) inputs of every target)
	$(CARGO) run --locked --quiet --profile fuzz -p image-gitops-fuzz -- $(CASES) $(SEED)
	$(call say,$(CASES) cases of every property)
	PROPTEST_CASES=$(CASES) $(CARGO) test --locked --profile fuzz -p image-gitops-core --test edit_properties --test policy_properties --test docker_config --test webhook --test step
	PROPTEST_CASES=$(CASES) $(CARGO) test --locked --profile fuzz -p image-gitops-git -p image-gitops-registry --lib
	PROPTEST_CASES=$(CASES) $(CARGO) test --locked --profile fuzz -p image-gitops-cosign --test properties

.PHONY: bench
bench: tools ## Measure against git and against the limits; prints ratios
	$(call say,building with optimisation)
	$(CARGO) build --locked --release -p image-gitops -p image-gitops-core -p image-gitops-tests --bins --examples
	@target/release/bench target/release/image-gitops
	$(call say,how time and memory of the parsers grow with what others send)
	$(CARGO) run --locked --quiet --profile fuzz -p image-gitops-fuzz -- growth

.PHONY: load
load: tools ## Serve ten thousand resources and a flood of requests: make load RESOURCES=10000
	$(CARGO) build --locked --release -p image-gitops
	$(CARGO) build --locked --release -p image-gitops-tests --bin load
	@target/release/load target/release/image-gitops $(RESOURCES)

.PHONY: e2e
e2e: image e2e-tools ## Play the stories with real pods: make e2e LAB=path/to/lab, or on your cluster (CONTRIBUTING.md)
	@LAB="$(LAB)" tests/e2e/run target/$(STATIC_TARGET)/release/image-gitops $(IMAGE_ARCHIVE)

.PHONY: session
session: image e2e-tools ## Record docs/session.md in a lab: make session LAB=path/to/lab
	@LAB="$(LAB)" tests/e2e/session.sh $(IMAGE_ARCHIVE)

.PHONY: e2e-tools
e2e-tools:
	$(CARGO) build --locked --quiet -p image-gitops-tests --bin oci

.PHONY: fmt
fmt: ## Format the code
	$(CARGO) fmt --all

.PHONY: clean
clean: ## Remove what was built
	$(CARGO) clean
