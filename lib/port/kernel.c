// SPDX-License-Identifier: GPL-2.0
/* The transport through udf_port.ko: opening, closing, configuration space, registers, DMA memory; see kernel.h. Host world. */
#define _GNU_SOURCE
#include "port/kernel-int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIB (1ull << 20)
#define ARENA_MAX (2047 * MIB)

int udf_kernel_ioctl(struct kernel_port *k, unsigned long cmd, void *arg)
{
	return ioctl(k->fd, cmd, arg) ? -errno : 0;
}

/* ---- opening ---- */

static int parse_address(const char *text, struct udf_kernel_spec *spec)
{
	unsigned int domain = 0, bus, device, function;
	int end = 0;

	if (sscanf(text, "%4x:%2x:%2x.%1u%n", &domain, &bus, &device, &function, &end) != 4 || text[end]) {
		domain = 0;
		end = 0;
		if (sscanf(text, "%2x:%2x.%1u%n", &bus, &device, &function, &end) != 3 || text[end])
			return -EINVAL;
	}
	if (device > 31 || function > 7)
		return -EINVAL;
	snprintf(spec->address, sizeof(spec->address), "%04x:%02x:%02x.%u", domain & 0xffff, bus & 0xff, device, function);
	return 0;
}

static bool parse_number(const char *text, unsigned int low, unsigned int high, unsigned int *value)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || n < low || n > high)
		return false;
	*value = (unsigned int)n;
	return true;
}

int udf_kernel_spec_parse(const char *text, struct udf_kernel_spec *spec, struct udf_error *err)
{
	char copy[256], *option, *rest = copy;
	unsigned int n = 0;

	*spec = (struct udf_kernel_spec){ .mask = 32, .fd = -1 };
	if (snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy))
		return udf_error_set(err, -EINVAL, "pci:%.40s...: is too long", text);
	option = strsep(&rest, ",");
	if (parse_address(option, spec))
		return udf_error_set(err, -EINVAL, "pci:%s: '%s' is no PCI address, as in pci:0000:03:00.0; lspci -D lists them", text, option);
	while ((option = strsep(&rest, ","))) {
		if (!strncmp(option, "mask=", 5) && parse_number(option + 5, 24, 64, &spec->mask))
			continue;
		if (strncmp(option, "fd=", 3) || !parse_number(option + 3, 0, 1u << 20, &n))
			return udf_error_set(err, -EINVAL, "pci:%s: '%s' is not understood: there are mask=BITS (24 to 64) and fd=NUMBER", text, option);
		spec->fd = (int)n;
	}
	return 0;
}

/* Why there is no device file: what the function is bound to. */
static int not_there(const struct udf_kernel_spec *spec, struct udf_error *err)
{
	char path[64], link[256];
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", spec->address);
	if (access(path, F_OK))
		return udf_error_set(err, -ENODEV, "%s: this machine has no such PCI function; lspci -D lists them", spec->address);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver", spec->address);
	n = readlink(path, link, sizeof(link) - 1);
	link[n > 0 ? n : 0] = 0;
	if (n > 0 && !strcmp(strrchr(link, '/') + 1, "udf_port"))
		return udf_error_set(err, -ENODEV, "%s is bound to udf_port, but " UDF_PORT_DIR "%s is not there", spec->address, spec->address);
	return udf_error_set(err, -ENODEV, "%s is bound to %s; 'udf bind %s' hands it over", spec->address,
			     n > 0 ? strrchr(link, '/') + 1 : "no driver", spec->address);
}

static int open_device(struct kernel_port *k, const struct udf_kernel_spec *spec, struct udf_error *err)
{
	char path[64];

	snprintf(path, sizeof(path), UDF_PORT_DIR "%s", spec->address);
	k->fd = spec->fd >= 0 ? spec->fd : open(path, O_RDWR | O_CLOEXEC);
	if (k->fd >= 0)
		return 0;
	switch (errno) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return not_there(spec, err);
	case EBUSY:
		return udf_error_set(err, -EBUSY, "%s is driven by another process; 'fuser %s' names it", spec->address, path);
	case EPERM:
		return udf_error_set(err, -EPERM, "%s: no IOMMU confines this device, so opening it takes CAP_SYS_RAWIO (root)", path);
	default:
		return udf_error_set(err, -errno, "%s: %s", path, strerror(errno));
	}
}

