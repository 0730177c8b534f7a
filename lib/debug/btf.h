/* SPDX-License-Identifier: GPL-2.0 */
/* Signatures of the kernel's functions, from the type information (BTF) that the image carries. Host world; pure. */
#ifndef UDF_DEBUG_BTF_H
#define UDF_DEBUG_BTF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct udf_btf;

enum udf_btf_class {
	UDF_BTF_VOID, UDF_BTF_UNSIGNED, UDF_BTF_SIGNED, UDF_BTF_BOOL, UDF_BTF_ENUM, UDF_BTF_POINTER, UDF_BTF_STRING,
	UDF_BTF_DMA_HANDLE,	/* dma_addr_t *: where a device address is returned */
	UDF_BTF_DMA_ADDR,
	UDF_BTF_OTHER,		/* a structure: not in one register */
};

struct udf_btf_value {
	const char *name;
	enum udf_btf_class class;
	unsigned int size;	/* bytes */
	uint32_t type;		/* UDF_BTF_ENUM: for udf_btf_enum() */
};

#define UDF_BTF_PARAMS 16

struct udf_btf_func {
	struct udf_btf_value result, param[UDF_BTF_PARAMS];
	unsigned int nr_params;	/* may be more than PARAM holds */
	bool varargs;
};

/*
 * DATA must outlive it and is checked as it is read. BASE: a module's types build upon the image's, which must outlive them (NULL: these are
 * the image's). NULL: no type information, or no memory.
 */
struct udf_btf *udf_btf_new(const void *data, size_t len, const struct udf_btf *base);
void udf_btf_free(struct udf_btf *btf);

/* Returns false if there is no function of that name. */
bool udf_btf_func(const struct udf_btf *btf, const char *name, struct udf_btf_func *func);
/* The name of a value of an enum, or NULL. */
const char *udf_btf_enum(const struct udf_btf *btf, uint32_t type, int64_t value);

#endif
