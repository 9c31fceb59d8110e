# libqnt. `make help` lists the targets. Needs GNU make and a C11 compiler, nothing else.
#
# Sources are found by wildcard; the last _word of a file below src/simd decides its CPU flags. Each
# variant (compiler's machine, sanitizer, coverage, debug) has a folder of its own below build/.

VERSION := 1.0.0
ABI := $(firstword $(subst ., ,$(VERSION)))

# ---- what the caller may set ----

CROSS ?=# prefix of a cross toolchain, e.g. aarch64-linux-gnu-
ifneq ($(CROSS),)
CC := $(CROSS)gcc
endif
ifeq ($(origin CC),default)
CC := cc
endif
CFLAGS ?= -O2 -g
LDFLAGS ?=
PREFIX ?= /usr/local
DESTDIR ?=
INCLUDEDIR ?= $(PREFIX)/include
LIBDIR ?= $(PREFIX)/lib
DOCDIR ?= $(PREFIX)/share/doc/libqnt
DIST ?= dist
SAN ?=# e.g. address,undefined, thread or memory
COV ?=# 1: coverage
DEBUG ?=# 1: no optimisation
PORTABLE ?= $(filter memory,$(SAN))# 1: no kernels but those in C; that sanitizer knows few intrinsics
V ?= 0# 1: show commands
PCH ?= $(if $(findstring ccache,$(CC)),,1)# 1: precompile intrinsics; ccache stores nothing that used them

# ---- what follows from it ----

comma := ,
MACHINE := $(shell $(CC) -dumpmachine)
# gcc -m32 still says x86_64. There are no kernels with 32-bit pointers.
WIDE := $(filter 8,$(shell echo __SIZEOF_POINTER__ | $(CC) $(CFLAGS) -E -P -))
MACHINE := $(if $(WIDE),$(MACHINE),$(MACHINE:x86_64%=i386%))
ARCH := $(if $(PORTABLE),,$(if $(filter x86_64%,$(MACHINE)),x86,$(if $(filter aarch64%,$(MACHINE)),arm)))
NATIVE := $(filter $(shell uname -m)%,$(MACHINE))
KIND := $(if $(SAN),-$(SAN))$(if $(COV),-cov)$(if $(DEBUG),-debug)$(if $(PORTABLE),-portable)
VARIANT := $(subst $(comma),-,$(MACHINE)$(KIND))
BUILD ?= build/$(VARIANT)
# Binutils of the compiler's machine: aarch64-linux-gnu-gcc goes with aarch64-linux-gnu-objcopy.
TOOLS := $(patsubst %gcc,%,$(filter %-gcc,$(notdir $(CC))))
AR := $(TOOLS)ar
OBJCOPY := $(TOOLS)objcopy
NM := $(TOOLS)nm
OBJDUMP := $(TOOLS)objdump
Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@echo "  $1")

WARNINGS := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes \
            -Wmissing-prototypes -Wvla -Wundef -Werror
# Without optimisation gcc's intrinsics are macros, and these warn.
UNOPTIMISED := $(if $(COV)$(DEBUG),-O0 -w)
SAN_FLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
# Compilers before gcc 11 and clang 12, and the assemblers of their time, do not know AVX-VNNI.
HAVE_AVXVNNI := $(if $(filter x86,$(ARCH)),$(shell \
    echo 'void f(void) { __asm__("{vex} vpdpbusd %ymm0, %ymm1, %ymm2"); }' | \
    $(CC) -mavxvnni -x c -c -o /dev/null - 2>/dev/null && echo 1))
# The x87 unit would round results later than other CPUs do. What position independent code calls is in
# groups that every object has; a group that loses against another program's leaves local names undefined.
I386 := $(filter i386% i486% i586% i686%,$(MACHINE))
FLOAT_FLAGS := $(if $(I386),-msse2 -mfpmath=sse)
JOIN_FLAGS := -r -nostdlib $(if $(I386),-Wl$(comma)--force-group-allocation)
# Contraction would fuse a multiplication and an addition on some CPUs only.
ALL_CFLAGS := -std=c11 -Iinclude -Isrc -fPIC -fvisibility=hidden -ffp-contract=off $(FLOAT_FLAGS) \
              -ffunction-sections -fdata-sections $(WARNINGS) $(CFLAGS) $(SAN_FLAGS) \
              $(if $(filter x86,$(ARCH)),$(if $(HAVE_AVXVNNI),,-DQNT__WITHOUT_AVXVNNI)) \
              $(if $(PORTABLE),-DQNT__PORTABLE) $(if $(COV),--coverage) $(if $(DEBUG),-g) $(UNOPTIMISED)