static int check_device(struct kernel_port *k, const struct udf_kernel_spec *spec, struct udf_error *err)
{
	int ret = udf_kernel_ioctl(k, UDF_PORT_INFO, &k->info);
	char address[16];

	if (ret)
		return udf_error_set(err, ret, "%s: its descriptor is not one of udf_port's: %s", spec->address, strerror(-ret));
	if (k->info.version != UDF_PORT_ABI_VERSION)
		return udf_error_set(err, -EPROTO, "udf_port.ko speaks version %u of its ABI, this program version %u: install both anew",
				     k->info.version, UDF_PORT_ABI_VERSION);
	snprintf(address, sizeof(address), "%04x:%02x:%02x.%u", k->info.domain & 0xffff, k->info.bus, k->info.devfn >> 3, k->info.devfn & 7u);
	if (strcmp(address, spec->address))
		return udf_error_set(err, -EINVAL, "descriptor %d is that of %s, not of %s", k->fd, address, spec->address);
	return 0;
}

static int make_arena(struct kernel_port *k, const struct udf_port_config *config, const struct udf_kernel_spec *spec, struct udf_error *err)
{
	struct udf_port_dma_mask mask = { .bits = spec->mask };
	uint64_t size = config->arena_size;
	int ret;

	if (size % MIB || size > ARENA_MAX)
		return udf_error_set(err, -EINVAL, "the arena's size must be 1 to %llu whole MiB, not %llu bytes", ARENA_MAX / MIB,
				     (unsigned long long)size);
	ret = udf_kernel_ioctl(k, UDF_PORT_DMA_MASK, &mask);
	if (ret)
		return udf_error_set(err, ret, "%s: no device addresses of %u bits are to be had: %s", spec->address, spec->mask, strerror(-ret));
	/* kernel code that gets memory clears what it wants to be clear */
	k->arena = (struct udf_port_dma_alloc){ .flags = UDF_PORT_DMA_KEEP, .size = size };
	ret = udf_kernel_ioctl(k, UDF_PORT_DMA_ALLOC, &k->arena);
	if (ret == -EINVAL) {	/* the module is older */
		k->arena.flags = 0;
		ret = udf_kernel_ioctl(k, UDF_PORT_DMA_ALLOC, &k->arena);
	}
	if (ret == -ENOSPC)
		return udf_error_set(err, ret, "%s: memory is too scattered for %llu MiB of DMA memory; less of it, mask=64 or an IOMMU may help",
				     spec->address, (unsigned long long)(size / MIB));
	if (ret)
		return udf_error_set(err, ret, "%s: no %llu MiB of DMA memory: %s", spec->address, (unsigned long long)(size / MIB), strerror(-ret));
	return 0;
}

static void kernel_close(struct udf_port *port)
{
	struct kernel_port *k = to_kernel(port);

	udf_kernel_irq_stop(k);
	udf_kernel_block_stop(k);
	/* makes the device quiet, if no mapping of it is left */
	if (k->fd >= 0)
		close(k->fd);
	free(k);
}

static const struct udf_port_ops ops;

int udf_kernel_open(const struct udf_port_config *config, const char *text, const struct udf_port_events *events, void *ctx,
		    struct udf_port **port, struct udf_error *err)
{
	struct kernel_port *k = calloc(1, sizeof(*k));
	struct udf_kernel_spec spec;
	const char *step;
	int ret;

	if (!k)
		return udf_error_set(err, -ENOMEM, "pci:%s: %s", text, strerror(ENOMEM));
	k->fd = k->epoll = k->irq = k->stop = -1;
	ret = udf_kernel_spec_parse(text, &spec, err);
	if (!ret)
		ret = open_device(k, &spec, err);
	if (!ret)
		ret = check_device(k, &spec, err);
	if (!ret)
		ret = make_arena(k, config, &spec, err);
	if (ret)
		goto close;
	k->port.ops = &ops;
	k->port.events = events;
	k->port.ctx = ctx;
	k->port.dma_base = UDF_PORT_MMAP_DMA;
	k->port.domain = (uint16_t)k->info.domain;
	k->port.bus = k->info.bus;
	k->port.devfn = k->info.devfn;
	snprintf(k->port.address, sizeof(k->port.address), "%s", spec.address);
	ret = udf_kernel_irq_start(k, &step);
	if (ret) {
		udf_error_set(err, ret, "%s: cannot %s: %s", spec.address, step, strerror(-ret));
		goto close;
	}
	*port = &k->port;
	return 0;

close:
	kernel_close(&k->port);
	return ret;
}

/* ---- the device ---- */

static int config_access(struct udf_port *port, struct udf_port_config_access *c)
{
	return udf_kernel_ioctl(to_kernel(port), UDF_PORT_CONFIG, c);
}

static int kernel_config_read(struct udf_port *port, unsigned int offset, unsigned int size, uint32_t *value)
{
	struct udf_port_config_access c = { .offset = (__u16)offset, .size = (__u16)size };
	int ret = config_access(port, &c);

	*value = ret ? ~0u : c.value;
	return ret;
}

