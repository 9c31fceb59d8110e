# Benchmarks; included by the Makefile. Every C file here that has a main is one program. Peers are used
# when their headers are installed, found by compiling against them.

BENCHES := $(patsubst test/%.c,$(BUILD)/%,$(shell grep -l '^int main' test/bench/*.c))
BENCH_PARTS := $(patsubst test/%.c,$(BUILD)/%.o,$(shell grep -L '^int main' test/bench/*.c))
HAVE_DNNL = $(shell echo 'int main(void) { return !dnnl_version(); }' | \
              $(CC) -include dnnl.h -x c - -ldnnl -o /dev/null 2>/dev/null && echo 1)
BENCH_CFLAGS = -D_GNU_SOURCE -Itest/bench $(if $(BENCH_DNNL),-DHAVE_DNNL)

$(BUILD)/bench/%.o: test/bench/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(BENCH_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/bench/%: test/bench/%.c $(BENCH_PARTS) $(OBJECTS)
	$(call say,LD  $@)
	$(Q)$(CC) $(ALL_CFLAGS) $(BENCH_CFLAGS) -MMD -MP -o $@ $< $(BENCH_PARTS) $(OBJECTS) \
	    $(ALL_LDFLAGS) $(if $(BENCH_DNNL),-ldnnl) -lm -pthread

-include $(BENCHES:%=%.d) $(BENCH_PARTS:.o=.d)

.PHONY: bench
bench: BENCH_DNNL := $(HAVE_DNNL)
bench: $(BENCHES) ## measure against the peers that are installed
	@for program in $(BENCHES); do $$program $(BENCH_ARGS) || exit 1; done
