// SPDX-License-Identifier: GPL-2.0
/*
 * Firmware: the file udf-test.bin (4099 bytes, byte i is 7 * i) when file=1 says it is there; and one that is not.
 *
 * run:
 * firmware: file=1
 */
#include "udf_test.h"

#include <linux/completion.h>
#include <linux/device.h>
#include <linux/firmware.h>

#define SIZE 4099

static bool file;
module_param(file, bool, 0444);
MODULE_PARM_DESC(file, "the file udf-test.bin is in the firmware search path");

static struct device *device;
static DECLARE_COMPLETION(loaded);

static void check_contents(const struct firmware *fw)
{
	size_t i;

	udf_require(fw->size == SIZE);
	for (i = 0; i < SIZE; i++)
		if (!udf_check(fw->data[i] == (u8)(7 * i)))
			break;
}

static void note_loaded(const struct firmware *fw, void *context)
{
	if (file && udf_check(fw))
		check_contents(fw);
	if (!file)
		udf_check(!fw);
	release_firmware(fw);
	complete(&loaded);
}

static void missing_file_is_an_error(void)
{
	const struct firmware *fw = NULL;

	device = root_device_register("udf_test");
	udf_require(!IS_ERR(device));
	udf_check(request_firmware_direct(&fw, "udf-missing.bin", device) == -ENOENT);
	udf_check(!fw);
	root_device_unregister(device);
}

static void contents_arrive(void)
{
	const struct firmware *fw = NULL;

	if (!file) {
		udf_skip("needs file=1");
		return;
	}
	device = root_device_register("udf_test");
	udf_require(!IS_ERR(device));
	if (udf_check(request_firmware(&fw, "udf-test.bin", device) == 0)) {
		check_contents(fw);
		release_firmware(fw);
	}
	reinit_completion(&loaded);
	if (udf_check(!request_firmware_nowait(THIS_MODULE, FW_ACTION_UEVENT, "udf-test.bin", device, GFP_KERNEL, NULL, note_loaded)))
		udf_check(wait_for_completion_timeout(&loaded, UDF_PATIENCE));
	root_device_unregister(device);
}

static const struct udf_test tests[] = {
	UDF_TEST(missing_file_is_an_error),
	UDF_TEST(contents_arrive),
};

UDF_TEST_MODULE(tests, "UDF test: firmware files");
