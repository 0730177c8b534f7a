// SPDX-License-Identifier: GPL-2.0
/*
 * vmlinuz: where its payload is, and unpacking it. Host world.
 *
 *   boot sector | setup code | protected-mode code [ payload | u32 unpacked size ] | CRC
 *                              ^ (setup_sects + 1) * 512
 *
 * Offsets are those of the x86 boot protocol (Documentation/arch/x86/boot.rst).
 */
#include "image/bzimage.h"

#include <elf.h>
#include <errno.h>
#include <lz4.h>
#include <lzma.h>
#include <stdio.h>
#include <zlib.h>
#include <zstd.h>

#define OFF_SETUP_SECTS		0x1f1	/* u8 */
#define OFF_SYSSIZE		0x1f4	/* u32, protected-mode code in units of 16 bytes */
#define OFF_MAGIC		0x202	/* "HdrS" */
#define OFF_VERSION		0x206	/* u16 */
#define OFF_KERNEL_VERSION	0x20e	/* u16, + 0x200: "6.1.0-x (builder) #1 ..." */
#define OFF_XLOADFLAGS		0x236	/* u16, bit 0: 64-bit kernel */
#define OFF_PAYLOAD		0x248	/* u32 */
#define OFF_PAYLOAD_LEN		0x24c	/* u32 */
#define HEADER_END		0x250
#define SECTOR			512
#define ELF_TYPE		16	/* u16 */
#define ELF_MACHINE		18	/* u16 */
#define ARM64_MAGIC_OFF		0x38
#define LZ4_BLOCK		(8u << 20)	/* of the legacy frame format */
#define LZ4_MAGIC		0x184c2102u
#define XZ_MEMORY		(256ull << 20)

static const char *const repair = "reinstall the kernel package that it comes from";

/* What a file that is not a bzImage for x86-64 seems to be, for the message. */
static const char *guess(const uint8_t *data, size_t len)
{
	if (!len)
		return "it is empty";
	if (len >= ARM64_MAGIC_OFF + 4 && !memcmp(data + ARM64_MAGIC_OFF, "ARM\x64", 4))
		return "it is an arm64 kernel";
	if (len >= 4 && (!memcmp(data, "\x28\xb5\x2f\xfd", 4) || !memcmp(data, "\x1f\x8b", 2) || !memcmp(data, "\xfd" "7zX", 4)))
		return "it is a compressed file";
	if (len < HEADER_END)
		return "it is too short";
	return "it has no x86 setup header";
}

static void copy_release(struct udf_bzimage *bz, const uint8_t *data, size_t len)
{
	size_t off = udf_get16(data + OFF_KERNEL_VERSION), n = 0;

	if (!off)
		return;
	for (off += 0x200; off + n < len && n + 1 < sizeof(bz->release) && data[off + n] > ' ' && data[off + n] < 0x7f; n++)
		bz->release[n] = (char)data[off + n];
}

int udf_bzimage_parse(const uint8_t *data, size_t len, bool head, const char *what, struct udf_bzimage *bz, struct udf_error *err)
{
	uint64_t setup, start, size, whole;

	memset(bz, 0, sizeof(*bz));
	if (len >= 20 && !memcmp(data, "\177ELF", 4)) {
		if (udf_get16(data + ELF_MACHINE) != EM_X86_64 || udf_get16(data + ELF_TYPE) != ET_EXEC)
			return udf_error_set(err, -ENOEXEC, "%s is an ELF file, but no kernel for x86-64: name a vmlinuz, such as "
					     "/boot/vmlinuz-6.1.*", what);
		bz->payload = data;
		bz->payload_len = len;
		return 0;
	}
	if (len < HEADER_END || memcmp(data + OFF_MAGIC, "HdrS", 4))
		return udf_error_set(err, -ENOEXEC, "%s is no kernel image for x86-64 (%s): name a vmlinuz, such as /boot/vmlinuz-6.1.*",
				     what, guess(data, len));
	if (udf_get16(data + OFF_VERSION) < 0x20c || !(udf_get16(data + OFF_XLOADFLAGS) & 1))
		return udf_error_set(err, -ENOEXEC, "%s is not a 64-bit kernel: UDF needs one for x86-64", what);
	copy_release(bz, data, len);
	setup = ((data[OFF_SETUP_SECTS] ? data[OFF_SETUP_SECTS] : 4) + 1) * SECTOR;
	start = setup + udf_get32(data + OFF_PAYLOAD);
	size = udf_get32(data + OFF_PAYLOAD_LEN);
	if (head)
		return 0;
	whole = setup + 16ull * udf_get32(data + OFF_SYSSIZE);
	if (whole < start + size)
		whole = start + size;
	if (whole > len)
		return udf_error_set(err, -EINVAL, "%s is truncated: it has %zu of %llu bytes; %s", what, len, (unsigned long long)whole, repair);
	bz->payload = data + start;
	bz->payload_len = size;
	return 0;
}

