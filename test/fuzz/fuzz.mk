# Fuzzing for a bounded time; included by the Makefile. Needs clang with libFuzzer. The seeds are
# the sample blobs of all releases. The sources are compiled anew, with coverage and sanitizers, into
# a folder of their own.

FUZZ_CC ?= clang
SECONDS_TO_FUZZ ?= 20
FUZZ_SEED ?= 1
FUZZERS := $(notdir $(basename $(wildcard test/fuzz/*.c)))
FUZZ_BUILD := build/fuzz
FUZZ_FLAGS := -O1 -gline-tables-only -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all

$(FUZZ_BUILD)/%: test/fuzz/%.c $(SOURCES) $(wildcard include/qnt/*.h src/*/*.h)
	@mkdir -p $@.corpus
	$(call say,FUZZ $@)
	$(Q)$(MAKE) --no-print-directory -j$(shell nproc 2>/dev/null || echo 1) CC=$(FUZZ_CC) CFLAGS='$(FUZZ_FLAGS)' \
	    BUILD=$(FUZZ_BUILD)/build fuzz-objects
	$(Q)$(FUZZ_CC) -std=c11 -Iinclude -Isrc $(FUZZ_FLAGS) -fsanitize=fuzzer -o $@ $< \
	    $(SOURCES:%.c=$(FUZZ_BUILD)/build/%.o) -lm

.PHONY: fuzz-objects fuzz-run
fuzz-objects: $(OBJECTS)

# As many at a time as there are processors; what one said is shown when it ends.
FUZZ_ONE := $$0 -max_total_time=$(SECONDS_TO_FUZZ) -seed=$(FUZZ_SEED) -max_len=8192 -timeout=25 \
            -verbosity=0 -print_final_stats=1 -artifact_prefix=$(FUZZ_BUILD)/ $$0.corpus test/vectors/blobs

fuzz-run: $(FUZZERS:%=$(FUZZ_BUILD)/%)
	@printf '%s\n' $^ | xargs -P $(shell nproc 2>/dev/null || echo 1) -n 1 sh -c \
	    '$(FUZZ_ONE) >$$0.log 2>&1 || { cat $$0.log; exit 255; }; echo "$$0:" && cat $$0.log'

.PHONY: fuzz
fuzz: ## fuzz loader and calls, SECONDS_TO_FUZZ=20 each; needs clang
	@if echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' | \
	    $(FUZZ_CC) -fsanitize=fuzzer -x c - -o /dev/null 2>/dev/null; then \
	    $(MAKE) --no-print-directory fuzz-run; \
	else \
	    echo 'skipped: $(FUZZ_CC) cannot link libFuzzer programs'; \
	fi
