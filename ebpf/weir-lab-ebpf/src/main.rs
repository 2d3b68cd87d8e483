//! Kernel programs of the lab and the bench. They are loaded by tests, demos and benches only, never shipped.
//!
//! `generate` makes a flood's frames, `forward` plays the router's fast path, `stub` gives a veth end the receive queue that
//! redirected frames need, `stand_in` is the simplest filter that tells customers from others, `bare` and `seed_like` are
//! what Weir is measured against.
#![no_std]
#![no_main]

#[path = "abi.rs"]
pub mod abi;
mod comparator;
mod generate;
mod packet;
mod path;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