ALL_LDFLAGS := $(LDFLAGS) $(SAN_FLAGS) $(if $(COV),--coverage)
# A sanitizer's run time lives in the program, so its names are undefined in the library.
SHARED_FLAGS := -shared -Wl,-soname,libqnt.so.$(ABI) -Wl,--version-script=lib/qnt.map \
                -Wl,-Bsymbolic $(if $(SAN),,-Wl$(comma)-z$(comma)defs)

FLAGS_avx2 := -mavx2 -mf16c -mpopcnt
FLAGS_avxvnni := $(FLAGS_avx2) -mavxvnni
FLAGS_avx512vnni := $(FLAGS_avx2) -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni
FLAGS_avx512vbmi := $(FLAGS_avx512vnni) -mavx512vbmi -mavx512vbmi2 -mavx512bitalg -mavx512vpopcntdq
FLAGS_neon :=
FLAGS_neondot := -march=armv8.2-a+dotprod
# Of kernels a debugger knows the lines: where their vectors are at each of them takes longer to write
# down than to compile them.
KERNEL_FLAGS := $(if $(DEBUG),,$(if $(filter -g,$(CFLAGS)),-g1))
# What kernels read and write is checked as everywhere, but not each pointer that they compute: clang takes
# three times as long for those checks as for all others.
KERNEL_FLAGS += $(if $(findstring undefined,$(SAN) $(CFLAGS)),\
                  -fno-sanitize=pointer-overflow$(comma)null$(comma)object-size)
level = $(lastword $(subst _, ,$(basename $(notdir $1))))
level_flags = $(FLAGS_$1) $(KERNEL_FLAGS)
kernel_flags = $(if $(filter src/simd/$(ARCH)/%,$1),$(call level_flags,$(level))\
                   $(if $(filter $(level),$(PARSED_ONCE)),-include $(BUILD)/src/simd/$(level).h))
# To parse thousands of intrinsics takes longer than to compile most kernels: once for each level will do.
INTRINSICS_x86 := immintrin.h
INTRINSICS_arm := arm_neon.h
LEVELS_x86 := avx2 $(if $(HAVE_AVXVNNI),avxvnni) avx512vnni avx512vbmi
LEVELS_arm := neon neondot
PARSED_ONCE := $(if $(PCH),$(LEVELS_$(ARCH)))

