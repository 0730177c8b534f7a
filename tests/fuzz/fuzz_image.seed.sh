#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Make the seeds of fuzz_image in the folder $1.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
${CC:-gcc} -O1 -I"$here/../unit" -o "$work/seed" "$here/image_seed.c" "$here/../unit/image/fake_image.c" -llzma -lzstd -llz4 -lz
cd "$1"
"$work/seed"
