// SPDX-License-Identifier: GPL-2.0
/* PCI functions in sysfs; see pci.h. Host world. */
#define _GNU_SOURCE
#include "base/pci.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- what is meant ---- */

bool udf_pci_address(const char *text, char *address)
{
	unsigned int domain = 0, bus, slot, function;
	int end = -1;

	if ((sscanf(text, "%4x:%2x:%2x.%1x%n", &domain, &bus, &slot, &function, &end) != 4 || end < 0 || text[end]) &&
	    ((end = -1), (domain = 0), sscanf(text, "%2x:%2x.%1x%n", &bus, &slot, &function, &end) != 3 || end < 0 || text[end]))
		return false;
	if (slot > 31 || function > 7 || !isxdigit((unsigned char)*text))
		return false;
	snprintf(address, UDF_PCI_ADDRESS_LEN, "%04x:%02x:%02x.%x", domain & 0xffff, bus & 0xff, slot, function);
	return true;
}

static bool hex(const char *text, size_t len, uint32_t *value)
{
	char copy[9];

	if (!len || len > 8 || strspn(text, "0123456789abcdefABCDEF") < len)
		return false;
	snprintf(copy, sizeof(copy), "%.*s", (int)len, text);
	*value = (uint32_t)strtoul(copy, NULL, 16);
	return true;
}

bool udf_pci_match_parse(const char *text, struct udf_pci_match *m)
{
	char address[32];
	size_t len;

	memset(m, 0, sizeof(*m));
	m->options = "";
	if (!strncmp(text, "class=", 6)) {
		text += 6;
		len = strlen(text);
		if ((len != 2 && len != 4 && len != 6) || !hex(text, len, &m->class_code))
			return false;
		m->class_code <<= 4 * (6 - len);
		m->class_mask = 0xffffffu << 4 * (6 - len) & 0xffffffu;
		return true;
	}
	if (!strncmp(text, "id=", 3))
		return strlen(text + 3) == 9 && text[7] == ':' && hex(text + 3, 4, &m->vendor) && hex(text + 8, 4, &m->device);
	len = strcspn(text, ",");
	if (len >= sizeof(address))
		return false;
	snprintf(address, sizeof(address), "%.*s", (int)len, text);
	m->options = text[len] ? text + len : "";
	return udf_pci_address(address, m->address);
}

/* ---- sysfs ---- */

static void sysfs(char *path, const char *address, const char *name)
{
	const char *root = getenv("UDF_SYSFS");

	snprintf(path, PATH_MAX, "%.3000s/bus/pci/%s%s%s%s", root && *root ? root : "/sys", address ? "devices/" : "", address ? address : "",
		 address ? "/" : "", name);
}

static int read_attribute(const char *address, const char *name, char *buf, size_t len)
{
	char path[PATH_MAX];
	ssize_t n;
	int fd;

	sysfs(path, address, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, buf, len - 1);
	close(fd);
	if (n < 0)
		return -EIO;
	buf[n] = 0;
	buf[strcspn(buf, "\n")] = 0;
	return 0;
}

