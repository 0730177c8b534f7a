// SPDX-License-Identifier: GPL-2.0
/*
 * QEMU's command line for one port. Host world.
 *
 * A q35 machine without anything that costs time or makes noise: no firmware but a halted CPU, no timer that runs by itself, no disks of its
 * own; the device, its back ends, and the ivshmem device that turns its interrupt messages into eventfds. RAM is the arena. ACPI is
 * there for its memory slots, see qemu-mem.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "port/qemu-int.h"

#define DEFAULT_SLOT 4
#define HELPER_SLOT 2
#define HELPER_SLOT_ELSE 3	/* when the user's device is at HELPER_SLOT */

static int add(struct qemu_args *args, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int add(struct qemu_args *args, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (args->argc + 1 >= QEMU_ARGS_MAX)
		return -E2BIG;
	va_start(ap, fmt);
	n = vasprintf(&args->argv[args->argc], fmt, ap);
	va_end(ap);
	if (n < 0) {
		args->argv[args->argc] = NULL;
		return -ENOMEM;
	}
	args->argc++;
	return 0;
}

/* Value of KEY in QEMU's "model,key=value,key=value" syntax, where ",," is a comma within a value. False: not there. */
static bool option(const char *spec, const char *key, char *value, size_t len)
{
	size_t key_len = strlen(key), n = 0;

	for (;;) {
		while (*spec && !(spec[0] == ',' && spec[1] != ','))
			spec += spec[0] == ',' ? 2 : 1;
		if (!*spec)
			return false;
		spec++;
		if (!strncmp(spec, key, key_len) && spec[key_len] == '=')
			break;
	}
	for (spec += key_len + 1; *spec && n + 1 < len; spec++) {
		if (*spec == ',' && *++spec != ',')
			break;
		value[n++] = *spec;
	}
	value[n] = 0;
	return true;
}

/* Slot and function from addr=, as QEMU reads it: hexadecimal "SLOT" or "SLOT.FUNCTION". */
static int parse_addr(const char *text, unsigned int *slot, int *function)
{
	char *end;

	*slot = (unsigned int)strtoul(text, &end, 16);
	*function = -1;
	if (end == text || *slot > 31)
		return -EINVAL;
	if (*end == '.') {
		text = end + 1;
		*function = (int)strtoul(text, &end, 16);
		if (end == text || *function > 7)
			return -EINVAL;
	}
	return *end ? -EINVAL : 0;
}

/* Where the device goes. EXTRA gets what has to be added to its options. */
static int place_device(struct qemu_args *args, const char *spec, unsigned int function, char *extra, size_t len, struct udf_error *err)
{
	unsigned int slot = DEFAULT_SLOT;
	char value[64];
	int given = -1, n = 0;

	if (option(spec, "bus", value, sizeof(value)) && strcmp(value, "pcie.0"))
		return udf_error_set(err, -EINVAL, "qemu:%s: bus=%s is not supported, the device has to sit on the root bus", spec, value);
	if (function > 7)
		return udf_error_set(err, -EINVAL, "qemu:%s: a card has functions 0 to 7, not %u", spec, function);
	if (option(spec, "addr", value, sizeof(value))) {
		if (parse_addr(value, &slot, &given) || slot == 0 || slot == 31)
			return udf_error_set(err, -EINVAL, "qemu:%s: addr=%s is not SLOT or SLOT.FUNCTION with a slot of 01 to 1e", spec, value);
		if (given >= 0 && function && (unsigned int)given != function)
			return udf_error_set(err, -EINVAL, "qemu:%s: addr=%s is not function %u", spec, value, function);
	}
	if (given >= 0)
		function = (unsigned int)given;
	args->devfn = (uint8_t)(slot << 3 | function);
	args->helper_devfn = (slot == HELPER_SLOT ? HELPER_SLOT_ELSE : HELPER_SLOT) << 3;

	extra[0] = 0;
	if (!option(spec, "id", value, sizeof(value)))
		n += snprintf(extra + n, len - (size_t)n, ",id=udf0");
	/* a later addr= wins over the user's, which may lack the function */
	n += snprintf(extra + n, len - (size_t)n, ",addr=%02x.%x", slot, function);
	if (function && !option(spec, "multifunction", value, sizeof(value)))
		n += snprintf(extra + n, len - (size_t)n, ",multifunction=on");
	if (!option(spec, "romfile", value, sizeof(value)))
		n += snprintf(extra + n, len - (size_t)n, ",romfile=");
	return 0;
}

/* A value of SPEC is the id of BACKEND. */
static bool refers_to(const char *spec, const char *backend)
{
	char id[64] = "=";
	size_t len;

	if (!option(backend, "id", id + 1, sizeof(id) - 1))
		return false;
	len = strlen(id);
	for (spec = strstr(spec, id); spec; spec = strstr(spec + 1, id))
		if (!spec[len] || spec[len] == ',')
			return true;
	return false;
}

/* Those that the device refers to, or the others: FIRST. */
static int add_backends(struct qemu_args *args, const char *spec, bool first, const char *const *backends, struct udf_error *err)
{
	static const char *const allowed[] = {
		"-blockdev", "-drive", "-netdev", "-chardev", "-object", "-device", "-fsdev", "-audiodev",
	};
	int ret = 0;

	for (; !ret && backends && *backends; backends += 2) {
		size_t i = 0;

		while (i < sizeof(allowed) / sizeof(allowed[0]) && strcmp(allowed[i], backends[0]))
			i++;
		if (i == sizeof(allowed) / sizeof(allowed[0]))
			return udf_error_set(err, -EINVAL, "%s is no back end: use -blockdev, -drive, -netdev, -chardev, -object, -device, "
					     "-fsdev or -audiodev", backends[0]);
		if (!backends[1])
			return udf_error_set(err, -EINVAL, "%s needs a value", backends[0]);
		if (refers_to(spec, backends[1]) != first)
			continue;
		ret = add(args, "%s", backends[0]);
		if (!ret)
			ret = add(args, "%s", backends[1]);
	}
	return ret;
}

/* Everything that is the same for all devices. */
static int add_machine(struct qemu_args *args, uint64_t ram_size)
{
	static const char *const fixed[] = {
		"-nodefaults", "-no-user-config", "-display", "none",
		"-M", "q35,memory-backend=udfram,accel=tcg,usb=off,vmport=off,sata=off,smbus=off,hpet=on,pit=off,i8042=off,smm=off",
		"-chardev", "socket,id=udfqtest,fd=3", "-object", "qtest,id=udfqtest0,chardev=udfqtest,log=none",
		"-chardev", "socket,id=udfqmp,fd=4", "-mon", "chardev=udfqmp,mode=control",
		"-chardev", "socket,id=udfivshmem,fd=5", "-bios", "/proc/self/fd/7",
	};
	int ret = add(args, "qemu-system-x86_64");

	_Static_assert(QEMU_FD_QTEST == 3 && QEMU_FD_QMP == 4 && QEMU_FD_IVSHMEM == 5 && QEMU_FD_RAM == 6 && QEMU_FD_BIOS == 7,
		       "the command line names the descriptors");
	for (size_t i = 0; !ret && i < sizeof(fixed) / sizeof(fixed[0]); i++)
		ret = add(args, "%s", fixed[i]);
	if (!ret)
		ret = add(args, "-m");
	if (!ret)
		ret = add(args, "%lluM,slots=%u,maxmem=%lluM", (unsigned long long)ram_size >> 20, QEMU_MEM_SLOTS,
			  (unsigned long long)(ram_size + QEMU_MEM_MAX) >> 20);
	if (!ret)
		ret = add(args, "-object");
	if (!ret)
		ret = add(args, "memory-backend-file,id=udfram,size=%llu,mem-path=/proc/self/fd/6,share=on", (unsigned long long)ram_size);
	return ret;
}

int udf_qemu_args(struct qemu_args *args, const char *spec, const struct udf_port_config *config, uint64_t ram_size, struct udf_error *err)
{
	size_t model_len = strcspn(spec, ",");
	char extra[128];
	int ret;

	memset(args, 0, sizeof(*args));
	if (!model_len)
		return udf_error_set(err, -EINVAL, "qemu: names no device; for example qemu:MODEL,KEY=VALUE,... "
				     "('qemu-system-x86_64 -device help' lists the models)");
	snprintf(args->model, sizeof(args->model), "%.*s", (int)model_len, spec);
	ret = place_device(args, spec, config->function, extra, sizeof(extra), err);
	if (ret)
		return ret;
	ret = add_machine(args, ram_size);
	if (!ret)
		ret = add(args, "-device");
	if (!ret)
		ret = add(args, "ivshmem-doorbell,id=udfivshmem0,chardev=udfivshmem,vectors=%u,ioeventfd=off,addr=%02x", UDF_IVSHMEM_PER_PEER,
			  args->helper_devfn >> 3);
	/* QEMU wants a device to be there before another one refers to it, and a bus before a disk is plugged into it */
	if (!ret)
		ret = add_backends(args, spec, true, config->backends, err);
	if (!ret)
		ret = add(args, "-device");
	if (!ret)
		ret = add(args, "%s%s", spec, extra);
	if (!ret)
		ret = add_backends(args, spec, false, config->backends, err);
	if (ret == -E2BIG)
		udf_error_set(err, ret, "qemu:%s: too many back ends", spec);
	return ret ? udf_error_set(err, ret, "qemu:%s: %s", spec, strerror(-ret)) : 0;
}

void udf_qemu_args_free(struct qemu_args *args)
{
	while (args->argc)
		free(args->argv[--args->argc]);
}
