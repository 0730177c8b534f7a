/* SPDX-License-Identifier: GPL-2.0 */
/*
 * PCI functions of this machine, from sysfs: which there are, who drives them, and handing them to UDF's kernel module and back.
 * Host world. UDF_SYSFS in the environment stands for /sys, for tests.
 */
#ifndef UDF_PORTD_PCI_H
#define UDF_PORTD_PCI_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

#define UDF_PCI_DRIVER "udf_port"
#define UDF_PCI_ADDRESS_LEN 16

/* "0000:03:00.0[,KEY=VALUE...]", "class=0108" (2, 4 or 6 digits), "id=8086:0953". */
struct udf_pci_match {
	char address[UDF_PCI_ADDRESS_LEN];	/* "": by class or id */
	uint32_t class_code, class_mask;
	uint32_t vendor, device;		/* 0: by class */
	const char *options;			/* behind an address, for the transport: ",KEY=VALUE..."; in the text that was parsed */
};

bool udf_pci_match_parse(const char *text, struct udf_pci_match *m);
/* "03:00.0" and "0000:03:00.0" become the latter. False: it is no address. */
bool udf_pci_address(const char *text, char *address);

/* Addresses of the functions that M describes, in order; *LIST is the caller's to free. Returns 0 or a negative errno. */
int udf_pci_find(const struct udf_pci_match *m, char (**list)[UDF_PCI_ADDRESS_LEN], unsigned int *n, struct udf_error *err);

/* Which driver ADDRESS is bound to, "" when none. Returns 0, or -ENODEV when there is no such function. */
int udf_pci_driver(const char *address, char *driver, unsigned int len);

/* Whether an IOMMU confines what ADDRESS reaches by DMA to what the kernel mapped for it. */
bool udf_pci_isolated(const char *address);

/* Bind ADDRESS to UDF_PCI_DRIVER, whatever has it now; or let go of it, and let the kernel's own driver have it. Block. */
int udf_pci_bind(const char *address, struct udf_error *err);
int udf_pci_unbind(const char *address, struct udf_error *err);

#endif
