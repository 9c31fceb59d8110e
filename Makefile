# libqnt. `make help` lists the targets. Needs GNU make and a C11 compiler, nothing else.

VERSION := 1.0.0
ABI := 1

CC ?= cc
CFLAGS ?= -O2 -g
PREFIX ?= /usr/local
DESTDIR ?=
V ?= 0
Q := $(if $(filter 1,$(V)),,@)

# The architecture comes from the compiler, so cross compilation is CC=aarch64-linux-gnu-gcc.
MACHINE := $(shell $(CC) -dumpmachine)
ARCH := $(if $(filter x86_64%,$(MACHINE)),x86,$(if $(filter aarch64%,$(MACHINE)),arm))

# Variants live in folders of their own: make SAN=address,undefined | SAN=thread | COV=1 | DEBUG=1
VARIANT := $(firstword $(MACHINE))$(if $(SAN),-$(subst $(,),-,$(SAN)))$(if $(COV),-cov)$(if $(DEBUG),-debug)
comma := ,
VARIANT := $(subst $(comma),-,$(VARIANT))
BUILD ?= build/$(VARIANT)

WARNINGS := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes \
            -Wmissing-prototypes -Wvla -Wundef -Werror
ALL_CFLAGS := -std=c11 -Iinclude -Isrc -fPIC -fvisibility=hidden -ffp-contract=off $(WARNINGS) \
              $(CFLAGS) $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer) \
              $(if $(COV),--coverage -O0) $(if $(DEBUG),-O0)
ALL_LDFLAGS := $(LDFLAGS) $(if $(SAN),-fsanitize=$(SAN)) $(if $(COV),--coverage)

# The last _word of a SIMD file's name is its CPU level and decides its flags.
FLAGS_avx2 := -mavx2 -mf16c -mpopcnt
FLAGS_avx512vnni := $(FLAGS_avx2) -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni
FLAGS_neon :=
FLAGS_neondot := -march=armv8.2-a+dotprod
isa_flags = $(FLAGS_$(lastword $(subst _, ,$(basename $(notdir $1)))))

SOURCES := $(sort $(filter-out src/simd/%,$(wildcard src/*/*.c)) src/simd/simd.c $(wildcard src/simd/c/*.c) \
           $(if $(ARCH),$(wildcard src/simd/$(ARCH)/*.c)))
OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o)

.PHONY: all
all: lib ## build both libraries (default)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(if $(filter 0,$(V)),@echo "  CC  $<")
	$(Q)$(CC) $(ALL_CFLAGS) $(call isa_flags,$<) -MMD -MP -c -o $@ $<

-include $(OBJECTS:.o=.d)

include $(wildcard test/test.mk)

.PHONY: lib
lib: $(OBJECTS)
