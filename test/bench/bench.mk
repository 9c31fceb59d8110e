# Benchmarks; included by the Makefile. Every C file here that has a main is one program. Peers are used
# when they are installed, found by linking against them. One subject: make bench BENCH=gemm.

BENCH ?= $(notdir $(basename $(shell grep -l '^int main' test/bench/*.c)))
BENCHES := $(BENCH:%=$(BUILD)/bench/%)
BENCH_PARTS := $(patsubst test/%.c,$(BUILD)/%.o,$(shell grep -L '^int main' test/bench/*.c))

# Looked for once, when the first recipe asks.
HAVE_DNNL = $(eval HAVE_DNNL := $$(shell echo 'int main(void) { return !dnnl_version(); }' | \
              $(CC) -include dnnl.h -x c - -ldnnl -o /dev/null 2>/dev/null && echo 1))$(HAVE_DNNL)
HAVE_LIBJPEG = $(eval HAVE_LIBJPEG := $$(shell echo 'int main(void) { return jpeg_std_error(0) != 0; }' | \
                  $(CC) -include stdio.h -include jpeglib.h -x c - -ljpeg -o /dev/null 2>/dev/null && \
                  echo 1))$(HAVE_LIBJPEG)
OPENBLAS_LIBS := $(shell pkg-config --libs openblas 2>/dev/null)
BENCH_CFLAGS = -D_GNU_SOURCE -Itest -Itest/bench $(if $(HAVE_DNNL),-DHAVE_DNNL) \
               $(if $(HAVE_LIBJPEG),-DHAVE_LIBJPEG) \
               $(if $(OPENBLAS_LIBS),-DHAVE_OPENBLAS $(shell pkg-config --cflags openblas))

$(BUILD)/bench/%.o: test/bench/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(BENCH_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/bench/%: test/bench/%.c $(BENCH_PARTS) $(OBJECTS)
	$(call say,LD  $@)
	$(Q)$(CC) $(ALL_CFLAGS) $(BENCH_CFLAGS) -MMD -MP -o $@ $< $(BENCH_PARTS) $(OBJECTS) \
	    $(ALL_LDFLAGS) $(if $(HAVE_DNNL),-ldnnl) $(if $(HAVE_LIBJPEG),-ljpeg) $(OPENBLAS_LIBS) -lm -pthread

-include $(BENCHES:%=%.d) $(BENCH_PARTS:.o=.d)
.SECONDARY: $(BENCH_PARTS)

.PHONY: bench
bench: $(BENCHES) ## measure against the peers that are installed; BENCH=gemm for one subject
	@for program in $(BENCHES); do $$program $(BENCH_ARGS) || exit 1; done
