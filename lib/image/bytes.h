/* SPDX-License-Identifier: GPL-2.0 */
/* A growing byte buffer, and checked views of memory that stands for an address range. Host world, private to lib/image. */
#ifndef UDF_IMAGE_BYTES_H
#define UDF_IMAGE_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct udf_bytes {
	uint8_t *data;
	size_t len, cap;
};

/* Make room for CAP bytes in all. Returns 0 or -ENOMEM. */
int udf_bytes_reserve(struct udf_bytes *buf, size_t cap);
/* Append LEN bytes (zeros when DATA is NULL). Returns 0 or -ENOMEM. */
int udf_bytes_add(struct udf_bytes *buf, const void *data, size_t len);
void udf_bytes_free(struct udf_bytes *buf);

/* Bytes that stand for the addresses ADDR ... ADDR+SIZE. */
struct udf_memory {
	uint8_t *mem;
	uint64_t addr, size;
};

/* The bytes at ADDR ... ADDR+LEN, or NULL if they are not all inside M. */
static inline uint8_t *udf_memory_at(const struct udf_memory *m, uint64_t addr, uint64_t len)
{
	if (addr < m->addr || len > m->size || addr - m->addr > m->size - len)
		return NULL;
	return m->mem + (addr - m->addr);
}

/* The NUL-terminated string at ADDR, or NULL if it does not end inside M. */
static inline const char *udf_memory_string(const struct udf_memory *m, uint64_t addr)
{
	const uint8_t *p = udf_memory_at(m, addr, 1);

	return p && memchr(p, 0, m->size - (addr - m->addr)) ? (const char *)p : NULL;
}

static inline uint16_t udf_get16(const void *p) { uint16_t v; memcpy(&v, p, sizeof(v)); return v; }
static inline uint32_t udf_get32(const void *p) { uint32_t v; memcpy(&v, p, sizeof(v)); return v; }
static inline uint64_t udf_get64(const void *p) { uint64_t v; memcpy(&v, p, sizeof(v)); return v; }
static inline void udf_put32(void *p, uint32_t v) { memcpy(p, &v, sizeof(v)); }
static inline void udf_put64(void *p, uint64_t v) { memcpy(p, &v, sizeof(v)); }

#endif
