// SPDX-License-Identifier: GPL-2.0
/*
 * Module parameters of the usual types. With given=1 the values must be those of the run line, else the defaults.
 *
 * run:
 * run: given=1 number=-5 unsigned_number=0xffffffff short_number=-300 byte=255 big=0x123456789abcdef0 flag=Y other_flag word=hello list=1,2,3 buffer=text called=17
 * run: given=1 number=-5 unsigned_number=4294967295 short_number=-300 byte=0xff big=1311768467463790320 flag=1 other_flag=y word="hello" list=1,2,3 buffer=text called=17
 * run: number=nonsense | fails
 * run: byte=256 | fails
 * run: list=1,2,3,4,5 | fails
 * run: called=18 | fails
 */
#include "udf_test.h"

static bool given;
module_param(given, bool, 0444);
static int number = 4;
module_param(number, int, 0644);
static unsigned int unsigned_number = 5;
module_param(unsigned_number, uint, 0444);
static short short_number = 6;
module_param(short_number, short, 0444);
static unsigned char byte = 7;
module_param(byte, byte, 0444);
static unsigned long long big = 8;
module_param(big, ullong, 0444);
static bool flag;
module_param(flag, bool, 0444);
static bool hidden_flag;
module_param_named(other_flag, hidden_flag, bool, 0444);
static char *word = "default";
module_param(word, charp, 0444);
static int list[4];
static int list_count;
module_param_array(list, int, &list_count, 0444);
static char buffer[8];
module_param_string(buffer, buffer, sizeof(buffer), 0444);

static int called;

static int set_called(const char *text, const struct kernel_param *param)
{
	int value, ret = kstrtoint(text, 0, &value);

	if (ret)
		return ret;
	if (value != 17)
		return -ERANGE;
	*(int *)param->arg = value;
	return 0;
}

static const struct kernel_param_ops called_ops = { .set = set_called, .get = param_get_int };
module_param_cb(called, &called_ops, &called, 0444);

static void values_are_right(void)
{
	udf_check(number == (given ? -5 : 4));
	udf_check(unsigned_number == (given ? 0xffffffff : 5));
	udf_check(short_number == (given ? -300 : 6));
	udf_check(byte == (given ? 255 : 7));
	udf_check(big == (given ? 0x123456789abcdef0ull : 8));
	udf_check(flag == given && hidden_flag == given);
	udf_check(!strcmp(word, given ? "hello" : "default"));
	udf_check(list_count == (given ? 3 : 0));
	udf_check(list[0] == (given ? 1 : 0) && list[2] == (given ? 3 : 0) && list[3] == 0);
	udf_check(!strcmp(buffer, given ? "text" : ""));
	udf_check(called == (given ? 17 : 0));
}

static const struct udf_test tests[] = {
	UDF_TEST(values_are_right),
};

UDF_TEST_MODULE(tests, "UDF test: module parameters");
