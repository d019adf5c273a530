# A thin face on Meson and Ninja.
#
#   make         builds build/godwit
#   make run     installs what is missing, builds, starts godwit on unprivileged ports
#   make test    installs, builds and runs every test; ends with the counts
#   make bench   measures against other servers, side by side
#   make fuzz    fuzzes every target for SECONDS=60 each (or as long as you say)
#   make install installs under PREFIX=/usr/local
#   make clean   removes build/

BUILD := build
PREFIX ?= /usr/local
SECONDS ?= 60
PYTHON := /usr/bin/python3

.PHONY: all run test bench fuzz install clean deps

all: deps
	@tools/build $(BUILD)

deps:
	@tools/deps build

run: all
	@exec $(BUILD)/godwit serve --quick-start --data godwit-data

test:
	@tools/deps build test
	@tools/run-tests

bench:
	@tools/deps build bench
	@tools/build $(BUILD)/release -Dbuildtype=release
	@$(PYTHON) tests/bench/bench.py $(BUILD)/release/godwit

fuzz:
	@tools/deps build fuzz
	@tools/run-fuzz $(SECONDS)

install:
	@tools/deps build
	@tools/build $(BUILD)/install -Dbuildtype=release --prefix $(PREFIX)
	@ninja -C $(BUILD)/install install

clean:
	rm -rf $(BUILD)
