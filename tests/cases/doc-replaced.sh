#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# doc/replaced.md names the functions that are replaced, as kapi/series does.
exec "$UDF_TOP/doc/update.sh" --check
