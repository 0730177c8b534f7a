#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# An application that begins well: HELLO with a lease, memory, a ring, a disk that is opened, a request.
printf '\000\001\200\000\002\003\000\002\200\000\000\003\202\000\000\005\200\000\005\001\000\000\001\000\000\000\000\000\002\000\000\000\000\000\000\000\000\000\000\002\000\002' >"$1/well"