static int kernel_config_write(struct udf_port *port, unsigned int offset, unsigned int size, uint32_t value)
{
	struct udf_port_config_access c = { .flags = UDF_PORT_WRITE, .offset = (__u16)offset, .size = (__u16)size, .value = value };

	return config_access(port, &c);
}

static int kernel_bar_info(struct udf_port *port, unsigned int bar, struct udf_bar_info *info)
{
	const struct udf_port_bar *b;

	memset(info, 0, sizeof(*info));
	if (bar >= UDF_PORT_BAR_COUNT)
		return -EINVAL;
	b = &to_kernel(port)->info.bar[bar];
	info->size = b->size;
	info->bus = b->bus;
	info->io = b->flags & UDF_PORT_BAR_IO;
	info->mem64 = b->flags & UDF_PORT_BAR_64;
	info->prefetch = b->flags & UDF_PORT_BAR_PREFETCH;
	info->mappable = b->flags & UDF_PORT_BAR_MMAP;
	return 0;
}

static int kernel_bar_read(struct udf_port *port, unsigned int bar, uint64_t offset, unsigned int size, uint64_t *value)
{
	struct udf_port_bar_access a = { .bar = (__u16)bar, .size = (__u16)size, .offset = offset };
	int ret = udf_kernel_ioctl(to_kernel(port), UDF_PORT_ACCESS, &a);

	*value = ret ? ~0ull : a.value;
	return ret;
}

static int kernel_bar_write(struct udf_port *port, unsigned int bar, uint64_t offset, unsigned int size, uint64_t value)
{
	struct udf_port_bar_access a = { .flags = UDF_PORT_WRITE, .bar = (__u16)bar, .size = (__u16)size, .offset = offset, .value = value };

	return udf_kernel_ioctl(to_kernel(port), UDF_PORT_ACCESS, &a);
}

static int kernel_bar_map(struct udf_port *port, unsigned int bar, uint64_t offset, uint64_t len, void *va, bool wc)
{
	off_t at = (off_t)(UDF_PORT_MMAP_BAR(bar) + offset + (wc ? UDF_PORT_MMAP_WC : 0));
	void *got = mmap(va, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE, to_kernel(port)->fd, at);

	return got == MAP_FAILED ? -errno : 0;
}

static void copy_ranges(const struct udf_port_dma_alloc *a, struct udf_dma_range *ranges, unsigned int *nr_ranges)
{
	*nr_ranges = a->nr_ranges;
	for (unsigned int i = 0; i < a->nr_ranges; i++) {
		const struct udf_port_range *r = &a->range[i];

		ranges[i] = (struct udf_dma_range){ .offset = r->offset, .dev = r->dev, .len = r->len };
	}
}

static int kernel_dma_get(struct udf_port *port, int *fd, uint64_t *size, struct udf_dma_range *ranges, unsigned int *nr_ranges)
{
	struct kernel_port *k = to_kernel(port);

	*fd = k->fd;
	*size = k->arena.size;
	copy_ranges(&k->arena, ranges, nr_ranges);
	return 0;
}

static int kernel_dma_more(struct udf_port *port, uint64_t size, struct udf_dma_range *ranges, unsigned int *nr_ranges)
{
	struct kernel_port *k = to_kernel(port);
	struct udf_port_dma_alloc a = { .flags = k->arena.flags, .size = size };
	int ret = udf_kernel_ioctl(k, UDF_PORT_DMA_ALLOC, &a);

	if (!ret)
		copy_ranges(&a, ranges, nr_ranges);
	return ret;
}

static int kernel_reset(struct udf_port *port)
{
	struct udf_port_reset r = { 0 };
	int ret = udf_kernel_ioctl(to_kernel(port), UDF_PORT_RESET, &r);

	udf_kernel_irq_forget(to_kernel(port));
	return ret;
}

static const struct udf_port_ops ops = {
	.name = "udf_port",
	.close = kernel_close,
	.config_read = kernel_config_read,
	.config_write = kernel_config_write,
	.bar_info = kernel_bar_info,
	.bar_read = kernel_bar_read,
	.bar_write = kernel_bar_write,
	.bar_map = kernel_bar_map,
	.dma_get = kernel_dma_get,
	.dma_more = kernel_dma_more,
	.dma_add = udf_kernel_dma_add,
	.dma_remove = udf_kernel_dma_remove,
	.dma_granule = UDF_PORT_MEM_GRAIN,
	.irq_count = udf_kernel_irq_count,
	.irq_enable = udf_kernel_irq_enable,
	.irq_mask = udf_kernel_irq_mask,
	.irq_words = udf_kernel_irq_words,
	.irq_poll = udf_kernel_irq_poll,
	.irq_wakes = udf_kernel_irq_wakes,
	.irq_signal = udf_kernel_irq_signal,
	.reset = kernel_reset,
	.block = &udf_kernel_block_ops,
};