static int write_attribute(const char *address, const char *name, const char *value, struct udf_error *err)
{
	char path[PATH_MAX];
	int fd, ret = 0;

	sysfs(path, address, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		ret = -errno;
	if (fd >= 0)
		close(fd);
	if (ret == -EACCES || ret == -EPERM)
		return udf_error_set(err, ret, "%s: %s: this takes root", path, strerror(-ret));
	return ret ? udf_error_set(err, ret, "%s: writing '%s': %s", path, *value == '\n' ? "" : value, strerror(-ret)) : 0;
}

static uint32_t number_attribute(const char *address, const char *name)
{
	char text[32];

	return read_attribute(address, name, text, sizeof(text)) ? 0 : (uint32_t)strtoul(text, NULL, 16);
}

static bool matches(const struct udf_pci_match *m, const char *address)
{
	if (m->address[0])
		return !strcmp(m->address, address);
	if (m->class_mask)
		return (number_attribute(address, "class") & m->class_mask) == m->class_code;
	return number_attribute(address, "vendor") == m->vendor && number_attribute(address, "device") == m->device;
}

int udf_pci_find(const struct udf_pci_match *m, char (**list)[UDF_PCI_ADDRESS_LEN], unsigned int *n, struct udf_error *err)
{
	char path[PATH_MAX], address[UDF_PCI_ADDRESS_LEN];
	struct dirent **entries;
	int count, i;

	*list = NULL;
	*n = 0;
	sysfs(path, NULL, "devices");
	count = scandir(path, &entries, NULL, alphasort);
	if (count < 0)
		return errno == ENOENT ? 0 : udf_error_set(err, -errno, "%s: %s", path, strerror(errno));
	*list = calloc(count + 1, sizeof(**list));
	for (i = 0; i < count; i++) {
		if (*list && udf_pci_address(entries[i]->d_name, address) && matches(m, address))
			strcpy((*list)[(*n)++], address);
		free(entries[i]);
	}
	free(entries);
	return *list ? 0 : udf_error_set(err, -ENOMEM, "no memory");
}

int udf_pci_driver(const char *address, char *driver, unsigned int len)
{
	char path[PATH_MAX], target[PATH_MAX];
	ssize_t n;

	sysfs(path, address, "");
	if (access(path, F_OK))
		return -ENODEV;
	sysfs(path, address, "driver");
	n = readlink(path, target, sizeof(target) - 1);
	target[n > 0 ? n : 0] = 0;
	snprintf(driver, len, "%s", strrchr(target, '/') ? strrchr(target, '/') + 1 : target);
	return 0;
}

bool udf_pci_isolated(const char *address)
{
	char type[32];

	/* "DMA", "DMA-FQ": the DMA API maps what the device reaches; "identity": it reaches everything */
	return !read_attribute(address, "iommu_group/type", type, sizeof(type)) && !strncmp(type, "DMA", 3);
}

static int no_device(const char *address, struct udf_error *err)
{
	return udf_error_set(err, -ENODEV, "%s: there is no such PCI function ('lspci -D' lists them)", address);
}

static int let_go(const char *address, struct udf_error *err)
{
	char driver[64];
	int ret = udf_pci_driver(address, driver, sizeof(driver));

	if (ret)
		return no_device(address, err);
	return *driver ? write_attribute(address, "driver/unbind", address, err) : 0;
}

/* Have the kernel look for a driver, and see that ADDRESS got the one that it should. */
static int probe(const char *address, const char *wanted, struct udf_error *err)
{
	char driver[64];
	int ret = write_attribute(NULL, "drivers_probe", address, err);

	if (ret)
		return ret;
	if (udf_pci_driver(address, driver, sizeof(driver)))
		return no_device(address, err);
	if (wanted && strcmp(driver, wanted))
		return udf_error_set(err, -ENODEV, "%s: %s does not take it: %s has it; the kernel's log (dmesg) says why", address, wanted,
				     *driver ? driver : "nobody");
	return 0;
}

int udf_pci_bind(const char *address, struct udf_error *err)
{
	char path[PATH_MAX], driver[64];
	int ret = udf_pci_driver(address, driver, sizeof(driver));

	if (ret)
		return no_device(address, err);
	if (!strcmp(driver, UDF_PCI_DRIVER))
		return 0;
	sysfs(path, NULL, "drivers/" UDF_PCI_DRIVER);
	if (access(path, F_OK))
		return udf_error_set(err, -ENOENT, "%s: the kernel module is not loaded; 'modprobe " UDF_PCI_DRIVER "' loads it", address);
	ret = write_attribute(address, "driver_override", UDF_PCI_DRIVER "\n", err);
	if (!ret)
		ret = let_go(address, err);
	return ret ? ret : probe(address, UDF_PCI_DRIVER, err);
}

int udf_pci_unbind(const char *address, struct udf_error *err)
{
	char driver[64];
	int ret = udf_pci_driver(address, driver, sizeof(driver));

	if (ret)
		return no_device(address, err);
	if (*driver && strcmp(driver, UDF_PCI_DRIVER))
		return udf_error_set(err, -EINVAL, "%s: %s has it, and not " UDF_PCI_DRIVER ": there is nothing to give back", address, driver);
	ret = write_attribute(address, "driver_override", "\n", err);
	if (!ret)
		ret = let_go(address, err);
	return ret ? ret : probe(address, NULL, err);
}
