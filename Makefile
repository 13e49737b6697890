# SPDX-License-Identifier: BSD-3-Clause
# A thin front for newcomers; Meson does the work. `make help` lists the targets.

BUILD ?= build

.PHONY: all help demo check check-foreign fuzz bench bench-tasks bench-big soak planted install format clean

all: $(BUILD)/build.ninja
	ninja -C $(BUILD)

$(BUILD)/build.ninja:
	scripts/packages.sh build
	meson setup $(BUILD)

help:
	@echo "make            build the library and the command"
	@echo "make demo       install what is missing, build, run three demos on 1 GiB of data within 256 MiB"
	@echo "make check      install what is missing, build, pass every test (at most 10 minutes on 2 cores)"
	@echo "make check-foreign  files of other programs, fetched with their packages, against h5py"
	@echo "make fuzz       libFuzzer on decoding, what helpers say and classifying files, SECONDS=600 each"
	@echo "make bench      the reference workloads beside Dask, with the machine's limits"
	@echo "make bench-tasks  what tasks cost, beside OpenMP and StarPU"
	@echo "make bench-big  26 GiB beside what direct I/O reaches (40 GiB of disk under build-bench/)"
	@echo "make soak       the long suites: random programs, kills and signals for hours"
	@echo "make planted    bugs planted in a copy of the sources, and whether the tests find them"
	@echo "make install    into the prefix of Meson (DESTDIR is honoured)"
	@echo "make format     clang-format over the sources"
	@echo "make clean      removes build directories"

demo: all
	scripts/demo.sh $(BUILD)

check:
	scripts/packages.sh check
	scripts/check.sh

check-foreign: all
	scripts/packages.sh check
	meson test -C $(BUILD) --suite foreign --print-errorlogs --verbose

SECONDS ?= 600

fuzz:
	scripts/packages.sh check
	scripts/fuzz.sh $(SECONDS)

bench:
	scripts/packages.sh bench
	scripts/bench.sh

bench-tasks:
	scripts/packages.sh bench
	scripts/bench_tasks.sh

bench-big:
	scripts/packages.sh bench
	scripts/bench.sh --big

soak: all
	meson test -C $(BUILD) --suite soak --timeout-multiplier 0 --print-errorlogs

planted: all
	meson test -C $(BUILD) --suite planted --timeout-multiplier 0 --print-errorlogs --verbose

install: all
	meson install -C $(BUILD)

format:
	git ls-files '*.c' '*.h' '*.inc' | xargs clang-format -i

clean:
	rm -rf build build-*
