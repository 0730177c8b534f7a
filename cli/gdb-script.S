/* SPDX-License-Identifier: GPL-2.0 */
/* The commands that udf gdb gives to gdb, as part of the program. Host world. */
	.section .rodata
	.globl	cli_gdb_script, cli_gdb_script_end
cli_gdb_script:
	.incbin	"cli/gdb.py"
cli_gdb_script_end:
	.byte	0

	.section .note.GNU-stack, "", @progbits