/* Unpacking in progress: input left, output so far, and how far the output may grow. */
struct unpack {
	const uint8_t *in;
	size_t in_len;
	struct udf_bytes *out;
	size_t max;
};

/* Make sure that the output has at least one free byte. Returns 0, -EFBIG or -ENOMEM. */
static int more_room(struct unpack *u)
{
	size_t cap = u->out->cap ? u->out->cap * 2 : 1 << 20;

	if (u->out->len < u->out->cap)
		return 0;
	if (u->out->cap >= u->max)
		return -EFBIG;
	return udf_bytes_reserve(u->out, cap < u->max ? cap : u->max);
}

static int unpack_plain(struct unpack *u)
{
	return u->in_len > u->max ? -EFBIG : udf_bytes_add(u->out, u->in, u->in_len);
}

static int unpack_xz(struct unpack *u)
{
	lzma_stream s = LZMA_STREAM_INIT;
	lzma_ret r = lzma_stream_decoder(&s, XZ_MEMORY, 0);
	int ret = r == LZMA_OK ? 0 : -ENOMEM;

	s.next_in = u->in;
	s.avail_in = u->in_len;
	while (!ret && r == LZMA_OK) {
		ret = more_room(u);
		if (ret)
			break;
		s.next_out = u->out->data + u->out->len;
		s.avail_out = u->out->cap - u->out->len;
		r = lzma_code(&s, LZMA_FINISH);
		u->out->len = u->out->cap - s.avail_out;
	}
	lzma_end(&s);
	if (!ret && r != LZMA_STREAM_END)
		ret = r == LZMA_MEM_ERROR ? -ENOMEM : -EBADMSG;
	return ret;
}

static int unpack_gzip(struct unpack *u)
{
	z_stream s = { .next_in = (Bytef *)u->in, .avail_in = (uInt)u->in_len };
	int r = inflateInit2(&s, 15 + 16), ret = r == Z_OK ? 0 : -ENOMEM;

	while (!ret && r == Z_OK) {
		ret = more_room(u);
		if (ret)
			break;
		s.next_out = u->out->data + u->out->len;
		s.avail_out = (uInt)(u->out->cap - u->out->len);
		r = inflate(&s, Z_NO_FLUSH);
		u->out->len = u->out->cap - s.avail_out;
	}
	inflateEnd(&s);
	if (!ret && r != Z_STREAM_END)
		ret = r == Z_MEM_ERROR ? -ENOMEM : -EBADMSG;
	return ret;
}

static int unpack_zstd(struct unpack *u)
{
	ZSTD_DStream *s = ZSTD_createDStream();
	ZSTD_inBuffer in = { u->in, u->in_len, 0 };
	size_t r = 1;
	int ret = s ? 0 : -ENOMEM;

	while (!ret && r) {
		ZSTD_outBuffer out;
		size_t before = in.pos;

		ret = more_room(u);
		if (ret)
			break;
		out = (ZSTD_outBuffer){ u->out->data + u->out->len, u->out->cap - u->out->len, 0 };
		r = ZSTD_decompressStream(s, &out, &in);
		u->out->len += out.pos;
		/* no progress: the input ends in the middle of the frame */
		if (ZSTD_isError(r) || (r && in.pos == before && !out.pos))
			ret = -EBADMSG;
	}
	ZSTD_freeDStream(s);
	return ret;
}

