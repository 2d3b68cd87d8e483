//! The traffic source. Run with live frames (`BPF_F_TEST_XDP_LIVE_FRAMES`), it writes one packet of the plan into the frame
//! and sends it out of the plan's interface, as soon as it is due; a run that comes too early gives its frame back.
//!
//! Pace and bounds are kept here and not by whoever starts the runs: frames then leave evenly spaced, which no sleep could
//! achieve, and a flood is over when it is over.

use aya_ebpf::{
    bindings::xdp_action::{XDP_ABORTED, XDP_DROP},
    helpers::{bpf_ktime_get_ns, bpf_redirect, bpf_xdp_adjust_meta, bpf_xdp_adjust_tail},
    macros::{map, xdp},
    maps::{Array, PerCpuArray},
    programs::XdpContext,
};

use crate::abi::{
    AT_ONCE, FORGIVEN_NS, HEADER_BYTES, HEADER_START, HEADER_WORDS, KINDS, MAX_FIELDS, META, PACE_UNIT, Plan, Running,
    SUM_IP, SUM_L4,
};
use crate::packet::{write, write_byte};

#[map]
static PLAN: Array<Plan> = Array::with_max_entries(1, 0);

/// Frames sent, by kind.
#[map]
static SENT: PerCpuArray<u64> = PerCpuArray::with_max_entries(KINDS, 0);

#[map]
static RUNNING: PerCpuArray<Running> = PerCpuArray::with_max_entries(1, 0);

#[xdp]
pub fn generate(ctx: XdpContext) -> u32 {
    let (Some(plan), Some(running)) = (PLAN.get(0), RUNNING.get_ptr_mut(0)) else { return XDP_ABORTED };
    // SAFETY: a per-CPU slot, and the program does not run twice at once on a CPU.
    let running = unsafe { &mut *running };
    if running.interval != 0 && !due(running) {
        return XDP_DROP;
    }
    let Some(()) = fill(&ctx, plan, &mut running.random) else { return XDP_ABORTED };
    // Frames come back and are used again. One that somebody has cut and sent back (a challenge) stays cut, unless the kernel sees its
    // bounds change here (net/bpf/test_run.c, ctx_was_changed): four bytes of metadata make it look.
    // SAFETY: the context is the kernel's own, and no packet pointer is used after this call.
    if unsafe { bpf_xdp_adjust_meta(ctx.ctx, -(META as i32)) } != 0 {
        return XDP_ABORTED;
    }
    if let Some(sent) = SENT.get_ptr_mut(plan.kind) {
        // SAFETY: as above.
        unsafe { *sent += 1 };
    }
    // SAFETY: a plain helper call; a wrong interface only makes the kernel free the frame.
    unsafe { bpf_redirect(plan.ifindex, 0) as u32 }
}

/// Whether a frame is due and within the bounds; it is then accounted for.
#[inline(always)]
fn due(running: &mut Running) -> bool {
    if running.left == 0 {
        return false;
    }
    // SAFETY: a plain helper call.
    let now = unsafe { bpf_ktime_get_ns() };
    if running.due == 0 {
        running.due = now * PACE_UNIT;
        running.until = now + running.time;
    }
    let ticks = now * PACE_UNIT;
    if ticks < running.due || ticks + running.interval * AT_ONCE < running.soonest || now > running.until {
        return false;
    }
    running.soonest = running.soonest.max(ticks) + running.interval / 5 * 4;
    let floor = (now - FORGIVEN_NS) * PACE_UNIT;
    if running.due < floor {
        running.due = floor;
    }
    running.due += running.interval;
    running.left -= 1;
    true
}

#[inline(always)]
fn fill(ctx: &XdpContext, plan: &Plan, random: &mut u64) -> Option<()> {
    let mut state = *random;

    let mut cut = 0;
    if plan.trim_span != 0 {
        cut = below(&mut state, plan.trim_span as u64);
        // SAFETY: the context is the kernel's own; packet pointers are read anew after this call.
        if unsafe { bpf_xdp_adjust_tail(ctx.ctx, -(cut as i32)) } != 0 {
            return None;
        }
    }

    write(ctx, 0, plan.first)?;
    for i in 0..HEADER_WORDS {
        if i as u32 >= plan.words {
            break;
        }
        write(ctx, HEADER_START + i * 4, plan.header[i])?;
    }

    let (mut ip_sum, mut l4_sum) = (plan.ip_sum, plan.l4_sum);
    if plan.trim_span != 0 {
        write(ctx, field_offset(plan.ip_len_at), (plan.ip_len - cut as u16).to_be())?;
        if plan.udp_len_at != 0 {
            write(ctx, field_offset(plan.udp_len_at), (plan.udp_len - cut as u16).to_be())?;
        }
        // Subtraction in ones' complement is adding the complement.
        let less = 0xffff - cut;
        ip_sum += less * (plan.trim_ip_sum & 1) as u32;
        l4_sum += less * (plan.trim_l4_sums & 3) as u32;
    }

    for i in 0..MAX_FIELDS {
        if i as u32 >= plan.fields_used {
            break;
        }
        let field = &plan.fields[i];
        let value = field.base.wrapping_add(below(&mut state, field.span));
        let offset = field_offset(field.offset);
        let sum = match field.width {
            4 => {
                write(ctx, offset, value.to_be())?;
                (value >> 16) + (value & 0xffff)
            }
            2 => {
                write(ctx, offset, (value as u16).to_be())?;
                value & 0xffff
            }
            _ => {
                write_byte(ctx, offset, value as u8)?;
                if offset & 1 == 0 { (value & 0xff) << 8 } else { value & 0xff }
            }
        };
        if field.sums & SUM_IP != 0 {
            ip_sum += sum;
        }
        if field.sums & SUM_L4 != 0 {
            l4_sum += sum;
        }
    }

    if plan.ip_sum_at != 0 {
        write(ctx, field_offset(plan.ip_sum_at), checksum(ip_sum))?;
    }
    if plan.l4_sum_at != 0 {
        write(ctx, field_offset(plan.l4_sum_at), checksum(l4_sum))?;
    }
    *random = state;
    Some(())
}

/// Keeps an offset from the plan within the bytes that the verifier can reason about.
#[inline(always)]
fn field_offset(offset: u16) -> usize {
    offset as usize & (HEADER_BYTES - 1)
}

/// A number below `span` (at most 2^32), from SplitMix64: no helper call, and it passes for random in every bit.
#[inline(always)]
fn below(state: &mut u64, span: u64) -> u32 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (((z >> 32) * span) >> 32) as u32
}

/// Folds a sum into an Internet checksum, ready to be written. Zero is written as its other form, 0xffff: in UDP zero means
/// "no checksum".
#[inline(always)]
fn checksum(sum: u32) -> u16 {
    let sum = (sum >> 16) + (sum & 0xffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    let value = !(sum as u16);
    if value == 0 { 0xffff } else { value.to_be() }
}
