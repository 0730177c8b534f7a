// SPDX-License-Identifier: GPL-2.0
/*
 * tsc: print the frequency of this machine's time stamp counter in kHz. QEMU without KVM shows the guest the same counter; the guest's
 * kernel would measure it against a timer of QEMU's, which is wrong by a factor on a machine with other work, and with it every clock.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

#define TRIES 100
#define WAIT_NS 50000000

struct moment {
	uint64_t tsc;
	int64_t ns;
};

/* Both at one time: of several tries the one that took least. */
static struct moment now(void)
{
	struct moment best = { 0 };
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < TRIES; i++) {
		struct timespec t;
		uint64_t before = __rdtsc(), took;

		clock_gettime(CLOCK_MONOTONIC_RAW, &t);
		took = __rdtsc() - before;
		if (took >= least)
			continue;
		least = took;
		best = (struct moment){ .tsc = before + took / 2, .ns = t.tv_sec * 1000000000ll + t.tv_nsec };
	}
	return best;
}

int main(void)
{
	const struct timespec wait = { .tv_nsec = WAIT_NS };
	struct moment a = now(), b;

	nanosleep(&wait, NULL);
	b = now();
	printf("%.0f\n", (double)(b.tsc - a.tsc) * 1e6 / (double)(b.ns - a.ns));
	return 0;
}
