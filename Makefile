# The commands that the README, CI and people use. `make help` lists them.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# mold links several times faster than the default linker; where it is missing, plain cargo does.
CARGO := $(if $(shell command -v mold),mold -run cargo,cargo)
# Only what the machine lacks is installed; apt-get needs root or sudo.
APT := $(if $(filter 0,$(shell id -u)),apt-get,sudo apt-get)
NEXTEST := $(shell command -v cargo-nextest)
# How often `make soak` kills the gateway.
SOAK_ROUNDS ?= 300
# How long `make soak` gives each fuzz target; there are about thirty.
FUZZ_SECONDS ?= 20
# How many minutes `make soak` puts faults into whole runs.
FAULT_MINUTES ?= 10
BINARY := $(or $(CARGO_TARGET_DIR),target)/debug/crossdock
need = $(if $(shell command -v $(1)),,$(2))

.PHONY: help run test check fmt bench soak week docs deps deps-test deny clean-data

help: ## This list.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

run: deps ## Build, start the gateway on 127.0.0.1:8080 with simulated shops, marketplaces, couriers and a warehouse.
	$(CARGO) build --release --locked
	./target/release/crossdock serve --demo

test: deps-test check ## Everything CI runs: format, lints, tests, durability, documents, chart, alerts.
	./integrations/opencart/test.sh
	./helm/test.sh
	$(CARGO) run --locked --quiet --features failpoints -- connector check examples/connectors/mozello
	$(if $(NEXTEST),$(CARGO) nextest run --locked --features failpoints,$(CARGO) test --locked --features failpoints)
	./tests/openapi/fuzz.sh $(BINARY) 50

check: ## Format and lints.
	cargo fmt --check
	$(CARGO) clippy --locked --all-targets --features failpoints -- -D warnings

soak: deps-test ## kill -9 under load (SOAK_ROUNDS=n), faults of all kinds (FAULT_MINUTES=n), fuzzing (FUZZ_SECONDS=n a target, FUZZ_SEED=n).
	CROSSDOCK_SOAK_ROUNDS=$(SOAK_ROUNDS) $(CARGO) test --locked --features failpoints --test all -- --nocapture kill_nine_under_load
	CROSSDOCK_FAULT_MINUTES=$(FAULT_MINUTES) $(CARGO) test --locked --features failpoints --test all -- --nocapture --test-threads=1 faults::
	CROSSDOCK_FUZZ_SECONDS=$(FUZZ_SECONDS) $(CARGO) test --locked --features failpoints --test all -- --nocapture fuzz::
	$(CARGO) build --locked --features failpoints
	./tests/openapi/fuzz.sh $(BINARY) 300

week: deps-test ## A simulated week in compressed time; prints its counts (WEEK_SEED=n for another one).
	WEEK=full $(CARGO) test --locked --features failpoints --test all -- --nocapture week::

fmt: ## Format the source.
	cargo fmt

bench: deps-test ## Measure; prints ratios and rates (docs/benchmarks.md). PART=fairness for one part, BENCH_ORDERS=n for fewer.
	$(CARGO) build --release --locked --bin crossdock
	$(CARGO) bench --locked --bench main -- $(PART)

docs: ## The parts of the README that the binary writes.
	$(CARGO) run --locked --quiet -- connectors --markdown

deny: ## Licences and advisories (needs cargo-deny).
	cargo deny check

# A C compiler for SQLite; mold when it can be had.
deps:
	@missing="$(strip $(call need,cc,gcc) $(call need,mold,mold))"; \
	if [ -n "$$missing" ]; then $(APT) update -qq && $(APT) install -y -qq $$missing; fi

# PHP for the extension in integrations/opencart, PostgreSQL for the store on a server, a broker for tests/all/nats.rs.
deps-test: deps
	@command -v php >/dev/null || { $(APT) update -qq && $(APT) install -y -qq php-cli; }
	@command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 \
	  || { $(APT) update -qq && $(APT) install -y -qq postgresql; }
	@[ -x /usr/sbin/nats-server ] || command -v nats-server >/dev/null || { $(APT) update -qq && $(APT) install -y -qq nats-server; }

clean-data: ## Forget the demo's data.
	rm -rf data
