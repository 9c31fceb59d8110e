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
tests: $(READER_TESTS) $(NUMBERED) \
       $(addprefix $(BUILD)/examples/,tune_table train_digits digits digit_tables kernel_map_digits)

.PHONY: examples
examples: $(NUMBERED) $(DEMOS) ## build the examples

$(EXAMPLE_BUILD)/digits.safetensors: $(EXAMPLE_BUILD)/train_digits examples/data/digits.bin
	$(Q)$(EXAMPLE_BUILD)/train_digits examples/data/digits.bin $@

# One program after another would take more than a minute: all processors compile, and run the parts of the demo
# as soon as their programs are there, long ones first. Their tables are shown at the end, in an order of their
# own; times in them are of threads, so company does not matter.
ALL_PROCESSORS = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell getconf _NPROCESSORS_ONLN))
DIGITS := examples/data/digits.bin
DIGITS_NETWORK := $(EXAMPLE_BUILD)/digits.safetensors
DEMO_TEXTS := $(EXAMPLE_BUILD)/demo
DEMO_RUN := training labels tables maps digits networks stories
DEMO_SHOWN := digits training networks maps labels tables stories

.PHONY: demo
demo: ## quantize networks and measure them, in less than a minute
	@$(MAKE) --no-print-directory $(ALL_PROCESSORS) $(DIGITS_NETWORK) $(DEMO_RUN:%=$(DEMO_TEXTS)/%.txt)
	@cat $(DEMO_SHOWN:%=$(DEMO_TEXTS)/%.txt)

# What a part prints is kept, and shown at once if the part fails.
demo_part = @mkdir -p $(@D) && echo '  RUN $(basename $(@F))' && { $1; } >$@ || { cat $@; exit 1; }

$(DEMO_TEXTS)/digits.txt: $(EXAMPLE_BUILD)/digits $(DIGITS_NETWORK) FORCE
	$(call demo_part,$< $(DIGITS) $(DIGITS_NETWORK))
$(DEMO_TEXTS)/training.txt: $(EXAMPLE_BUILD)/train_quantized $(DIGITS_NETWORK) FORCE
	$(call demo_part,$< digits $(DIGITS) $(DIGITS_NETWORK) --bits 2 --epochs 3 && \
	                 $< digits $(DIGITS) $(DIGITS_NETWORK) --method ALQ --epochs 3)
$(DEMO_TEXTS)/networks.txt: $(EXAMPLE_BUILD)/real_networks FORCE
	$(call demo_part,$< --quick --data '$(DATA)')
$(DEMO_TEXTS)/maps.txt: $(EXAMPLE_BUILD)/kernel_map_digits FORCE
	$(call demo_part,$< $(DIGITS))
$(DEMO_TEXTS)/labels.txt: $(EXAMPLE_BUILD)/kernel_map_labels FORCE
	$(call demo_part,$< $(DIGITS))
$(DEMO_TEXTS)/tables.txt: $(EXAMPLE_BUILD)/digit_tables $(DIGITS_NETWORK) FORCE
	$(call demo_part,$< $(DIGITS) $(DIGITS_NETWORK) quick)
$(DEMO_TEXTS)/stories.txt: $(EXAMPLE_BUILD)/stories FORCE
	$(call demo_part,$< --quick --data '$(DATA)')

.PHONY: networks
networks: $(DEMOS) ## measure the real networks of DATA=../shared/data in full; takes minutes
	@$(EXAMPLE_BUILD)/real_networks --data '$(DATA)'
	@$(EXAMPLE_BUILD)/stories --data '$(DATA)'
