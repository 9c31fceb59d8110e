# Describes the ABI of the built library with libabigail; included by the Makefile.
# test/abi/abidiff.sh compares the description with the baseline kept in lib/.

ABIDW := abidw --suppressions test/abi/private.suppr --no-comp-dir-path --no-corpus-path --no-show-locs

.PHONY: abi
abi: lib ## compare the built library with the ABI promised in lib/
	@$(SCRIPT_ENV) test/run.sh $(sort $(wildcard test/abi/*.sh))

.PHONY: abi-baseline
abi-baseline: lib ## rewrite lib/qnt-ARCH.abi from the built library: a decision, not a routine
	$(ABIDW) --out-file lib/qnt-$(firstword $(subst -, ,$(MACHINE))).abi $(SHARED)
