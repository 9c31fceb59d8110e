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
$(addprefix $(BUILD)/examples/,networks/reference.o networks/ridge.o networks/transformer.o train/gradient.o train/normal.o): EXAMPLE_CFLAGS += $(if $(SAN)$(COV)$(DEBUG),,$(REFERENCE_CFLAGS))

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

.PHONY: demo
demo: $(DEMOS) $(EXAMPLE_BUILD)/digits.safetensors ## quantize networks and measure them, in about a minute
	@$(EXAMPLE_BUILD)/digits examples/data/digits.bin $(EXAMPLE_BUILD)/digits.safetensors
	@$(EXAMPLE_BUILD)/train_quantized digits examples/data/digits.bin $(EXAMPLE_BUILD)/digits.safetensors
	@$(EXAMPLE_BUILD)/kernel_map_digits examples/data/digits.bin
	@$(EXAMPLE_BUILD)/kernel_map_labels examples/data/digits.bin
	@$(EXAMPLE_BUILD)/digit_tables examples/data/digits.bin $(EXAMPLE_BUILD)/digits.safetensors quick
	@$(EXAMPLE_BUILD)/real_networks --quick --data '$(DATA)'
	@$(EXAMPLE_BUILD)/stories --quick --data '$(DATA)'

.PHONY: networks
networks: $(DEMOS) ## measure the real networks of DATA=../shared/data in full; takes minutes
	@$(EXAMPLE_BUILD)/real_networks --data '$(DATA)'
	@$(EXAMPLE_BUILD)/stories --data '$(DATA)'
