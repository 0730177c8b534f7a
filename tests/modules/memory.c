// SPDX-License-Identifier: GPL-2.0
/* Memory: each allocator works, gives what was asked for, and gets back what it gave. */
#include "udf_test.h"

#include <linux/dma-mapping.h>
#include <linux/dmapool.h>
#include <linux/gfp.h>
#include <linux/mempool.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

/* Fill and verify with a pattern that depends on the address, so that overlapping allocations are found. */
static void fill(void *p, size_t size)
{
	unsigned long *word = p;
	size_t i;

	for (i = 0; i < size / sizeof(*word); i++)
		word[i] = (unsigned long)&word[i] ^ 0x5a5a;
}

static bool intact(void *p, size_t size)
{
	unsigned long *word = p;
	size_t i;

	for (i = 0; i < size / sizeof(*word); i++)
		if (word[i] != ((unsigned long)&word[i] ^ 0x5a5a))
			return false;
	return true;
}

static void kmalloc_sizes(void)
{
	static void *p[24];
	int i;

	for (i = 3; i < ARRAY_SIZE(p); i++) {
		p[i] = kmalloc(1ul << i, i < 12 ? GFP_ATOMIC : GFP_KERNEL | __GFP_NOWARN);
		if (i <= 22)
			udf_check(p[i]);	/* 4 MiB is the promised maximum */
		if (p[i]) {
			udf_check(ksize(p[i]) >= 1ul << i);
			udf_check(IS_ALIGNED((unsigned long)p[i], min(1ul << i, PAGE_SIZE)));
			fill(p[i], 1ul << i);
		}
	}
	for (i = 3; i < ARRAY_SIZE(p); i++) {
		if (p[i])
			udf_check(intact(p[i], 1ul << i));
		kfree(p[i]);
	}
	kfree(NULL);
	udf_check(kmalloc(0, GFP_KERNEL) == ZERO_SIZE_PTR);
}

static void zeroed_is_zero(void)
{
	int i, round;

	for (round = 0; round < 20; round++) {
		for (i = 5; i < 17; i++) {
			char *p = kzalloc(1ul << i, GFP_KERNEL);

			udf_require(p);
			udf_check(!memchr_inv(p, 0, 1ul << i));
			memset(p, 0xa5, 1ul << i);
			kfree(p);
		}
	}
}

static void krealloc_keeps_contents(void)
{
	char *p = kmalloc(10, GFP_KERNEL), *q;

	udf_require(p);
	strcpy(p, "contents");
	q = krealloc(p, 5000, GFP_KERNEL);
	if (udf_check(q)) {
		udf_check(!strcmp(q, "contents"));
		p = q;
	}
	kfree(p);
	p = kasprintf(GFP_KERNEL, "%s-%d", "port", 3);
	udf_check(p && !strcmp(p, "port-3"));
	kfree(p);
}

static void construct(void *p)
{
	memset(p, 0x77, 100);
}

static void cache_constructs_objects(void)
{
	struct kmem_cache *cache = kmem_cache_create("udf_test", 100, 64, SLAB_HWCACHE_ALIGN, construct);
	void *p[200];
	int i;

	udf_require(cache);
	udf_check(kmem_cache_size(cache) == 100);
	for (i = 0; i < ARRAY_SIZE(p); i++) {
		p[i] = kmem_cache_alloc(cache, GFP_KERNEL);
		udf_require(p[i]);
		udf_check(IS_ALIGNED((unsigned long)p[i], 64));
		udf_check(!memchr_inv(p[i], 0x77, 100));
	}
	for (i = 0; i < ARRAY_SIZE(p); i++)
		kmem_cache_free(cache, p[i]);
	udf_check(kmem_cache_alloc_bulk(cache, GFP_KERNEL, 50, p) == 50);
	kmem_cache_free_bulk(cache, 50, p);
	kmem_cache_destroy(cache);
}

static void mempool_has_its_reserve(void)
{
	mempool_t *pool = mempool_create_kmalloc_pool(8, 256);
	void *p[8];
	int i;

	udf_require(pool);
	for (i = 0; i < ARRAY_SIZE(p); i++) {
		p[i] = mempool_alloc(pool, GFP_ATOMIC);
		udf_check(p[i]);
	}
	for (i = 0; i < ARRAY_SIZE(p); i++)
		mempool_free(p[i], pool);
	mempool_destroy(pool);
}

static void pages_are_distinct(void)
{
	struct page *page[64];
	int i;

	for (i = 0; i < ARRAY_SIZE(page); i++) {
		page[i] = alloc_pages(GFP_KERNEL, i % 5);
		udf_require(page[i]);
		udf_check(page_count(page[i]) == 1);
		udf_check(virt_to_page(page_address(page[i])) == page[i]);
		udf_check(IS_ALIGNED((unsigned long)page_address(page[i]), PAGE_SIZE << (i % 5)));
		fill(page_address(page[i]), PAGE_SIZE << (i % 5));
	}
	for (i = 0; i < ARRAY_SIZE(page); i++) {
		udf_check(intact(page_address(page[i]), PAGE_SIZE << (i % 5)));
		__free_pages(page[i], i % 5);
	}
}

static void compound_page_counts(void)
{
	struct page *page = alloc_pages(GFP_KERNEL | __GFP_COMP | __GFP_ZERO, 3);

	udf_require(page);
	udf_check(PageHead(page) && compound_order(page) == 3);
	udf_check(compound_head(page + 5) == page);
	get_page(page + 5);
	udf_check(page_count(page) == 2);
	put_page(page);
	udf_check(!memchr_inv(page_address(page), 0, PAGE_SIZE << 3));
	put_page(page);
}

static void exact_pages(void)
{
	void *p = alloc_pages_exact(3 * PAGE_SIZE, GFP_KERNEL | __GFP_ZERO);
	unsigned long page = get_zeroed_page(GFP_KERNEL);

	if (udf_check(p)) {
		udf_check(!memchr_inv(p, 0, 3 * PAGE_SIZE));
		free_pages_exact(p, 3 * PAGE_SIZE);
	}
	if (udf_check(page)) {
		udf_check(!memchr_inv((void *)page, 0, PAGE_SIZE));
		free_page(page);
	}
}

static void vmalloc_maps_pages(void)
{
	size_t size = 37 * PAGE_SIZE, i;
	char *p = vmalloc(size), *z;

	udf_require(p);
	udf_check(is_vmalloc_addr(p) && !is_vmalloc_addr(page_address(vmalloc_to_page(p))));
	fill(p, size);
	for (i = 0; i < size; i += PAGE_SIZE) {
		struct page *page = vmalloc_to_page(p + i);

		if (udf_check(page))
			udf_check(!memcmp(page_address(page), p + i, PAGE_SIZE));
	}
	vfree(p);
	z = vzalloc(size);
	if (udf_check(z))
		udf_check(!memchr_inv(z, 0, size));
	vfree(z);
	vfree(NULL);
}

static void vmap_gives_a_second_view(void)
{
	struct page *page[4];
	char *view;
	int i;

	for (i = 0; i < 4; i++) {
		page[i] = alloc_page(GFP_KERNEL);
		udf_require(page[i]);
		memset(page_address(page[i]), 'a' + i, PAGE_SIZE);
	}
	view = vmap(page, 4, VM_MAP, PAGE_KERNEL);
	if (udf_check(view)) {
		for (i = 0; i < 4; i++)
			udf_check(!memchr_inv(view + i * PAGE_SIZE, 'a' + i, PAGE_SIZE));
		view[2 * PAGE_SIZE] = '!';
		udf_check(*(char *)page_address(page[2]) == '!');
		vunmap(view);
	}
	for (i = 0; i < 4; i++)
		__free_page(page[i]);
}

static void kvmalloc_falls_back(void)
{
	void *small = kvmalloc(100, GFP_KERNEL), *large = kvzalloc(6ul << 20, GFP_KERNEL);

	udf_check(small && !is_vmalloc_addr(small));
	udf_check(large && is_vmalloc_addr(large));
	if (large)
		udf_check(!memchr_inv(large, 0, 6ul << 20));
	kvfree(small);
	kvfree(large);
}

static DEFINE_PER_CPU(unsigned long, counter) = 17;

static void percpu_areas_are_apart(void)
{
	unsigned long __percpu *p = alloc_percpu(unsigned long);
	struct big { char bytes[2000]; } __percpu *big = alloc_percpu(struct big);
	int cpu;

	udf_require(p && big);
	for_each_possible_cpu(cpu) {
		udf_check(*per_cpu_ptr(p, cpu) == 0);
		udf_check(per_cpu(counter, cpu) == 17);
		udf_check(!memchr_inv(per_cpu_ptr(big, cpu), 0, sizeof(struct big)));
	}
	for_each_possible_cpu(cpu) {
		*per_cpu_ptr(p, cpu) = cpu + 100;
		per_cpu(counter, cpu) = cpu;
	}
	for_each_possible_cpu(cpu)
		udf_check(*per_cpu_ptr(p, cpu) == cpu + 100 && per_cpu(counter, cpu) == cpu);
	cpu = get_cpu();
	udf_check(this_cpu_read(counter) == cpu && this_cpu_inc_return(*p) == cpu + 101);
	put_cpu();
	for_each_possible_cpu(cpu)
		per_cpu(counter, cpu) = 17;
	free_percpu(p);
	free_percpu(big);
}

