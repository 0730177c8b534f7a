#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# check-kapi.sh OBJECT: what the image's linker relies on in the kapi object.
set -eu

fail() { echo "kapi: $*" >&2; exit 1; }

sections=$(readelf -SW "$1")
case $sections in
*.data..percpu*) fail "per-CPU variables: kapi has no per-CPU section of its own, use the image's or an array" ;;
esac
case $sections in
*.orc_unwind_ip*) ;;
*) fail "no ORC unwind tables: objtool did not run, back traces would end here" ;;
esac
