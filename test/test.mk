# Builds and runs the tests; included by the Makefile.
# Every C file in these folders is a program; all link the library's objects, so they can reach internal
# functions too. Scripts look at the built libraries from outside.

TEST_SOURCES := $(sort $(foreach folder,unit simd contract vectors abi,$(wildcard test/$(folder)/*.c)))
TESTS := $(TEST_SOURCES:%.c=$(BUILD)/%)
RUNNER ?=# runs each program, e.g. qemu-aarch64
ONLY ?=# names of test programs: make check ONLY="pool tensor"

# The variants for finding bugs are not what is installed.
SCRIPTS := $(if $(SAN)$(COV)$(DEBUG)$(PORTABLE)$(ONLY),,$(sort $(wildcard test/abi/*.sh test/ffi/*.sh)))

# The vectoriser of GCC 12 for AArch64 stops with an internal error on some loops with fmin and fmax.
TEST_CFLAGS := -fno-tree-vectorize

$(BUILD)/test/%: test/%.c $(OBJECTS)
	@mkdir -p $(@D)
	$(call say,LD  $@)
	$(Q)$(CC) $(ALL_CFLAGS) $(TEST_CFLAGS) -D_GNU_SOURCE -Itest -MMD -MP -o $@ $< $(OBJECTS) $(ALL_LDFLAGS) -lm -pthread

-include $(TESTS:%=%.d)

SCRIPT_ENV := BUILD='$(BUILD)' VERSION='$(VERSION)' ARCH='$(firstword $(subst -, ,$(MACHINE)))' \
              NATIVE='$(NATIVE)' CC='$(CC)' CFLAGS='$(CFLAGS)' NM='$(NM)' OBJDUMP='$(OBJDUMP)' \
              MAKE='$(MAKE)'

chosen = $(if $(ONLY),$(foreach name,$(ONLY),$(filter %/$(name),$1)),$1)

.PHONY: tests
tests: lib $(call chosen,$(TESTS)) ## build the test programs

.PHONY: check
check: tests ## run all tests; the last line sums up
	@$(SCRIPT_ENV) test/run.sh $(if $(RUNNER),--with "$(RUNNER)") $(call chosen,$(TESTS)) $(SCRIPTS)

.PHONY: check-aarch64
check-aarch64: ## cross-compile, and run the test programs under qemu with and without dot product
	@MAKE='$(MAKE)' test/aarch64.sh

VALGRIND := valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite
# Programs that compute for minutes there and hardly allocate; the sanitizers run them.
LONG_UNDER_VALGRIND := exact_affine exact_bounds exact_scale exact_zero exp_golden quantizer_methods ckn_expansion

.PHONY: check-valgrind
check-valgrind: $(TESTS) ## run the unit tests, but those that compute for minutes there, under valgrind
	@QNT_TEST_QUICK=1 test/run.sh --with "$(VALGRIND)" \
	    $(filter-out $(LONG_UNDER_VALGRIND:%=$(BUILD)/test/unit/%),$(filter $(BUILD)/test/unit/%,$(TESTS)))
