//! Reading and writing a frame where the verifier can follow.

use aya_ebpf::programs::XdpContext;

/// Reads a value in network order as it stands in the frame.
#[inline(always)]
pub fn read<T: Copy>(ctx: &XdpContext, offset: usize) -> Option<T> {
    let at = ctx.data() + offset;
    if at + size_of::<T>() > ctx.data_end() {
        return None;
    }
    // SAFETY: the bytes lie between data and data_end, and every T read here is plain integers of any value.
    Some(unsafe { core::ptr::read_unaligned(at as *const T) })
}

/// Writes a value as it is to stand in the frame. `None` when the frame is too short.
#[inline(always)]
pub fn write<T: Copy>(ctx: &XdpContext, offset: usize, value: T) -> Option<()> {
    let at = ctx.data() + offset;
    if at + size_of::<T>() > ctx.data_end() {
        return None;
    }
    // SAFETY: the bytes lie between data and data_end, and XDP may write there.
    unsafe { core::ptr::write_unaligned(at as *mut T, value) };
    Some(())
}

/// Writes one byte that is not the frame's last. For the last one the compiler would turn the bounds check into a comparison
/// that the verifier draws no conclusion from.
#[inline(always)]
pub fn write_byte(ctx: &XdpContext, offset: usize, value: u8) -> Option<()> {
    let at = ctx.data() + offset;
    if at + 2 > ctx.data_end() {
        return None;
    }
    // SAFETY: the byte lies between data and data_end, and XDP may write there.
    unsafe { core::ptr::write(at as *mut u8, value) };
    Some(())
}

/// EtherTypes as they read in a little-endian register.
pub const IPV4: u16 = 0x0800u16.to_be();
pub const IPV6: u16 = 0x86ddu16.to_be();