/* The legacy frame: a magic, then blocks of (u32 length, data), each of up to 8 MiB unpacked; no end mark. */
static int unpack_lz4(struct unpack *u)
{
	size_t pos = 4;

	while (u->in_len - pos > 4) {
		uint32_t block = udf_get32(u->in + pos);
		size_t room;
		int n, ret;

		pos += 4;
		if (block == LZ4_MAGIC)
			continue;
		if (!block || block > u->in_len - pos)
			return -EBADMSG;
		room = u->max - u->out->len < LZ4_BLOCK ? u->max - u->out->len : LZ4_BLOCK;
		ret = udf_bytes_reserve(u->out, u->out->len + room);
		if (ret)
			return ret;
		n = LZ4_decompress_safe((const char *)u->in + pos, (char *)u->out->data + u->out->len, (int)block, (int)room);
		if (n < 0)
			return room < LZ4_BLOCK ? -EFBIG : -EBADMSG;
		u->out->len += (size_t)n;
		pos += block;
	}
	return 0;
}

static const struct format {
	const char *name, *magic;
	size_t magic_len;
	int (*unpack)(struct unpack *u);	/* NULL: known, not supported */
} formats[] = {
	{ "xz", "\xfd" "7zXZ\0", 6, unpack_xz },
	{ "zstd", "\x28\xb5\x2f\xfd", 4, unpack_zstd },
	{ "lz4", "\x02\x21\x4c\x18", 4, unpack_lz4 },
	{ "gzip", "\x1f\x8b", 2, unpack_gzip },
	{ "nothing", "\177ELF", 4, unpack_plain },
	{ "bzip2", "BZh", 3, NULL },
	{ "lzma", "\x5d\0\0", 3, NULL },
	{ "lzo", "\x89LZO", 4, NULL },
};

/* The build puts the unpacked size behind the payload: a hint that saves growing, trusted only within reason. */
static int reserve_hint(struct unpack *u)
{
	size_t hint = u->in_len >= 4 ? udf_get32(u->in + u->in_len - 4) : 0;

	if (hint > u->max || hint / 32 > u->in_len)
		return 0;
	/* one byte more: a decoder that ends exactly at the hint needs no growing to say so */
	return udf_bytes_reserve(u->out, hint + 1 < u->max ? hint + 1 : u->max);
}

int udf_bzimage_unpack(const struct udf_bzimage *bz, size_t max, const char *what, struct udf_bytes *out, struct udf_error *err)
{
	struct unpack u = { bz->payload, bz->payload_len, out, max };
	const struct format *f = formats, *end = formats + sizeof(formats) / sizeof(formats[0]);
	int ret;

	while (f < end && (u.in_len < f->magic_len || memcmp(u.in, f->magic, f->magic_len)))
		f++;
	if (f == end)
		return udf_error_set(err, -EINVAL, "%s is damaged: its payload has no known compression; %s", what, repair);
	if (!f->unpack)
		return udf_error_set(err, -ENOTSUP, "%s is compressed with %s, which UDF does not unpack: it reads xz, zstd, lz4 and gzip",
				     what, f->name);
	ret = reserve_hint(&u);
	if (!ret)
		ret = f->unpack(&u);
	switch (ret) {
	case 0:
		return 0;
	case -EFBIG:
		return udf_error_set(err, ret, "%s unpacks to more than %zu MiB: it is no kernel image", what, max >> 20);
	case -ENOMEM:
		return udf_error_set(err, ret, "%s: not enough memory to unpack it", what);
	default:
		return udf_error_set(err, -EINVAL, "%s is damaged: its %s payload does not unpack; %s", what, f->name, repair);
	}
}
