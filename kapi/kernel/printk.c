// SPDX-License-Identifier: GPL-2.0
/*
 * Replaces kernel/printk/printk.c: vprintk_emit(): a line goes to the host's log with its level. Kernel world.
 *
 * There is no ring buffer and no console: the host keeps the log. Text without a newline is continued by KERN_CONT.
 */
#include <linux/kernel.h>
#include <linux/kern_levels.h>
#include <linux/printk.h>
#include <linux/dev_printk.h>
#include <linux/spinlock.h>

#include "kapi.h"

#define KAPI_LINE_MAX 1024

static arch_spinlock_t kapi_log_lock = __ARCH_SPIN_LOCK_UNLOCKED;
static char kapi_line[KAPI_LINE_MAX];
static unsigned int kapi_line_len;
static int kapi_line_level;

static void kapi_line_flush(void)
{
	if (kapi_line_len)
		host_log_write(kapi_line_level, kapi_line, kapi_line_len);
	kapi_line_len = 0;
}

/* Strip the level prefixes of TEXT. Returns the level (-1: none given); *CONT says whether it continues a line. */
static int kapi_prefix(const char **text, bool *cont)
{
	int level = -1;

	*cont = false;
	while ((*text)[0] == KERN_SOH_ASCII && (*text)[1]) {
		char c = (*text)[1];

		if (c >= '0' && c <= '7')
			level = c - '0';
		else if (c == 'c')
			*cont = true;
		*text += 2;
	}
	return level;
}

static void kapi_line_add(const char *text, int level, bool cont)
{
	if (!cont) {
		kapi_line_flush();
		kapi_line_level = level;
	}
	while (*text) {
		if (*text == '\n')
			kapi_line_flush();
		else if (kapi_line_len < KAPI_LINE_MAX)
			kapi_line[kapi_line_len++] = *text;
		text++;
	}
}

int vprintk_emit(int facility, int level, const struct dev_printk_info *dev_info, const char *fmt, va_list args)
{
	static char buf[KAPI_LINE_MAX];
	unsigned long flags;
	const char *text = buf;
	int n, given;
	bool cont;

	local_irq_save(flags);
	arch_spin_lock(&kapi_log_lock);
	n = vscnprintf(buf, sizeof(buf), fmt, args);
	given = kapi_prefix(&text, &cont);
	if (level < 0)
		level = given >= 0 ? given : MESSAGE_LOGLEVEL_DEFAULT;
	/* what a machine says while it boots is noise in a driver process */
	if (level > LOGLEVEL_WARNING && system_state < SYSTEM_RUNNING)
		level = LOGLEVEL_DEBUG;
	kapi_line_add(text, level, cont);
	arch_spin_unlock(&kapi_log_lock);
	local_irq_restore(flags);
	return n;
}
