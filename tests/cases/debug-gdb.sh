#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# gdb on a driver: started under it, attached to, and on a core dump. Names of stock module, image and kapi, source lines of kapi and of
# a module with debug information, and back traces that reach the bottom of the kernel thread's stack in each direction.
# timeout: 240
set -u

command -v gdb >/dev/null || { echo 'there is no gdb'; exit 77; }
udf=$UDF_BUILD/udf
device=(--device qemu:nvme,serial=debug --size 64M --cpus 2)
bad=0

# In OUTPUT there must be a back trace whose functions are, among others and in this order, those named.
trace() {		# OUTPUT WHAT FUNCTION...
	local output=$1 what=$2 pattern= function
	shift 2
	for function; do
		pattern+="#[0-9]+ [^\n]*\\b$function\\b[^#]*(#[0-9]+ [^\n]*\n[^#]*)*?"
	done
	grep -Pzoq "(?s)$pattern" "$output" && return
	echo "$output: no back trace of $what: $*"
	bad=1
}

has() {			# OUTPUT TEXT
	grep -qF -- "$2" "$1" && return
	echo "$1: '$2' is missing"
	bad=1
}

# 1. started under gdb: breakpoints on functions that are not there yet
"$udf" gdb --batch \
	--ex 'break host_pci_read' --ex run --ex 'echo @pci\n' --ex backtrace --ex delete \
	--ex 'break nvme_queue_rq' --ex continue --ex 'echo @queue\n' --ex backtrace --ex 'info symbol $pc' --ex delete \
	--ex 'break udf_mmio_trap' --ex continue --ex 'echo @mmio\n' --ex backtrace --ex delete \
	--ex 'break nvme_irq' --ex continue --ex 'echo @irq\n' --ex backtrace --ex delete \
	--ex 'echo @tasks\n' --ex 'udf-tasks nvme' --ex udf-modules --ex 'udf-log' --ex kill \
	"${device[@]}" >start.out 2>&1
for part in pci queue mmio irq tasks; do
	sed -n "/^@$part/,/^@/p" start.out >"$part.out"
done
trace pci.out 'host code called by the kernel' host_pci_read kapi_pci_read 'pci_bus_read_config_\w+' pci_scan_slot kapi_init ret_from_fork
has pci.out 'kapi/drivers/pci/host.c:'
trace queue.out 'a module called by the image' nvme_queue_rq blk_mq_dispatch_rq_list blk_execute_rq __nvme_submit_sync_cmd \
	process_one_work worker_thread kthread ret_from_fork
has queue.out 'nvme_queue_rq in section .text'
trace mmio.out 'a trapped access' udf_mmio_trap udf_on_fault 'signal handler called' 'nvme_\w+'
trace irq.out 'an interrupt' nvme_irq __handle_irq_event_percpu kapi_deliver
has tasks.out 'nvme-reset-wq  pid '
has tasks.out 'in rescuer_thread'
has tasks.out 'nvme_core '
has tasks.out 'pci function 0000:00:04.0'
if grep -E 'internal-error|corrupt stack|SIGSEGV, Seg' start.out; then bad=1; fi

# 2. attached to, and 3. what was dumped of it then
: >run.out		# tail is to find it
"$udf" run "${device[@]}" >>run.out 2>run.err &
pid=$!
exec 3< <(tail -f --pid=$pid -n +1 run.out)
grep -q -m 1 nvme0n1 <&3
"$udf" gdb --batch --ex 'thread apply all backtrace' --ex 'info symbol nvme_irq' --ex 'gcore dump' --ex 'echo @tasks\n' \
	--ex 'thread apply all udf-tasks udf-control' --ex detach --pid $pid >attach.out 2>&1
kill -INT $pid
wait $pid || { echo "the driver did not survive gdb: $?"; cat run.err; bad=1; }
"$udf" gdb --batch --ex 'thread apply all backtrace' --ex 'udf-tasks udf-control' --ex 'info symbol nvme_irq' --core dump >core.out 2>&1
for out in attach.out core.out; do
	trace $out 'an idle vCPU' host_cpu_idle arch_cpu_idle do_idle cpu_startup_entry kapi_boot
	has $out 'nvme_irq in section .text'
done
trace core.out 'a task that sleeps' __schedule schedule kapi_control_thread kthread ret_from_fork
rm -f dump
# a task's trace is its own whatever thread was looked at, also where that is in an inlined function
sed -n '/^@tasks/,$p' attach.out >attach-tasks.out
[ "$(grep -c '^Thread ' attach-tasks.out)" = "$(grep -c 'in kapi_control_thread' attach-tasks.out)" ] || {
	echo "attach-tasks.out: not each thread shows the task"
	bad=1
}

# 4. lines and variables of a module that has debug information
"$udf" gdb --batch --ex 'break set_called' --ex run --ex backtrace --ex 'print number' --ex next --ex kill \
	--no-device --once "$UDF_BUILD/tests/modules/udf_params.ko" number=-5 called=17 >lines.out 2>&1
trace lines.out 'a module with debug information' set_called parse_args kapi_module_load kapi_control_thread kthread
has lines.out 'set_called (text='
has lines.out 'params.c:'
has lines.out '$1 = -5'
# 5. an access that is led around its trap: from the host's code on, in what leads to it, and behind the call
"$udf" gdb --batch --ex 'break host_mmio_access' --ex run --ex 'echo @called\n' --ex backtrace --ex 'up 2' --ex 'info symbol $pc' \
	--ex 'tbreak *$pc' --ex 'tbreak *((long)$pc - (long)$pc % 256 + 30)' --ex delete\ 1 --ex continue --ex 'echo @one\n' --ex backtrace \
	--ex continue --ex 'echo @other\n' --ex backtrace --ex 'stepi 15' --ex 'echo @restoring\n' --ex backtrace --ex kill \
	--device qemu:nvme,serial=debug --module "$UDF_BUILD/tests/modules/udf_registers.ko" \
	--param device=0000:00:04.0 --param first=0x24 >detour.out 2>&1
for part in called one other restoring; do
	sed -n "/^@$part/,/^@/p" detour.out >"$part.out"
	trace "$part.out" 'a detour' detour '[gs]et' rings kthread ret_from_fork
done
trace called.out 'host code called by a detour' host_mmio_access detour
has called.out 'detour + 61 in section .detours'
exit $bad
