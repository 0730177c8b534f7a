// SPDX-License-Identifier: GPL-2.0
/* Data structures and helpers of the library kind: each is used once, in the way drivers do. */
#include "udf_test.h"

#include <linux/bitmap.h>
#include <linux/crc32.h>
#include <linux/hashtable.h>
#include <linux/idr.h>
#include <linux/kfifo.h>
#include <linux/kref.h>
#include <linux/list_sort.h>
#include <linux/llist.h>
#include <linux/notifier.h>
#include <linux/radix-tree.h>
#include <linux/random.h>
#include <linux/rbtree.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/uuid.h>
#include <linux/xarray.h>

static void *as_entry(unsigned long i)
{
	return xa_mk_value(i);
}

static void xarray_stores(void)
{
	DEFINE_XARRAY_ALLOC(xa);
	unsigned long i, index, seen = 0;
	void *entry;
	u32 id;

	for (i = 0; i < 5000; i++)
		udf_check(!xa_err(xa_store(&xa, i * 3, as_entry(i), GFP_KERNEL)));
	for (i = 0; i < 5000; i++)
		udf_check(xa_load(&xa, i * 3) == as_entry(i) && !xa_load(&xa, i * 3 + 1));
	xa_set_mark(&xa, 300, XA_MARK_1);
	xa_for_each_marked(&xa, index, entry, XA_MARK_1)
		seen += index;
	udf_check(seen == 300);
	udf_check(!xa_alloc(&xa, &id, as_entry(1), XA_LIMIT(0, 100), GFP_KERNEL) && id == 1);
	udf_check(xa_erase(&xa, 3) == as_entry(1));
	xa_destroy(&xa);
	udf_check(xa_empty(&xa));
}

static void idr_and_ida_number(void)
{
	DEFINE_IDR(idr);
	DEFINE_IDA(ida);
	int i;

	for (i = 0; i < 300; i++)
		udf_check(idr_alloc(&idr, &idr, 10, 1000, GFP_KERNEL) == 10 + i);
	udf_check(idr_find(&idr, 20) == &idr && !idr_find(&idr, 9));
	idr_remove(&idr, 20);
	udf_check(idr_alloc(&idr, &idr, 10, 1000, GFP_KERNEL) == 20);
	udf_check(idr_alloc(&idr, &idr, 10, 15, GFP_KERNEL) == -ENOSPC);
	idr_destroy(&idr);
	for (i = 0; i < 2000; i++)
		udf_check(ida_alloc(&ida, GFP_KERNEL) == i);
	ida_free(&ida, 7);
	udf_check(ida_alloc_max(&ida, 100, GFP_KERNEL) == 7);
	udf_check(ida_alloc_max(&ida, 100, GFP_KERNEL) == -ENOSPC);
	ida_destroy(&ida);
}

static void radix_tree_stores(void)
{
	RADIX_TREE(tree, GFP_KERNEL);
	unsigned long i;

	for (i = 1; i < 1ul << 40; i *= 7)
		udf_check(!radix_tree_insert(&tree, i, as_entry(i)));
	udf_check(radix_tree_insert(&tree, 49, as_entry(1)) == -EEXIST);
	for (i = 1; i < 1ul << 40; i *= 7)
		udf_check(radix_tree_delete(&tree, i) == as_entry(i));
	udf_check(radix_tree_empty(&tree));
}

struct node {
	struct rb_node rb;
	struct list_head list;
	struct hlist_node hash;
	struct llist_node lockless;
	u32 key;
};

static bool node_less(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct node, rb)->key < rb_entry(b, struct node, rb)->key;
}

static int compare_nodes(void *unused, const struct list_head *a, const struct list_head *b)
{
	u32 x = list_entry(a, struct node, list)->key, y = list_entry(b, struct node, list)->key;

	return x < y ? -1 : x > y;
}

static void trees_and_lists_sort(void)
{
	struct node *nodes = kcalloc(1000, sizeof(*nodes), GFP_KERNEL), *n, *last = NULL;
	struct rb_root_cached root = RB_ROOT_CACHED;
	struct rb_node *rb;
	LIST_HEAD(list);
	int i, count = 0;

	udf_require(nodes);
	for (i = 0; i < 1000; i++) {
		nodes[i].key = (i * 2654435761u) >> 8;
		rb_add_cached(&nodes[i].rb, &root, node_less);
		list_add(&nodes[i].list, &list);
	}
	for (rb = rb_first_cached(&root); rb; rb = rb_next(rb), count++) {
		n = rb_entry(rb, struct node, rb);
		udf_check(!last || last->key <= n->key);
		last = n;
	}
	udf_check(count == 1000);
	list_sort(NULL, &list, compare_nodes);
	last = NULL;
	list_for_each_entry(n, &list, list) {
		udf_check(!last || last->key <= n->key);
		last = n;
	}
	for (i = 0; i < 1000; i++)
		rb_erase_cached(&nodes[i].rb, &root);
	udf_check(!rb_first_cached(&root));
	kfree(nodes);
}

