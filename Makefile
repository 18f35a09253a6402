# `make demo` runs a self-contained demo; `make test` runs all checks and tests.
# Both install missing Debian packages (PostgreSQL's server, a C compiler).

.PHONY: demo test test-monitoring test-pooler deps servers fmt lint doc check bench fuzz release sqlx notices monitoring metrics deny

# The build needs no database: sqlx's macros read .sqlx.
export SQLX_OFFLINE ?= true

demo: deps
	cargo run --locked -- demo

test: deps servers fmt lint doc check

fmt:
	cargo fmt --check

lint:
	cargo clippy --locked --all-targets -- -D warnings

doc:
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items

check:
	cargo test --locked

# Every rule and panel, evaluated by Prometheus and PostgreSQL on a daemon in trouble.
test-monitoring: deps servers
	cargo test --locked --test front_door monitoring -- --include-ignored

# The tests of the program's front door, with the program behind PgBouncer. Snapshots are
# not compared: some show the address of the database.
test-pooler: deps servers
	ADVISORYD_TEST_POOLER=session INSTA_UPDATE=no INSTA_FORCE_PASS=1 cargo test --locked --test front_door -- $(POOLER_TESTS)

# Without those that do not ask a database of the tests' cluster.
POOLER_TESTS = --skip cluster:: --skip layers:: --skip failover:: --skip databases:: --skip monitoring

bench: deps
	cargo bench --locked --bench load
	cargo bench --locked --bench load -- history

# Each fuzz target of tests/fuzz for FUZZ_SECONDS, beginning with the stored corpus; what
# a run adds stays in tests/fuzz/new, and an input that fails in tests/fuzz/artifacts.
# Needs a C++ compiler, for libFuzzer. cargo-fuzz needs a nightly toolchain for its
# sanitizers; this asks the stable compiler for the coverage alone. The explicit target
# keeps the flags from build scripts and macros.
FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?= feed encodings tickets details lists configuration
FUZZ_HOST = $(shell rustc -vV | sed -n 's/^host: //p')
FUZZ_FLAGS = --cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
	-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
	-Cllvm-args=-sanitizer-coverage-trace-compares

fuzz:
	cd tests/fuzz && RUSTFLAGS="$(FUZZ_FLAGS)" cargo build --locked --target $(FUZZ_HOST)
	@cd tests/fuzz && for target in $(FUZZ_TARGETS); do \
	  mkdir -p new/$$target artifacts/$$target \
	  && echo "fuzzing $$target for $(FUZZ_SECONDS) s" \
	  && target/$(FUZZ_HOST)/debug/$$target -max_total_time=$(FUZZ_SECONDS) -timeout=10 -max_len=16384 \
	       -artifact_prefix=artifacts/$$target/ -print_final_stats=1 new/$$target corpus/$$target || exit 1; \
	done

release: deps
	cargo build --locked --release

# Installs PostgreSQL's server if it is missing. Debian's package would also create
# and start a cluster; create_main_cluster = false prevents that.
deps:
	@ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 \
	  || command -v postgres >/dev/null 2>&1 \
	  || { echo "installing PostgreSQL from Debian's packages"; \
	       SUDO=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	       $$SUDO mkdir -p /etc/postgresql-common/createcluster.d \
	       && echo 'create_main_cluster = false' | $$SUDO tee /etc/postgresql-common/createcluster.d/advisoryd.conf >/dev/null \
	       && $$SUDO env DEBIAN_FRONTEND=noninteractive apt-get update -qq \
	       && $$SUDO env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql >/dev/null; }
	@command -v cc >/dev/null 2>&1 \
	  || { SUDO=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	       $$SUDO env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends gcc libc6-dev >/dev/null; }

# Servers and programs for the tests: Debian's Alertmanager, aiosmtpd, Prometheus with
# promtool, jsonnet, and PgBouncer. They are unpacked below target and not installed, so that no
# service is started. Alertmanager needs its templates at the path of the package.
SERVERS = target/test-servers
TEMPLATES = /usr/share/prometheus/alertmanager

servers:
	@[ -e $(SERVERS)/complete -a -e $(SERVERS)/usr/bin/promtool -a -e $(SERVERS)/usr/bin/jsonnet -a -e $(SERVERS)/usr/sbin/pgbouncer -a -e $(TEMPLATES)/default.tmpl ] \
	  || { echo "unpacking Debian's Alertmanager, Prometheus, jsonnet, PgBouncer and aiosmtpd for the tests"; \
	       SUDO=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	       mkdir -p $(SERVERS) \
	       && $$SUDO env DEBIAN_FRONTEND=noninteractive apt-get update -qq \
	       && { python3 -c 'import ssl' 2>/dev/null \
	            || $$SUDO env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3 >/dev/null; } \
	       && needs=$$(apt-cache depends -i python3-aiosmtpd | sed -n 's/.*Depends: \(python3-[a-z-]*\).*/\1/p') \
	       && (cd $(SERVERS) && apt-get download -qq prometheus-alertmanager prometheus jsonnet pgbouncer libc-ares2 libevent-2.1-7 python3-aiosmtpd $$needs 2>/dev/null) \
	       && for package in $(SERVERS)/*.deb; do dpkg -x "$$package" $(SERVERS) || exit 1; done \
	       && $$SUDO install -D -m 0644 -t $(TEMPLATES) $(SERVERS)$(TEMPLATES)/*.tmpl \
	       && touch $(SERVERS)/complete; }

# Run after changing SQL: updates .sqlx with a temporary PostgreSQL.
sqlx: deps
	.ci/sqlx

# Run after changing docs/monitoring/mixin: writes the rules and dashboards.
MIXIN = docs/monitoring/mixin
JSONNET = $(SERVERS)/usr/bin/jsonnet

monitoring: servers
	$(JSONNET) -S $(MIXIN)/rules.jsonnet >docs/monitoring/rules.yaml
	$(JSONNET) $(MIXIN)/dashboard-prometheus.jsonnet >docs/monitoring/dashboard-prometheus.json
	$(JSONNET) $(MIXIN)/dashboard-postgresql.jsonnet >docs/monitoring/dashboard-postgresql.json

# Run after changing src/measures/table.rs: writes docs/metrics.md.
metrics:
	ADVISORYD_TEST_WRITE=1 cargo test --locked --test front_door the_page_of_metrics_is_that_of_the_table

# Run after changing dependencies: updates THIRD-PARTY-NOTICES.
notices:
	.ci/notices

# Known vulnerabilities, licences and sources of dependencies (deny.toml). Fetches the
# RustSec database; without a network, `DENY=--disable-fetch` uses the last one.
deny:
	@command -v cargo-deny >/dev/null || cargo install --locked cargo-deny
	cargo deny --locked check bans licenses sources
	cargo deny --locked check advisories $(DENY)
