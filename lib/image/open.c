// SPDX-License-Identifier: GPL-2.0
/* Open a prepared file: check its header, map its tables. Cheap: no byte of the tables is read. Host world. */
#define _GNU_SOURCE
#include "image/prepared.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "contract.h"
#include "layout.h"

#define PAGE 4096ull

static bool table_fits(const struct udf_file_header *h, unsigned int t)
{
	uint64_t offset = h->table[t].offset, count = h->table[t].count;

	return offset % 8 == 0 && offset >= h->tables_offset && offset - h->tables_offset <= h->tables_size && count <= UINT32_MAX &&
	       count * udf_file_entry_size[t] <= h->tables_size - (offset - h->tables_offset);
}

static bool segment_fits(const struct udf_file_header *h, const struct udf_file_segment *s)
{
	return !((s->addr | s->size | s->file_offset | s->file_size) % PAGE) && s->size &&
	       s->addr >= UDF_KAPI_BASE && s->addr < UDF_IMAGE_END && s->size <= UDF_IMAGE_END - s->addr &&
	       s->file_size <= s->size && s->file_offset >= PAGE && s->file_offset <= h->file_size &&
	       s->file_size <= h->file_size - s->file_offset;
}

static bool is_string(const char *s, size_t size)
{
	return memchr(s, 0, size);
}

const char *udf_file_check(const struct udf_file_header *h, uint64_t file_size)
{
	unsigned int i;

	if (h->header_crc != udf_file_header_crc(h))
		return "its header's checksum is wrong";
	if (h->file_size != file_size)
		return file_size < h->file_size ? "it is truncated" : "it has grown";
	if (h->tables_offset != PAGE || h->tables_size > h->file_size - PAGE || h->nr_segments > UDF_FILE_SEGMENTS)
		return "its header is impossible";
	for (i = 0; i < UDF_TABLE_COUNT; i++)
		if (!table_fits(h, i))
			return "one of its tables lies outside of it";
	for (i = 0; i < h->nr_segments; i++)
		if (!segment_fits(h, &h->segment[i]))
			return "one of its segments lies outside of it";
	if (!h->table[UDF_TABLE_STRINGS].count || !is_string(h->release, sizeof(h->release)) ||
	    !is_string(h->build_id, sizeof(h->build_id)) || !is_string(h->vermagic, sizeof(h->vermagic)) ||
	    !is_string(h->vmlinuz_path, sizeof(h->vmlinuz_path)) || !is_string(h->kapi_path, sizeof(h->kapi_path)))
		return "its header is impossible";
	return NULL;
}

int udf_file_read_header(int fd, struct udf_file_header *header, const char **why)
{
	struct stat st;
	ssize_t n = pread(fd, header, sizeof(*header), 0);

	*why = "it is truncated";
	if (n != (ssize_t)sizeof(*header) || fstat(fd, &st))
		return n < 0 ? -errno : -EBADMSG;
	*why = "it is no prepared image";
	if (memcmp(header->magic, UDF_FILE_MAGIC, sizeof(header->magic)))
		return -EBADMSG;
	*why = "it was prepared by another version of UDF";
	if (header->format != UDF_FILE_FORMAT || header->contract != UDF_CONTRACT_VERSION)
		return -ESTALE;
	*why = udf_file_check(header, (uint64_t)st.st_size);
	return *why ? -EBADMSG : 0;
}

static const void *table(const struct udf_image *image, enum udf_file_table t)
{
	return (const char *)image->header + image->header->table[t].offset;
}

static int make_replacements(struct udf_image *image)
{
	const struct udf_file_replaced *from = table(image, UDF_TABLE_REPLACED);
	uint64_t i, n = udf_image_count(image, UDF_TABLE_REPLACED);

	image->replacements = calloc(n + 1, sizeof(*image->replacements));
	if (!image->replacements)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		image->replacements[i] = (struct udf_replacement){
			.name = udf_image_string(image, from[i].name), .path = udf_image_string(image, from[i].path),
			.why = udf_image_string(image, from[i].why), .image_addr = from[i].image_addr,
			.kapi_addr = from[i].kapi_addr, .noop = from[i].flags & UDF_REPLACED_NOOP,
			.unsupported = from[i].flags & UDF_REPLACED_UNSUPPORTED,
		};
	return 0;
}

