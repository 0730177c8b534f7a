#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# udf run --trace: lines of every category from a stock driver that starts a device, with what they have to say; nothing is lost unsaid;
# the data that is read meanwhile is right; and what is asked for wrongly is refused.
# timeout: 180
set -u

udf=$UDF_BUILD/udf
device=(--device qemu:nvme,serial=trace)
bad=0
fail() { echo "$*"; bad=1; }

# A line of CATEGORY, done BY, that matches PATTERN (behind these).
line() {		# FILE CATEGORY BY PATTERN
	grep -qE "^ +[0-9]+\.[0-9]{6} ([0-9]+ [^ ]+-[0-9]+|- -) +([sh] )?$2 +$3 +$4" "$1" || fail "$1: no line: $2 $3 $4"
}

head -c 4M /dev/urandom >disk.img
"$udf" read "${device[@]}" --drive disk.img --cpus 2 --trace all=all.txt --file out.img 2>err || fail "udf read: $(cat err)"
cmp disk.img out.img || fail 'what was read under a trace is not what is on the disk'

us='\([0-9]+\.[0-9] us'
line all.txt api image 'nvme_probe\+0x[0-9a-f]+ \[nvme\]: pci_request_selected_regions\(pdev=0x[0-9a-f]+, bars=1, res_name="nvme"\)'
line all.txt api image "nvme_probe\+0x[0-9a-f]+ \[nvme\]: pci_request_selected_regions = 0 $us\)"
line all.txt api transport "nvme_reset_work\+0x[0-9a-f]+ \[nvme\]: pci_enable_device_mem = 0 $us, [1-9][0-9]* accesses\)"
line all.txt api nvme_core 'nvme_(queue_rqs?|prep_rq[^ ]*)\+0x[0-9a-f]+ \[nvme\]: nvme_setup_cmd\(ns=0x[0-9a-f]+, req=0x[0-9a-f]+\)'
line all.txt api kapi '.* \[nvme\]: ioremap\(phys_addr=0x[0-9a-f]+, size=[0-9]+\)'
line all.txt dma kapi '.* \[nvme\]: dma_map_page_attrs\(dev=0x[0-9a-f]+, page=0x[0-9a-f]+, offset=[0-9]+, size=[0-9]+, dir=DMA_FROM_DEVICE, attrs=0\)'
line all.txt dma image "nvme_alloc_queue\+0x[0-9a-f]+ \[nvme\]: dma_alloc_attrs = 0x[0-9a-f]+, dma_handle -> 0x[0-9a-f]+ $us\)"
line all.txt dma kapi '.* \[nvme\]: dma_unmap_page_attrs\(dev=0x[0-9a-f]+, addr=0x[0-9a-f]+, size=[0-9]+, dir=DMA_FROM_DEVICE'
line all.txt mmio transport "nvme_reset_work\+0x[0-9a-f]+ \[nvme\]: BAR 0\+0x1c read32 -> 0 $us\)"
line all.txt mmio transport "nvme_[^ ]*\+0x[0-9a-f]+ \[nvme\]: BAR 0\+0x10[0-9a-f]{2} write32 <- 0x[0-9a-f]+ $us\)"
line all.txt pci transport "config\+0 read32 -> 0x101b36 $us\)"
line all.txt irq transport 'vector [0-9]+ raised for vCPU [01]'
line all.txt irq image "handler of irq [0-9]+ 'nvme0q[12]': nvme_irq \[nvme\] \(vector [0-9]+, raised [0-9]+\.[0-9] us ago\)"
line all.txt irq image "handler of irq [0-9]+ 'nvme0q[12]' done: handled"
line all.txt sched image 'kworker/[^ ]+-[0-9]+ runs, swapper/[01] stays R'

grep -q 'events lost' all.txt && fail 'events were lost in a simple run'
# In order of time, but for the moment between taking a place and the time.
awk '$1 + 0.0005 < last { print FILENAME ": out of order: " $0; n++ } { last = $1 } END { exit n > 0 }' all.txt || bad=1