SOURCES := $(sort $(filter-out src/simd/%,$(wildcard src/*/*.c)) src/simd/simd.c \
           $(wildcard src/simd/c/*.c) $(if $(ARCH),$(wildcard src/simd/$(ARCH)/*.c)))
SOURCES := $(filter-out $(if $(HAVE_AVXVNNI),,%_avxvnni.c),$(SOURCES))
OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o)
HEADERS := $(sort $(wildcard include/qnt/*.h))
STATIC := $(BUILD)/lib/libqnt.a
SHARED := $(BUILD)/lib/libqnt.so.$(VERSION)

# ---- the libraries ----

.PHONY: all
all: lib ## build both libraries (default)

# Plain native builds are also copied to lib/, so that -Llib -lqnt works in the tree.
IN_TREE := $(if $(SAN)$(COV)$(DEBUG)$(PORTABLE),,$(if $(NATIVE),lib/libqnt.a lib/libqnt.so.$(VERSION)))

.PHONY: lib
lib: $(STATIC) $(SHARED) $(IN_TREE)

# Rewritten only when the compiler or a flag changes; every object depends on it.
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(ALL_CFLAGS) | $(ALL_LDFLAGS)' | cmp -s - $@ || \
	    echo '$(CC) $(ALL_CFLAGS) | $(ALL_LDFLAGS)' >$@

# Rewritten only when the list of sources changes, so that a removed file leaves the libraries.
$(BUILD)/sources: FORCE
	@mkdir -p $(@D)
	@echo '$(OBJECTS)' | cmp -s - $@ || echo '$(OBJECTS)' >$@

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC  $<)
	$(Q)$(CC) $(ALL_CFLAGS) $(call kernel_flags,$<) -MMD -MP -c -o $@ $<

$(BUILD)/src/simd/%.h.gch: $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,PCH $(INTRINSICS_$(ARCH)) for $*)
	$(Q)echo '#include <$(INTRINSICS_$(ARCH))>' >$(basename $@)
	$(Q)$(CC) $(ALL_CFLAGS) $(call level_flags,$*) -x c-header -o $@ $(basename $@)

parse_once = $(filter $(BUILD)/src/simd/$(ARCH)/%_$1.o,$(OBJECTS)): $(BUILD)/src/simd/$1.h.gch
$(foreach each,$(PARSED_ONCE),$(eval $(call parse_once,$(each))))

# One relocatable object in which only the API is global: names cannot clash in a static link.
$(STATIC): $(OBJECTS) $(BUILD)/sources
	@mkdir -p $(@D)
	$(call say,AR  $@)
	$(Q)$(CC) $(CFLAGS) $(JOIN_FLAGS) -o $(BUILD)/lib/qnt.o $(OBJECTS)
	$(Q)$(OBJCOPY) --localize-hidden $(BUILD)/lib/qnt.o
	$(Q)rm -f $@ && $(AR) rcsD $@ $(BUILD)/lib/qnt.o

$(SHARED): $(OBJECTS) $(BUILD)/sources lib/qnt.map
	@mkdir -p $(@D)
	$(call say,LD  $@)
	$(Q)$(CC) $(CFLAGS) $(SHARED_FLAGS) $(ALL_LDFLAGS) -o $@ $(OBJECTS) -lm -pthread
	$(Q)ln -sf libqnt.so.$(VERSION) $(@D)/libqnt.so.$(ABI)
	$(Q)ln -sf libqnt.so.$(ABI) $(@D)/libqnt.so

lib/libqnt.a: $(STATIC) FORCE
	@cmp -s $< $@ || cp $< $@

lib/libqnt.so.$(VERSION): $(SHARED) FORCE
	@cmp -s $< $@ || cp $< $@
	@ln -sf libqnt.so.$(VERSION) lib/libqnt.so.$(ABI)
	@ln -sf libqnt.so.$(ABI) lib/libqnt.so

-include $(OBJECTS:.o=.d)

# ---- installing ----

.PHONY: install
install: lib ## install below DESTDIR and PREFIX (default /usr/local)
	install -d $(DESTDIR)$(INCLUDEDIR)/qnt $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(DOCDIR)/doc
	install -m 644 include/qnt.h $(DESTDIR)$(INCLUDEDIR)
	install -m 644 $(HEADERS) $(DESTDIR)$(INCLUDEDIR)/qnt
	install -m 644 $(STATIC) $(DESTDIR)$(LIBDIR)
	install -m 755 $(SHARED) $(DESTDIR)$(LIBDIR)
	ln -sf libqnt.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libqnt.so.$(ABI)
	ln -sf libqnt.so.$(ABI) $(DESTDIR)$(LIBDIR)/libqnt.so
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' \
	    -e 's|@INCLUDEDIR@|$(patsubst $(PREFIX)/%,$${prefix}/%,$(INCLUDEDIR))|' \
	    -e 's|@LIBDIR@|$(patsubst $(PREFIX)/%,$${prefix}/%,$(LIBDIR))|' \
	    pkgconfig/qnt.pc.in >$(DESTDIR)$(LIBDIR)/pkgconfig/qnt.pc
	install -m 644 LICENSE README.md CHANGELOG.md $(DESTDIR)$(DOCDIR)
	install -m 644 $(wildcard doc/*.md) $(DESTDIR)$(DOCDIR)/doc

.PHONY: uninstall
uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(INCLUDEDIR)/qnt.h $(HEADERS:include/%=$(DESTDIR)$(INCLUDEDIR)/%)
	rm -f $(addprefix $(DESTDIR)$(LIBDIR)/,libqnt.a libqnt.so libqnt.so.$(ABI) \
	    libqnt.so.$(VERSION) pkgconfig/qnt.pc)
	rm -f $(addprefix $(DESTDIR)$(DOCDIR)/,LICENSE README.md CHANGELOG.md $(wildcard doc/*.md))
	-rmdir $(DESTDIR)$(INCLUDEDIR)/qnt $(DESTDIR)$(DOCDIR)/doc $(DESTDIR)$(DOCDIR)

.PHONY: dist
dist: ## pack the committed tree: dist/libqnt-VERSION.tar.gz, the same bytes every time
	@mkdir -p $(DIST)
	git archive --format=tar --prefix=libqnt-$(VERSION)/ HEAD | \
	    gzip -9n >$(DIST)/libqnt-$(VERSION).tar.gz

# ---- tests, examples, documentation ----

include $(wildcard test/test.mk test/*/*.mk examples/examples.mk)

.PHONY: doc
doc: ## build the reference and the articles: doc/html (Doxygen; warnings are errors)
	cd doc && PROJECT_NUMBER=$(VERSION) doxygen -q Doxyfile

.PHONY: clean
clean: ## remove everything that was built
	rm -rf build dist doc/html lib/libqnt.*

.PHONY: help
help: ## list the targets
	@echo 'make [TARGET] [CC=clang] [CROSS=aarch64-linux-gnu-] [SAN=address,undefined|thread|memory]'
	@echo '     [COV=1] [DEBUG=1] [PORTABLE=1] [V=1] [PREFIX=/usr/local] [DESTDIR=]'
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1 \2/p' $(MAKEFILE_LIST) | sort | \
	    while read -r target text; do printf '  %-16s %s\n' "$$target" "$$text"; done

.PHONY: FORCE
FORCE:
