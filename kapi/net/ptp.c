// SPDX-License-Identifier: GPL-2.0
/* Replaces net/core/ptp_classifier.c: ptp_classifier_init(), a deliberate no-op. Kernel world. */
#include <linux/ptp_classify.h>

#include "kapi.h"

void ptp_classifier_init(void)
{
}
