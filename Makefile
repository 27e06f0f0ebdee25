# SPDX-License-Identifier: GPL-2.0-or-later
# fwmarkd: `make help` lists the targets.

SWIFT ?= swift
PREFIX ?= /usr/local
DESTDIR ?=
# DEPS=no: do not look for Debian packages.
DEPS ?= yes

BINARIES := .build/release
PROGRAMS := fwmarkd fwmarkctl
# No search path for libraries but the system's, everything bound and read-only after start (full RELRO): `make
# check-install` tells. And the same programs from any folder: `make check-reproducible` tells.
RELEASE_FLAGS := --configuration release --static-swift-stdlib --disable-local-rpath -debug-info-format none \
    -Xswiftc -use-ld=lld -Xlinker --no-export-dynamic -Xlinker -z -Xlinker relro -Xlinker -z -Xlinker now -Xlinker --build-id=none \
    -Xswiftc -file-prefix-map -Xswiftc /usr/src=. -Xcc -ffile-prefix-map=/usr/src=.
# SwiftPM's checkouts lead to its clones by absolute paths: they are made in this folder.
RELEASE_BUILD = $(SWIFT) package --quiet resolve && scripts/at-one-path $(SWIFT) build $(RELEASE_FLAGS) --product
SCRIPTS := .ci/run $(shell find scripts packaging debian Configs Tests -type f -perm -u+x -not -path 'debian/fwmarkd/*')
MANUALS := $(wildcard docs/*.[1-8])

# What `make test` makes, in this order: what is quick comes first. Each is a target of its own; scripts/check says how it is
# counted.
CHECKS := lint test-scripts check-schema check-openapi test-swift check-size check-install check-monitoring check-demo \
    check-guide test-page test-api test-deb test-rpm test-ansible test-guest bench-smoke fuzz-smoke mutants-smoke

export SWIFT MAKE

.DEFAULT_GOAL := build
.DELETE_ON_ERROR:

## Building
build: deps-build                ## both programs, for debugging
	$(SWIFT) build

release: deps-build              ## both programs as they are installed (.build/release)
	@for program in $(PROGRAMS); do $(RELEASE_BUILD) $$program || exit 1; done

## Checking
test: test-build                 ## install what is missing, build, lint and run every test
	@scripts/check $(CHECKS)

test-build: deps-build deps-test deps-lint
	$(SWIFT) build --build-tests

# For .ci/run, whose output ends with the line that sums up: make has a last word of its own when something failed.
list-checks:
	@echo $(CHECKS)

test-scripts:
	@Tests/Scripts/run

test-unit: deps-build            ## the Swift tests that need neither root nor a release build: the ones to run while you work
	$(SWIFT) build --build-tests
	@scripts/swift-test --skip KernelTests

test-swift: test-build           ## all Swift tests; those on the kernel need root
# The kernel tests by themselves: some of them measure how long the daemon takes.
	@scripts/swift-test --skip KernelTests; status=$$?; scripts/swift-test --filter KernelTests && exit $$status

check-schema: deps-test          ## the schema for editors, by the shipped files and by the bad ones
	@Tests/ConfigurationFileTests/schema.py

check-openapi: deps-test         ## the description of the API and the reference, by the sources
	@scripts/openapi --check
	@scripts/reference --check

test-page: deps-page release     ## the status page of a live daemon, in a real browser
	@Tests/Page/run $(BINARIES)

test-api: deps-demo release      ## the API of a live daemon, by its description: a minute of schemathesis
	@Tests/API/run $(BINARIES)

mutants: test-build              ## plant each fault of Tests/mutate in a copy, and see a test fail (an hour)
	@Tests/mutate/run

mutants-smoke: test-build        ## the same with three of them, others every day
	@Tests/mutate/run --sample 3

fuzz-smoke: deps-build deps-test     ## the parser and the decoder of tables, on 30 seconds of damaged input
	@Tests/Fuzz/run 30

check-size: release              ## fail when a stripped program passes 32 MB
	@scripts/check-size $(BINARIES) $(PROGRAMS)

check-monitoring: deps-test release   ## alerts, dashboard and textfile recipe, on a live daemon and a real Prometheus
	@scripts/check-monitoring $(BINARIES)

check-install: release           ## what make install leaves: the unit, the user, the lock file, completions
	@scripts/check-install $(BINARIES)

check-demo: deps-demo release
	@scripts/demo $(BINARIES)

check-guide: deps-test release   ## follow docs/guide.md command by command, and the examples of fwmarkctl --help
	@scripts/walk-guide $(BINARIES)
	@scripts/check-examples $(BINARIES)

guest:                           ## make the kernel and the image that test-guest boots (once)
	@Tests/Guest/guest build

test-guest: release              ## real IPVS, real FTP, real systemd, boots and power cuts in a guest
	@rm -rf .build/guest-stage
	@scripts/install $(BINARIES) /usr/local "$(CURDIR)/.build/guest-stage"
	@GUEST_STAGE="$(CURDIR)/.build/guest-stage" Tests/Guest/guest test

test-deb: deps-deb release       ## install, upgrade, remove and purge the package in a fresh Debian 12 and 13; lintian of both
	@packaging/test-deb $(BINARIES)

test-rpm: deps-rpm release       ## build the RPM package, and have rpmlint read it
	@packaging/build-rpm

test-ansible: deps-ansible deb   ## roll the Ansible role out to two directors made for it
	@packaging/test-ansible dist/fwmarkd_*_$$(dpkg --print-architecture).deb

check-reproducible: deps-deb     ## build twice, in two folders, and compare the packages bit by bit (not part of make test)
	@packaging/check-reproducible

lint: deps-lint                  ## swift format, shellcheck, mandoc, licence lines, sizes of files and functions
	@scripts/spdx
	@scripts/sizes
	@Tests/mutate/run --check
	scripts/swift-files | xargs -0 $(SWIFT) format lint --strict --parallel
	$(if $(SCRIPTS),grep -lE '^#!.*(ba)?sh' $(SCRIPTS) | xargs shellcheck --external-sources)
	$(if $(MANUALS),mandoc -Tlint -Wwarning $(MANUALS))

format:                          ## lay out the Swift files as lint wants them
	scripts/swift-files | xargs -0 $(SWIFT) format format --in-place --parallel

docs: deps-build                 ## the modules' documentation, by DocC without warnings (.build/documentation)
	@scripts/docs

## Seeing it work
demo: deps-demo release          ## the main job, shown in a network namespace of its own
	@scripts/demo $(BINARIES)

try: deps-demo build             ## a shell in a network namespace with a daemon of your own (CONFIG=Configs/examples/ftp.yaml)
	@scripts/try $(or $(CONFIG),Configs/examples/ftp.yaml)

## Installing
install:                         ## programs, unit, configuration (DESTDIR=, PREFIX=/usr/local)
	@if command -v $(SWIFT) >/dev/null; then $(MAKE) --no-print-directory release; fi
	@scripts/install "$(BINARIES)" "$(PREFIX)" "$(DESTDIR)"

uninstall:                       ## take away what install put there; /etc/fwmarkd stays
	@scripts/install --remove "$(PREFIX)" "$(DESTDIR)"

deb: deps-deb release            ## dist/fwmarkd_VERSION_ARCH.deb, and its bill of materials
	@packaging/build-deb $(BINARIES)

rpm: test-rpm                    ## dist/fwmarkd-VERSION-RELEASE.ARCH.rpm

## How fast
bench: bench-build                ## every row of docs/performance.md, with the peers beside it (ten minutes)
	@scripts/bench

bench-smoke: bench-build          ## the same with 100 services, in under a minute
	@scripts/bench --smoke

# With the flags of the programs: what is measured within one process is what is installed, and nothing is built twice.
bench-build: deps-bench release
	@for product in bench bench-steps; do $(RELEASE_BUILD) $$product || exit 1; done

## The rest
deps: deps-build deps-test deps-lint deps-demo   ## install the Debian packages that are missing

deps-%:
	@if [ "$(DEPS)" != no ]; then scripts/install-packages $*; fi

clean:                           ## remove what was built
	rm -rf .build dist debian/.debhelper debian/fwmarkd debian/files debian/*.debhelper debian/*.substvars debian/debhelper-build-stamp

help:                            ## this list
	@awk -F' *## ' '/^## / { printf "\n%s\n", $$2 } /^[a-z-]+:.*## / { sub(/:.*/, "", $$1); printf "  make %-19s %s\n", $$1, $$2 }' Makefile

# Packages are installed one after the other.
.NOTPARALLEL:

.PHONY: build release test test-build test-unit test-swift list-checks test-scripts check-schema check-size check-install
.PHONY: check-openapi test-page test-api mutants mutants-smoke check-monitoring check-demo check-guide guest test-guest test-deb test-rpm test-ansible check-reproducible fuzz-smoke
.PHONY: lint format docs demo try install uninstall deb rpm bench bench-smoke bench-build deps clean help