# No caller without a name, not even in code that is freed after start.
grep -E ' (api|dma|mmio) ' all.txt | grep -E '^.{47,60} 0x[0-9a-f]+: ' && fail 'callers without names'

# Only what is asked for.
"$udf" run "${device[@]}" --size 16M --once loop --trace pci,sched >/dev/null 2>err
"$udf" read "${device[@]}" --drive disk.img --length 4K --file /dev/null --trace api,dma=some.txt --trace-only 'pci_*,dma_*,!pci_save*' || bad=1
[ "$(wc -l <some.txt)" -gt 20 ] || fail 'some.txt is too short'
grep -vE ': (pci|dma)_' some.txt && fail 'some.txt has other functions'
grep -q pci_save some.txt && fail 'some.txt has what was excepted'
grep -qE ' (mmio|irq|sched|pci) +(transport|image) ' some.txt && fail 'some.txt has other categories'

# stderr, and JSON.
"$udf" read "${device[@]}" --drive disk.img --length 4K --file /dev/null --trace irq --trace-format json 2>json.txt || bad=1
grep '^{' json.txt >lines.txt
if command -v python3 >/dev/null; then
	python3 - lines.txt <<-'END' || fail 'the JSON is wrong'
	import json, sys
	lines = [json.loads(line) for line in open(sys.argv[1])]
	assert len(lines) > 10 and all(line['category'] == 'irq' for line in lines), lines[:3]
	assert any(line['by'] == 'transport' and 'raised' in line['event'] for line in lines)
	END
fi

# Kernel code does the same under a trace as without: faults with fix-ups and functions with rules of their own, switches, interrupts.
for name in uaccess warn smp kthreads softirq containers; do
	"$udf" run --no-device --cpus 2 --once "$UDF_BUILD/tests/modules/udf_$name.ko" --trace all=module.txt >module.log 2>&1 ||
		{ fail "udf_$name.ko under a trace: $?"; grep -E 'FAIL|udf:' module.log | head; }
	grep -q ' api ' module.txt || fail "udf_$name.ko: no calls traced"
done

# gdb walks through calls that are traced.
if command -v gdb >/dev/null; then
	"$udf" gdb --batch --ex 'break pci_enable_device_mem' --ex run --ex backtrace --ex kill "${device[@]}" --size 16M \
		--trace api=/dev/null >gdb.out 2>&1
	grep -qzE '#0 [^#]* pci_enable_device_mem [^#]*#1 [^#]* trace_call [^#]*#2 [^#]* nvme_reset_work [^#]*(#[^#]*)*ret_from_fork' gdb.out ||
		{ fail 'gdb does not walk through a traced call:'; tail -n 12 gdb.out; }
fi

# More than the reader can write: the kernel code does not wait for it, and it is said how much is missing.
"$udf" run --no-device --cpus 2 --once "$UDF_BUILD/tests/modules/udf_locks.ko" --trace api=many.txt >module.log 2>&1 ||
	{ fail "udf_locks.ko under a trace: $?"; grep -E 'FAIL|udf:' module.log | head; }
written=$(wc -l <many.txt)
lost=$(awk '/events lost before this one/ { n += $3 } END { print n + 0 }' many.txt)
[ "$((written + lost))" -gt 200000 ] || fail "of the calls of udf_locks.ko only $written are written and $lost counted"
echo "udf_locks.ko: $written lines, $lost events lost"

for wrong in '--trace nothing' '--trace api,' '--trace api=' '--trace ' '--trace-format xml' '--trace api=/nowhere/x'; do
	# shellcheck disable=SC2086 # two words
	if "$udf" run "${device[@]}" --size 16M --once loop $wrong >/dev/null 2>err; then
		fail "'$wrong' is taken"
	fi
	[ -s err ] || fail "'$wrong' is refused without a word"
done
exit $bad
