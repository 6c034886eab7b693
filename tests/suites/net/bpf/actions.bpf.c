// SPDX-License-Identifier: GPL-2.0-only
/*
 * One program for each thing that XDP can ask a driver to do. Only frames of
 * the ethertype for local experiments, with a VLAN's tag or without, meet it; all
 * others pass, so that the interface stays usable. "counts" is what was asked for, by action.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "actions.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, ACTIONS);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} devices SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, QUEUES);
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");

static struct ethhdr *ours(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	__be16 *behind = data + sizeof(*eth) + 2;
	__be16 kind;

	if (data + sizeof(*eth) > end)
		return NULL;
	kind = eth->h_proto;
	/* what a VLAN's tag stands in front of */
	if (kind == bpf_htons(ETH_P_8021Q)) {
		if ((void *)(behind + 1) > end)
			return NULL;
		kind = *behind;
	}
	return kind == bpf_htons(ETH_TEST) ? eth : NULL;
}

static int count(__u32 action)
{
	__u64 *value = bpf_map_lookup_elem(&counts, &action);

	if (value)
		++*value;
	return action;
}

static void swap(struct ethhdr *eth)
{
	__u8 tmp[ETH_ALEN];

	__builtin_memcpy(tmp, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, tmp, ETH_ALEN);
}

SEC("xdp")
int drop(struct xdp_md *ctx)
{
	return ours(ctx) ? count(XDP_DROP) : XDP_PASS;
}

SEC("xdp")
int pass(struct xdp_md *ctx)
{
	return ours(ctx) ? count(XDP_PASS) : XDP_PASS;
}

SEC("xdp")
int aborted(struct xdp_md *ctx)
{
	return ours(ctx) ? count(XDP_ABORTED) : XDP_PASS;
}

/* An action that no driver knows */
SEC("xdp")
int unknown(struct xdp_md *ctx)
{
	return ours(ctx) ? 77 : XDP_PASS;
}

SEC("xdp")
int tx(struct xdp_md *ctx)
{
	struct ethhdr *eth = ours(ctx);

	if (!eth)
		return XDP_PASS;
	swap(eth);
	return count(XDP_TX);
}

/* Back, with as many bytes before and behind it as GROW and TAIL say */
SEC("xdp")
int grow(struct xdp_md *ctx)
{
	struct ethhdr *eth = ours(ctx), head;
	void *data, *end;
	__u8 *more;

	if (!eth)
		return XDP_PASS;
	swap(eth);
	head = *eth;
	if (bpf_xdp_adjust_head(ctx, -GROW) || bpf_xdp_adjust_tail(ctx, -TAIL))
		return count(XDP_ABORTED);
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if (data + sizeof(head) + GROW > end)
		return count(XDP_ABORTED);
	__builtin_memcpy(data, &head, sizeof(head));
	more = data + sizeof(head);
	__builtin_memset(more, 0x47, GROW);
	return count(XDP_TX);
}

/* Up the stack, without the bytes of GROW behind the Ethernet header */
SEC("xdp")
int shrink(struct xdp_md *ctx)
{
	struct ethhdr *eth = ours(ctx), head;
	void *data, *end;

	if (!eth)
		return XDP_PASS;
	head = *eth;
	if (bpf_xdp_adjust_head(ctx, GROW))
		return count(XDP_ABORTED);
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if (data + sizeof(head) > end)
		return count(XDP_ABORTED);
	__builtin_memcpy(data, &head, sizeof(head));
	return count(XDP_PASS);
}

SEC("xdp")
int redirect(struct xdp_md *ctx)
{
	if (!ours(ctx))
		return XDP_PASS;
	count(XDP_REDIRECT);
	return bpf_redirect_map(&devices, 0, XDP_ABORTED);
}

SEC("xdp")
int to_socket(struct xdp_md *ctx)
{
	if (!ours(ctx))
		return XDP_PASS;
	count(XDP_REDIRECT);
	return bpf_redirect_map(&sockets, ctx->rx_queue_index, XDP_ABORTED);
}

char gpl[] SEC("license") = "GPL";
