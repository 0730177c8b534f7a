// SPDX-License-Identifier: GPL-2.0
/* A prepared image as the loader's kernel. Host world. */
#include "loader/modules.h"

static const char *vermagic(void *ctx)
{
	return udf_image_vermagic(ctx);
}

static int find_export(void *ctx, const char *name, struct udf_export *out)
{
	return udf_image_export(ctx, name, out);
}

static uint64_t kapi(void *ctx, const char *name)
{
	return udf_image_kapi_symbol(ctx, name);
}

static uint64_t symbol(void *ctx, const char *name)
{
	return udf_image_symbol(ctx, name);
}

struct udf_kernel udf_kernel_of_image(const struct udf_image *image)
{
	return (struct udf_kernel){ .ctx = (void *)image, .vermagic = vermagic, .export = find_export, .kapi = kapi,
				    .symbol = symbol };
}

int udf_loader_new(const struct udf_image *image, const char *modules_dir, struct udf_loader **loader, struct udf_error *err)
{
	const struct udf_kernel kernel = udf_kernel_of_image(image);

	return udf_loader_new_kernel(&kernel, modules_dir, loader, err);
}