/* Ten times the machine's memory through each allocator: it runs out unless freed memory is used again. */
static void freed_pages_are_reused(void)
{
	unsigned long total, done;
	struct sysinfo info;

	si_meminfo(&info);
	total = info.totalram * 10;
	for (done = 0; done < total; done += 1 << 6) {
		struct page *page = alloc_pages(GFP_KERNEL, 6);

		udf_require(page);
		*(char *)page_address(page) = 1;
		__free_pages(page, 6);
		if (done % (1 << 16) == 0)
			cond_resched();
	}
}

static void freed_objects_are_reused(void)
{
	unsigned long total, done;
	struct sysinfo info;

	si_meminfo(&info);
	total = info.totalram * 10;
	for (done = 0; done < total; done += 16) {
		char *p = kmalloc(16 * PAGE_SIZE, GFP_KERNEL), *q = kmalloc(200, GFP_KERNEL);

		if (!udf_check(p && q))
			break;
		p[0] = q[0] = 1;
		kfree(p);
		kfree(q);
		if (done % (1 << 14) == 0)
			cond_resched();
	}
}

static void freed_vmalloc_is_reused(void)
{
	struct sysinfo before, after;
	int i;

	si_meminfo(&before);
	for (i = 0; i < 500; i++) {
		char *p = vmalloc(1 << 20);

		udf_require(p);
		p[0] = p[(1 << 20) - 1] = 1;
		vfree(p);
	}
	si_meminfo(&after);
	/* 500 MiB went through; a tenth of that is left for what others did meanwhile */
	udf_check(before.freeram < after.freeram + (50 << 20) / PAGE_SIZE);
}

static void too_much_is_refused(void)
{
	struct sysinfo info;
	void *p;

	si_meminfo(&info);
	p = __vmalloc(2 * info.totalram * PAGE_SIZE, GFP_KERNEL | __GFP_NOWARN);
	udf_check(!p);
	vfree(p);
	p = kmalloc(64ul << 20, GFP_KERNEL | __GFP_NOWARN);
	udf_check(!p);
	kfree(p);
}

static void dma_pool_blocks(void)
{
	struct pci_dev *pdev = pci_get_device(PCI_ANY_ID, PCI_ANY_ID, NULL);
	dma_addr_t addr[40], coherent;
	struct dma_pool *pool;
	char *p[40], *c;
	int i;

	if (!pdev) {
		udf_skip("no PCI device here");
		return;
	}
	c = dma_alloc_coherent(&pdev->dev, 3 * PAGE_SIZE, &coherent, GFP_KERNEL);
	if (udf_check(c)) {
		udf_check(!memchr_inv(c, 0, 3 * PAGE_SIZE));
		memset(c, 0xff, 3 * PAGE_SIZE);
		dma_free_coherent(&pdev->dev, 3 * PAGE_SIZE, c, coherent);
	}
	pool = dma_pool_create("udf_test", &pdev->dev, 256, 256, 0);
	if (udf_check(pool)) {
		for (i = 0; i < ARRAY_SIZE(p); i++) {
			p[i] = dma_pool_zalloc(pool, GFP_KERNEL, &addr[i]);
			udf_check(p[i] && IS_ALIGNED(addr[i], 256));
			if (p[i])
				udf_check(!memchr_inv(p[i], 0, 256));
		}
		for (i = 0; i < ARRAY_SIZE(p); i++)
			if (p[i])
				dma_pool_free(pool, p[i], addr[i]);
		dma_pool_destroy(pool);
	}
	pci_dev_put(pdev);
}

static const struct udf_test tests[] = {
	UDF_TEST(kmalloc_sizes),
	UDF_TEST(zeroed_is_zero),
	UDF_TEST(krealloc_keeps_contents),
	UDF_TEST(cache_constructs_objects),
	UDF_TEST(mempool_has_its_reserve),
	UDF_TEST(pages_are_distinct),
	UDF_TEST(compound_page_counts),
	UDF_TEST(exact_pages),
	UDF_TEST(vmalloc_maps_pages),
	UDF_TEST(vmap_gives_a_second_view),
	UDF_TEST(kvmalloc_falls_back),
	UDF_TEST(percpu_areas_are_apart),
	UDF_TEST(freed_pages_are_reused),
	UDF_TEST(freed_objects_are_reused),
	UDF_TEST(freed_vmalloc_is_reused),
	UDF_TEST(too_much_is_refused),
	UDF_TEST(dma_pool_blocks),
};

UDF_TEST_MODULE(tests, "UDF test: memory");