/* Map header and tables; HEADER has been checked. */
static int map_tables(struct udf_image *image, const struct udf_file_header *header)
{
	uint64_t size = header->tables_offset + header->tables_size, last;
	void *p = mmap(NULL, size, PROT_READ, MAP_SHARED, image->fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	image->header = p;
	image->mapped_size = size;
	/* what was checked is what is mapped */
	if (memcmp(p, header, sizeof(*header)))
		return -EBADMSG;
	image->strings = table(image, UDF_TABLE_STRINGS);
	image->symbols = table(image, UDF_TABLE_SYMBOLS);
	image->addresses = table(image, UDF_TABLE_ADDRESSES);
	image->exports = table(image, UDF_TABLE_EXPORTS);
	image->text = table(image, UDF_TABLE_TEXT);
	image->kapi_sections = table(image, UDF_TABLE_KAPI_SECTIONS);
	/* a look-up may run to the end of the strings, and no further */
	last = udf_image_count(image, UDF_TABLE_STRINGS) - 1;
	if (image->strings[0] || image->strings[last])
		return -EBADMSG;
	return make_replacements(image);
}

int udf_image_open_file(const char *path, struct udf_image **out, struct udf_error *err)
{
	struct udf_file_header header;
	struct udf_image *image = calloc(1, sizeof(*image));
	const char *why = "its tables are damaged";
	int ret;

	if (!image)
		return udf_error_set(err, -ENOMEM, "not enough memory to open %s", path);
	image->path = strdup(path);
	image->fd = open(path, O_RDONLY | O_CLOEXEC);
	ret = image->fd < 0 ? -errno : image->path ? 0 : -ENOMEM;
	if (ret) {
		udf_error_set(err, ret, "%s: %s", path, strerror(-ret));
		goto close_image;
	}
	ret = udf_file_read_header(image->fd, &header, &why);
	if (!ret) {
		why = "its tables are damaged";
		ret = map_tables(image, &header);
	}
	if (ret == -ESTALE || ret == -EBADMSG)
		udf_error_set(err, ret, "%s: %s; 'udf image prepare' makes it anew", path, why);
	else if (ret)
		udf_error_set(err, ret, "%s: %s", path, strerror(-ret));
	if (ret)
		goto close_image;
	*out = image;
	return 0;
close_image:
	udf_image_close(image);
	return ret;
}

void udf_image_close(struct udf_image *image)
{
	if (!image)
		return;
	udf_image_unmap(image);
	if (image->header)
		munmap((void *)image->header, image->mapped_size);
	if (image->fd >= 0)
		close(image->fd);
	free(image->replacements);
	free(image->path);
	free(image);
}

/* CRC of the LEN bytes at OFFSET, read rather than mapped: a file that is being cut short must not end the process. */
static int file_crc(int fd, uint64_t offset, uint64_t len, uLong *crc)
{
	static const size_t chunk = 1 << 20;
	uint8_t *buf = malloc(chunk);
	int ret = buf ? 0 : -ENOMEM;

	while (!ret && len) {
		ssize_t n = pread(fd, buf, len < chunk ? len : chunk, (off_t)offset);

		if (n <= 0) {
			ret = n ? -errno : -EBADMSG;
			break;
		}
		*crc = crc32_z(*crc, buf, (size_t)n);
		offset += (size_t)n;
		len -= (size_t)n;
	}
	free(buf);
	return ret;
}

int udf_image_verify(const char *path, struct udf_error *err)
{
	struct udf_image *image;
	const struct udf_file_header *h;
	uLong tables = crc32(0, NULL, 0), data = tables;
	unsigned int i;
	int ret = udf_image_open_file(path, &image, err);

	if (ret)
		return ret;
	h = image->header;
	ret = file_crc(image->fd, h->tables_offset, h->tables_size, &tables);
	for (i = 0; !ret && i < h->nr_segments; i++)
		ret = file_crc(image->fd, h->segment[i].file_offset, h->segment[i].file_size, &data);
	if (!ret && (tables != h->tables_crc || data != h->data_crc))
		ret = -EBADMSG;
	if (ret == -EBADMSG)
		udf_error_set(err, ret, "%s is damaged: the checksum of its %s is wrong; 'udf image remove' and 'udf image prepare' make it anew",
			      path, tables != h->tables_crc ? "tables" : "contents");
	else if (ret)
		udf_error_set(err, ret, "%s: %s", path, strerror(-ret));
	udf_image_close(image);
	return ret;
}
