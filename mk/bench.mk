# SPDX-License-Identifier: GPL-2.0
# Benchmarks: nothing is asserted, a table is written.

ROUNDS := 5
BENCH_SECONDS := 2

## bench: measure UDF against its yardstick, write doc/bench.md
.PHONY: bench
bench: host kapi
	$(Q)bench/run.sh $(B) $(ROUNDS) $(BENCH_SECONDS) >$(B)/bench.md
	$(Q)mv $(B)/bench.md doc/bench.md
	$(Q)cat doc/bench.md
