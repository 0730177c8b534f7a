// SPDX-License-Identifier: GPL-2.0
/*
 * The yardstick: 4 KiB random reads by a minimal polled NVMe client over the same transport: no kernel code, no interrupt, one
 * queue pair, completions polled in memory. What the device and the transport can do at best. Host world.
 */
#include <errno.h>
#include <sys/mman.h>

#include "bench.h"
#include "port/port.h"

#define ENTRIES 256u
#define ADMIN_SQ 0x100000u
#define ADMIN_CQ 0x101000u
#define IO_SQ 0x104000u		/* ENTRIES * 64 */
#define IO_CQ 0x108000u		/* ENTRIES * 16 */
#define DATA 0x200000u		/* ENTRIES * 4096 */

struct ring {
	unsigned int qid, tail, head, phase;
	volatile uint32_t *sq, *cq;
};

static struct udf_port *port;
static uint8_t *ram;

static void no_irq(void *ctx, unsigned int vector, int level)
{
}

static void lost(void *ctx, const char *why)
{
	fprintf(stderr, "%s\n", why);
	exit(1);
}

static void reg_write(uint64_t offset, unsigned int size, uint64_t value)
{
	port->ops->bar_write(port, 0, offset, size, value);
}

static void command(struct ring *r, unsigned int cid, uint8_t op, uint32_t nsid, uint64_t prp, const uint32_t dw10[6])
{
	volatile uint32_t *c = r->sq + r->tail * 16;

	c[0] = op | cid << 16;
	c[1] = nsid;
	c[6] = (uint32_t)prp;
	c[7] = (uint32_t)(prp >> 32);
	for (int i = 0; i < 6; i++)
		c[10 + i] = dw10[i];
	r->tail = (r->tail + 1) % ENTRIES;
}

static void ring_doorbell(const struct ring *r)
{
	reg_write(0x1000 + r->qid * 8, 4, r->tail);
}

/* Returns the command id of a completion, -1 when there is none. Stops at an error. */
static int reap(struct ring *r)
{
	uint32_t dw3 = r->cq[r->head * 4 + 3];

	if (((dw3 >> 16) & 1) != r->phase)
		return -1;
	if (dw3 >> 17) {
		fprintf(stderr, "yardstick: status 0x%x\n", dw3 >> 17);
		exit(1);
	}
	if (++r->head == ENTRIES) {
		r->head = 0;
		r->phase ^= 1;
	}
	return (int)(dw3 & 0xffff);
}

static void admin(struct ring *r, uint8_t op, uint64_t prp, uint32_t dw10, uint32_t dw11)
{
	command(r, 0, op, 0, prp, (const uint32_t[6]){ dw10, dw11 });
	ring_doorbell(r);
	while (reap(r) < 0)
		;
	reg_write(0x1004, 4, r->head);
}

static void start_controller(struct ring *adm, struct ring *io)
{
	uint64_t csts = 0;

	port->ops->config_write(port, 4, 2, 6);		/* memory, bus master */
	reg_write(0x14, 4, 0);
	reg_write(0x24, 4, (ENTRIES - 1) << 16 | (ENTRIES - 1));
	reg_write(0x28, 8, ADMIN_SQ);
	reg_write(0x30, 8, IO_CQ + 0x4000);
	adm->cq = (void *)(ram + IO_CQ + 0x4000);
	adm->sq = (void *)(ram + ADMIN_SQ);
	reg_write(0x14, 4, 0x00460001);
	while (!(csts & 1))
		port->ops->bar_read(port, 0, 0x1c, 4, &csts);
	admin(adm, 5, IO_CQ, (ENTRIES - 1) << 16 | 1, 1);		/* completion queue 1, no interrupt */
	admin(adm, 1, IO_SQ, (ENTRIES - 1) << 16 | 1, 1 << 16 | 1);
	io->sq = (void *)(ram + IO_SQ);
	io->cq = (void *)(ram + IO_CQ);
}

static void read_block(struct ring *io, unsigned int slot)
{
	uint64_t lba = bench_block() * 8;

	command(io, slot, 2, 1, DATA + slot * 4096, (const uint32_t[6]){ (uint32_t)lba, (uint32_t)(lba >> 32), 7 });
}

static unsigned long run(struct ring *io, double seconds)
{
	double end = bench_now() + seconds;
	unsigned long ios = 0;

	while (bench_now() < end) {
		unsigned int n = 0;
		int slot;

		while ((slot = reap(io)) >= 0) {
			read_block(io, (unsigned int)slot);
			n++;
		}
		if (!n) {
			__builtin_ia32_pause();
			continue;
		}
		reg_write(0x1004 + 8, 4, io->head);
		ring_doorbell(io);
		ios += n;
	}
	return ios;
}

int main(int argc, char **argv)
{
	struct bench_args a = bench_parse(argc, argv);
	const char *backends[] = { "-blockdev", BENCH_DRIVE, NULL };
	const struct udf_port_config config = { .spec = BENCH_DEVICE, .backends = backends };
	const struct udf_port_events events = { .irq = no_irq, .lost = lost };
	struct ring adm = { .qid = 0, .phase = 1 }, io = { .qid = 1, .phase = 1 };
	struct udf_dma_range ranges[64];
	struct udf_error err = UDF_ERROR_INIT;
	unsigned int i, nr;
	double start, cpu;
	unsigned long ios;
	uint64_t size;
	int fd;

	if (udf_port_open(&config, &events, NULL, &port, &err) || port->ops->dma_get(port, &fd, &size, ranges, &nr)) {
		fprintf(stderr, "yardstick: %s\n", err.text);
		return 1;
	}
	ram = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (ram == MAP_FAILED)
		return 1;
	start_controller(&adm, &io);
	for (i = 0; i < a.depth; i++)
		read_block(&io, i);
	ring_doorbell(&io);
	run(&io, a.seconds / 10);
	cpu = bench_cpu();
	start = bench_now();
	ios = run(&io, a.seconds);
	bench_print("yardstick", &a, ios, bench_now() - start, bench_cpu() - cpu);
	port->ops->close(port);
	return 0;
}
