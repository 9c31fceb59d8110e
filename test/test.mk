# Builds and runs the tests; included by the Makefile.
# Every C file in unit, simd, contract and abi is a program; all link the library's objects, so they can
# reach internal functions too.

TEST_SOURCES := $(sort $(wildcard test/unit/*.c test/simd/*.c test/contract/*.c test/vectors/*.c test/abi/*.c))
TESTS := $(TEST_SOURCES:%.c=$(BUILD)/%)
RUNNER ?=

$(BUILD)/test/%: test/%.c $(OBJECTS)
	@mkdir -p $(@D)
	$(if $(filter 0,$(V)),@echo "  LD  $@")
	$(Q)$(CC) $(ALL_CFLAGS) -D_GNU_SOURCE -Itest -MMD -MP -o $@ $< $(OBJECTS) $(ALL_LDFLAGS) -lm -pthread

-include $(TESTS:%=%.d)

.PHONY: check
check: $(TESTS) ## run all tests; the last line sums up
	@test/run.sh $(if $(RUNNER),--with "$(RUNNER)") $(TESTS)
