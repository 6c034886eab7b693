// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands: guest memory that the host reads and writes, and MMIO.
 */
#include <linux/crc32.h>
#include <linux/hyperv.h>
#include <linux/ioport.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include <synthio/testdev.h>

#include "chantest.h"

static int ct_check_crc(struct ct_channel *c, const void *mem, u32 len)
{
	u32 crc = crc32_le(~0, mem, len) ^ ~0;

	if (c->rsp.value[0] == crc)
		return 0;
	ct_say("host reads CRC %#llx where it is %#x\n", c->rsp.value[0], crc);
	return -EBADMSG;
}

static int ct_check_filled(const u8 *mem, u32 len, u64 seed)
{
	u32 at;

	if (ct_is_pattern(mem, len, seed, &at))
		return 0;
	ct_say("byte %u was not written by the host\n", at);
	return -EBADMSG;
}

static int cmd_gpadl(struct ct_device *dev, struct ct_args *a)
{
	struct ct_channel *c = dev->primary;
	struct vmbus_gpadl gpadl = {};
	u32 size;
	u8 *mem;
	int ret, err;

	ret = ct_number(a, 1, 4096, &size);
	if (ret)
		return ret;
	if (!size || size % HV_HYP_PAGE_SIZE || size > 64 << 20)
		return -EINVAL;
	mem = vmalloc(size);
	if (!mem)
		return -ENOMEM;
	ct_fill(mem, size, size);
	ret = vmbus_establish_gpadl(c->vc, mem, size, &gpadl);
	if (ret) {
		ct_say("establish: %d\n", ret);
		vfree(mem);
		return ret;
	}
	ret = ct_call(dev, c, SYNTHIO_TEST_GPADL_CRC, gpadl.gpadl_handle, 0,
		      NULL, 0) ?: ct_check_crc(c, mem, size);
	ret = ret ?: ct_call(dev, c, SYNTHIO_TEST_GPADL_FILL,
			     gpadl.gpadl_handle, 77, NULL, 0) ?:
	      ct_check_filled(mem, size, 77);
	err = vmbus_teardown_gpadl(c->vc, &gpadl);
	if (err) {
		/* the host may still write it */
		ct_say("teardown: %d, memory is lost\n", err);
		return err;
	}
	vfree(mem);
	return ret;
}

static int ct_gpa_call(struct ct_device *dev, u32 op, u8 *mem, u32 offset,
		       u32 len)
{
	u32 pages = HVPFN_UP(offset + len), i;
	struct ct_channel *c = dev->primary;
	struct vmbus_packet_mpb_array *mpb;
	struct synthio_test_req req = { .op = op, .arg1 = 99 };
	u32 size = struct_size(mpb, range.pfn_array, pages);
	int ret;

	mpb = kzalloc(size, GFP_KERNEL);
	if (!mpb)
		return -ENOMEM;
	mpb->rangecount = 1;
	mpb->range.len = len;
	mpb->range.offset = offset;
	for (i = 0; i < pages; i++)
		mpb->range.pfn_array[i] =
			virt_to_hvpfn(mem + i * HV_HYP_PAGE_SIZE);
	ct_expect(c, EXPECT_NOTHING, 0, 0, false);
	ret = vmbus_sendpacket_mpb_desc(c->vc, mpb, size, &req, sizeof(req),
					CT_ID_SINGLE);
	if (ret)
		ct_say("send: %d\n", ret);
	else
		ret = ct_wait_counts(dev, c, 0, 1);
	kfree(mpb);
	return ret ?: ct_check_rsp(c, op);
}

static int cmd_gpa(struct ct_device *dev, struct ct_args *a)
{
	u32 len, offset, before, after;
	u8 *mem;
	int ret;

	ret = ct_number(a, 1, 4096, &len) ?: ct_number(a, 2, 0, &offset);
	if (ret)
		return ret;
	if (!len || len > 1 << 20 || offset >= HV_HYP_PAGE_SIZE)
		return -EINVAL;
	mem = vzalloc(PAGE_ALIGN(offset + len + 1));
	if (!mem)
		return -ENOMEM;
	ct_fill(mem + offset, len, len);
	ret = ct_gpa_call(dev, SYNTHIO_TEST_GPA_CRC, mem, offset, len) ?:
	      ct_check_crc(dev->primary, mem + offset, len);
	before = offset ? mem[offset - 1] : 0;
	after = mem[offset + len];
	ret = ret ?: ct_gpa_call(dev, SYNTHIO_TEST_GPA_FILL, mem, offset, len) ?:
	      ct_check_filled(mem + offset, len, 99);
	if (!ret && ((offset && mem[offset - 1] != before) ||
		     mem[offset + len] != after)) {
		ct_say("host wrote beside the range\n");
		ret = -EBADMSG;
	}
	if (ret && !dev->primary->completed) {
		ct_say("host did not let go: memory is lost\n");
		return ret;
	}
	vfree(mem);
	return ret;
}

static int cmd_mmio(struct ct_device *dev, struct ct_args *a)
{
	struct resource *one, *two;
	resource_size_t start;
	u32 size, align;
	int ret;

	ret = ct_number(a, 1, 1 << 20, &size) ?: ct_number(a, 2, 4096, &align);
	if (ret)
		return ret;
	ret = vmbus_allocate_mmio(&one, dev->hv, 0, -1, size, align, false);
	if (ret) {
		ct_say("first: %d\n", ret);
		return ret;
	}
	start = one->start;
	ct_say("%pR\n", one);
	if (resource_size(one) != size || !IS_ALIGNED(start, align)) {
		ct_say("not what was asked for\n");
		ret = -ERANGE;
	}
	if (!ret) {
		ret = vmbus_allocate_mmio(&two, dev->hv, 0, -1, size, align,
					  false);
		if (ret) {
			ct_say("second: %d\n", ret);
		} else {
			ct_say("%pR\n", two);
			if (two->start < start + size &&
			    start < two->start + size) {
				ct_say("they overlap\n");
				ret = -ERANGE;
			}
			vmbus_free_mmio(two->start, size);
		}
	}
	vmbus_free_mmio(start, size);
	return ret;
}

const struct ct_command ct_memory[] = {
	{ "gpadl", true, false, cmd_gpadl, "BYTES" },
	{ "gpa", true, false, cmd_gpa, "BYTES [OFFSET]" },
	{ "mmio", false, false, cmd_mmio, "BYTES [ALIGN]" },
	{}
};