static void hash_tables_find(void)
{
	static DEFINE_HASHTABLE(table, 5);
	static LLIST_HEAD(lockless);
	static struct node nodes[100];
	struct node *n;
	int i, found = 0;

	hash_init(table);
	for (i = 0; i < 100; i++) {
		nodes[i].key = i * 17;
		hash_add(table, &nodes[i].hash, nodes[i].key);
		llist_add(&nodes[i].lockless, &lockless);
	}
	hash_for_each_possible(table, n, hash, 170)
		found += n->key == 170;
	udf_check(found == 1);
	i = 0;
	llist_for_each_entry(n, llist_del_all(&lockless), lockless)
		udf_check(n->key == (99 - i++) * 17);
	udf_check(i == 100 && llist_empty(&lockless));
}

static int compare_ints(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* An element of an odd size; VALUE follows from KEY. */
struct odd {
	u32 key;
	u8 value[9];
} __packed;

static int compare_odd(const void *a, const void *b, const void *priv)
{
	const struct odd *x = a, *y = b;
	int ret = x->key < y->key ? -1 : x->key > y->key;

	return *(const int *)priv * ret;
}

static void swap_odd(void *a, void *b, int size, const void *priv)
{
	struct odd x = *(struct odd *)a;

	udf_check(size == sizeof(x) && a != b);
	*(struct odd *)a = *(struct odd *)b;
	*(struct odd *)b = x;
}

/* Up, or down for SIGN -1; with and without a function that exchanges; unordered, ordered, and with one element out of its place. */
static void sorts_elements(struct odd *o, unsigned int n, int sign, swap_r_func_t exchange)
{
	unsigned int i, k, pass;

	for (i = 0; i < n; i++) {
		o[i].key = (i * 2654435761u) >> 20;
		memset(o[i].value, o[i].key, sizeof(o[i].value));
	}
	for (pass = 0; pass < 3; pass++) {
		if (pass == 2 && n > 1)
			swap_odd(&o[0], &o[n / 2 ?: 1], sizeof(*o), NULL);
		sort_r(o, n, sizeof(*o), compare_odd, exchange, &sign);
		for (i = 0; i < n; i++) {
			udf_check(!i || (sign > 0 ? o[i - 1].key <= o[i].key : o[i - 1].key >= o[i].key));
			for (k = 0; k < sizeof(o[i].value); k++)
				udf_check(o[i].value[k] == (u8)o[i].key);
		}
	}
}

static void elements_of_any_size_sort(void)
{
	struct odd *o = kcalloc(300, sizeof(*o), GFP_KERNEL);
	unsigned int n;

	udf_require(o);
	for (n = 0; n <= 300; n += n < 9 ? 1 : 97) {
		sorts_elements(o, n, 1, NULL);
		sorts_elements(o, n, -1, swap_odd);
	}
	kfree(o);
}

static void sorting_and_fifo(void)
{
	DEFINE_KFIFO(fifo, int, 64);
	int numbers[200], i, value;

	for (i = 0; i < 200; i++)
		numbers[i] = (i * 7919) % 1009;
	sort(numbers, 200, sizeof(int), compare_ints, NULL);
	for (i = 1; i < 200; i++)
		udf_check(numbers[i - 1] <= numbers[i]);
	for (i = 0; i < 64; i++)
		udf_check(kfifo_put(&fifo, i));
	udf_check(!kfifo_put(&fifo, 64) && kfifo_is_full(&fifo));
	for (i = 0; i < 64; i++)
		udf_check(kfifo_get(&fifo, &value) && value == i);
	udf_check(kfifo_is_empty(&fifo));
}

static int calls;

static int note_call(struct notifier_block *nb, unsigned long action, void *data)
{
	calls = calls * 10 + action + nb->priority;
	return action == 5 ? NOTIFY_BAD : NOTIFY_OK;
}

static void notifiers_are_called_by_priority(void)
{
	static BLOCKING_NOTIFIER_HEAD(blocking);
	static ATOMIC_NOTIFIER_HEAD(atomic);
	struct notifier_block low = { .notifier_call = note_call, .priority = 0 };
	struct notifier_block high = { .notifier_call = note_call, .priority = 1 };

	udf_check(!blocking_notifier_chain_register(&blocking, &low));
	udf_check(!blocking_notifier_chain_register(&blocking, &high));
	udf_check(blocking_notifier_call_chain(&blocking, 1, NULL) == NOTIFY_OK);
	udf_check(calls == 21);
	calls = 0;
	udf_check(blocking_notifier_call_chain(&blocking, 5, NULL) == NOTIFY_BAD);
	udf_check(calls == 6);
	udf_check(!blocking_notifier_chain_unregister(&blocking, &low));
	udf_check(!blocking_notifier_chain_unregister(&blocking, &high));
	calls = 0;
	low.next = NULL;
	udf_check(!atomic_notifier_chain_register(&atomic, &low));
	atomic_notifier_call_chain(&atomic, 3, NULL);
	udf_check(calls == 3);
	udf_check(!atomic_notifier_chain_unregister(&atomic, &low));
}

static bool released;

static void release(struct kref *ref)
{
	released = true;
}

static void references_are_counted(void)
{
	struct kref ref;

	kref_init(&ref);
	kref_get(&ref);
	udf_check(!kref_put(&ref, release) && !released);
	udf_check(kref_get_unless_zero(&ref));
	kref_put(&ref, release);
	udf_check(kref_put(&ref, release) && released);
}

static void bitmaps_and_strings(void)
{
	DECLARE_BITMAP(map, 200) = { 0 };
	unsigned long long value;
	char text[64];
	int number;

	udf_check(!bitmap_parselist("1,3-5,100-110,199", map, 200));
	udf_check(bitmap_weight(map, 200) == 16 && find_first_bit(map, 200) == 1);
	udf_check(find_next_zero_bit(map, 200, 3) == 6 && find_last_bit(map, 200) == 199);
	udf_check(scnprintf(text, sizeof(text), "%*pbl", 200, map) > 0 && !strcmp(text, "1,3-5,100-110,199"));
	udf_check(!kstrtoull("0x1234", 0, &value) && value == 0x1234);
	udf_check(kstrtoint("12x", 10, &number) == -EINVAL && kstrtoint("3000000000", 10, &number) == -ERANGE);
	udf_check(sscanf("port 12 at 0xff", "port %d at %llx", &number, &value) == 2 && number == 12 && value == 255);
	udf_check(snprintf(text, sizeof(text), "%pM|%5.2s|%-4d|%016llx", "\1\2\3\4\5\6", "abc", 7, 0xabcull) == 17 + 1 + 5 + 1 + 4 + 1 + 16);
	udf_check(!strcmp(text, "01:02:03:04:05:06|   ab|7   |0000000000000abc"));
	udf_check(crc32_le(~0, "123456789", 9) == ~0xcbf43926u);
	udf_check(crc32_be(~0, "123456789", 9) == 0x0376e6e7);
}

static void random_is_random(void)
{
	unsigned char a[32], b[32];
	uuid_t uuid;

	get_random_bytes(a, sizeof(a));
	get_random_bytes(b, sizeof(b));
	udf_check(memcmp(a, b, sizeof(a)));
	udf_check(get_random_u64() != get_random_u64());
	udf_check(prandom_u32_max(10) < 10);
	uuid_gen(&uuid);
	udf_check(!uuid_is_null(&uuid));
}

static void scatterlists_chain(void)
{
	struct sg_table table;
	struct scatterlist *sg;
	char *data = kmalloc(4096, GFP_KERNEL), *copy = kzalloc(4096, GFP_KERNEL);
	int i, n = 0;

	udf_require(data && copy);
	get_random_bytes(data, 4096);
	if (udf_check(!sg_alloc_table(&table, 300, GFP_KERNEL))) {
		for_each_sgtable_sg(&table, sg, i)
			sg_set_buf(sg, data + (i * 8) % 4096, 8);
		for_each_sgtable_sg(&table, sg, i)
			n += sg->length;
		udf_check(n == 2400 && sg_nents(table.sgl) == 300);
		udf_check(sg_copy_to_buffer(table.sgl, 300, copy, 2400) == 2400);
		udf_check(!memcmp(copy, data, 2400));
		sg_free_table(&table);
	}
	kfree(data);
	kfree(copy);
}

static const struct udf_test tests[] = {
	UDF_TEST(xarray_stores),
	UDF_TEST(idr_and_ida_number),
	UDF_TEST(radix_tree_stores),
	UDF_TEST(trees_and_lists_sort),
	UDF_TEST(hash_tables_find),
	UDF_TEST(elements_of_any_size_sort),
	UDF_TEST(sorting_and_fifo),
	UDF_TEST(notifiers_are_called_by_priority),
	UDF_TEST(references_are_counted),
	UDF_TEST(bitmaps_and_strings),
	UDF_TEST(random_is_random),
	UDF_TEST(scatterlists_chain),
};

UDF_TEST_MODULE(tests, "UDF test: containers and helpers");
