# Short names for Meson's tasks, for people who type make. meson.build describes how
# prong is built; this file only names the tasks.

PREFIX ?= /usr/local

ASAN = -Db_sanitize=address,undefined -Dstatic_prongd=false

.PHONY: build build-asan run test bench bench-check bench-100k approaches lint analyze \
	fuzz torture builds install clean help \
	setup-build setup-test setup-lint setup-bench setup-fuzz \
	setup-builds

# Ninja keeps the processors busy; two Mesons or two apt-gets at once would collide.
.NOTPARALLEL:

build: setup-build		## build prongd, prong and libprong in build/ (the default)
	@scripts/build build --prefix=$(PREFIX)

build-asan: setup-build
	@scripts/build build-asan $(ASAN)

run: build			## serve echo on 127.0.0.1:7007, in the foreground
	@echo 'Serving echo on 127.0.0.1:7007; Ctrl-C stops it.'
	@echo 'Talk to it from another terminal: build/prong connect 127.0.0.1 7007'
	@exec build/prongd -v echo

test: setup-test build build-asan	## run every test, in a plain and in a sanitized build
	@scripts/test $(ARGS)

bench: setup-bench build	## measure beside references and peers; writes bench/RESULTS.md
	@exec bench/run $(ARGS)

bench-check: setup-bench build	## fail if faults, calls or instructions got worse by 5 %
	@bench/check $(ARGS)
	@/usr/bin/python3 -B -m pytest -q -rs -p no:cacheprovider bench/test_check.py

approaches: build		## compare the approaches of docs/chapter.md; writes its tables
	@exec bench/approaches $(ARGS)

bench-100k: build		## hold 100,000 connections at once, as root
	@exec bench/many $(ARGS)

lint: setup-lint		## check style, folders, includes, warnings, manual
	@scripts/lint

analyze: setup-lint build	## gcc -fanalyzer and clang --analyze over src/
	@scripts/analyze

fuzz: setup-fuzz		## fuzz each parser for 20 s; ARGS="SECONDS [NAME]..."
	@scripts/fuzz $(ARGS)

torture: setup-test build	## fail each system call once; ARGS="[--sample N] [--seed N] [MODE]..."
	@tests/torture/run.py $(ARGS)

builds: setup-builds build		## build with LTO, for other processors, with musl; ARGS="[NAME]..."
	@scripts/builds $(ARGS)

# A build that was set up for another PREFIX is changed to the one given now.
install: build			## install to PREFIX (DESTDIR is honoured)
	@$(if $(filter-out file,$(origin PREFIX)),scripts/meson configure build --prefix=$(PREFIX))
	@scripts/meson install -C build

clean:				## remove what was built
	rm -rf build build-asan build-fuzz build-others

help:				## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' Makefile | expand -t 12

setup-build setup-test setup-lint setup-bench setup-fuzz setup-builds:
	@scripts/setup $(@:setup-%=%)
