# Builds and runs the examples; included by the Makefile. They see include/ and the static library only.

EXAMPLE_CFLAGS = $(filter-out -Isrc,$(ALL_CFLAGS)) -Iexamples/networks -Iexamples
EXAMPLE_BUILD := $(BUILD)/examples
DATA ?= $(or $(QNT_DATA),../shared/data)# real networks and data, optional

NETWORK_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard examples/networks/*.c examples/train/*.c)))
NUMBERED := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard examples/[0-9]*.c)))
DEMOS := $(patsubst %.c,$(BUILD)/%,$(wildcard examples/train_digits.c examples/digits.c examples/train_quantized.c \
           examples/train_palquant.c examples/kernel_map_digits.c examples/kernel_map_mnist.c \
           examples/kernel_map_labels.c examples/digit_tables.c \
           examples/real_networks.c examples/stories.c examples/tune_table.c))
READER_TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard test/examples/*.c))

# The float reference is what the time of quantized networks is compared with: give it the best the
# compiler can do on this machine. So do training and the equations of ridge regression.
REFERENCE_CFLAGS := -O3 $(shell $(CC) -march=native -E -x c /dev/null >/dev/null 2>&1 && echo -march=native)
$(addprefix $(BUILD)/examples/,networks/reference.o networks/ridge.o networks/transformer.o train/gradient.o train/normal.o train_digits.o): EXAMPLE_CFLAGS += $(if $(SAN)$(COV)$(DEBUG),,$(REFERENCE_CFLAGS))

$(BUILD)/examples/%.o: examples/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC  $<)
	$(Q)$(CC) $(EXAMPLE_CFLAGS) -MMD -MP -c -o $@ $<

$(NUMBERED): $(BUILD)/%: $(BUILD)/%.o $(STATIC)
	$(call say,LD  $@)
	$(Q)$(CC) $(CFLAGS) -o $@ $< $(STATIC) $(ALL_LDFLAGS) -lm -pthread

$(DEMOS): $(BUILD)/%: $(BUILD)/%.o $(NETWORK_OBJECTS) $(STATIC)
	$(call say,LD  $@)
	$(Q)$(CC) $(CFLAGS) -o $@ $< $(NETWORK_OBJECTS) $(STATIC) $(ALL_LDFLAGS) -lm -pthread

$(READER_TESTS): $(BUILD)/%: %.c $(NETWORK_OBJECTS) $(STATIC)
	@mkdir -p $(@D)
	$(call say,LD  $@)
	$(Q)$(CC) $(EXAMPLE_CFLAGS) -D_GNU_SOURCE -Itest -MMD -MP -MF $@.d -o $@ $< $(NETWORK_OBJECTS) \
	    $(STATIC) $(ALL_LDFLAGS) -lm -pthread

-include $(NETWORK_OBJECTS:.o=.d) $(NUMBERED:%=%.d) $(DEMOS:%=%.d) $(READER_TESTS:%=%.d)

TESTS += $(READER_TESTS)
# Every numbered example checks itself. Accuracies are measured in plain builds.
SCRIPTS += $(if $(NUMBERED),examples/check.sh) test/examples/tune_table.sh \
           $(if $(SAN)$(COV)$(DEBUG)$(ONLY),,test/examples/digits.sh)
check: $(READER_TESTS) $(NUMBERED) $(addprefix $(BUILD)/examples/,tune_table train_digits digit_tables kernel_map_digits)

.PHONY: examples
examples: $(NUMBERED) $(DEMOS) ## build the examples

$(EXAMPLE_BUILD)/digits.safetensors: $(EXAMPLE_BUILD)/train_digits examples/data/digits.bin
	$(Q)$(EXAMPLE_BUILD)/train_digits examples/data/digits.bin $@

# One program after another would take more than a minute: all processors compile, then each runs a part of the
# demo. A part prints its tables when it is done; times in them are of its thread, so company does not matter.
ALL_PROCESSORS = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell getconf _NPROCESSORS_ONLN))
DIGITS := examples/data/digits.bin
DIGITS_NETWORK := $(EXAMPLE_BUILD)/digits.safetensors
DEMO_PROGRAMS := $(addprefix $(EXAMPLE_BUILD)/,digits train_quantized real_networks kernel_map_digits \
                   kernel_map_labels digit_tables stories)
DEMO_PARTS := demo-digits demo-training demo-networks demo-maps demo-labels demo-tables demo-stories

.PHONY: demo $(DEMO_PARTS)
demo: ## quantize networks and measure them, in about a minute
	@$(MAKE) --no-print-directory $(ALL_PROCESSORS) $(DEMO_PROGRAMS) $(DIGITS_NETWORK)
	@$(MAKE) --no-print-directory $(ALL_PROCESSORS) -Otarget $(DEMO_PARTS)

$(DEMO_PARTS): $(DEMO_PROGRAMS) $(DIGITS_NETWORK)
demo-digits:
	@$(EXAMPLE_BUILD)/digits $(DIGITS) $(DIGITS_NETWORK)
demo-training:
	@$(EXAMPLE_BUILD)/train_quantized digits $(DIGITS) $(DIGITS_NETWORK) --bits 2 --epochs 3
	@$(EXAMPLE_BUILD)/train_quantized digits $(DIGITS) $(DIGITS_NETWORK) --method ALQ --epochs 3
demo-networks:
	@$(EXAMPLE_BUILD)/real_networks --quick --data '$(DATA)'
demo-maps:
	@$(EXAMPLE_BUILD)/kernel_map_digits $(DIGITS)
demo-labels:
	@$(EXAMPLE_BUILD)/kernel_map_labels $(DIGITS)
demo-tables:
	@$(EXAMPLE_BUILD)/digit_tables $(DIGITS) $(DIGITS_NETWORK) quick
demo-stories:
	@$(EXAMPLE_BUILD)/stories --quick --data '$(DATA)'

.PHONY: networks
networks: $(DEMOS) ## measure the real networks of DATA=../shared/data in full; takes minutes
	@$(EXAMPLE_BUILD)/real_networks --data '$(DATA)'
	@$(EXAMPLE_BUILD)/stories --data '$(DATA)'
