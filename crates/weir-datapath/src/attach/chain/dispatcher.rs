//! The dispatcher: an XDP program that calls one function after another, each to be replaced by somebody's program.
//!
//! libxdp brings it compiled from C; the same in few instructions is written here, so that nothing of libxdp's is needed.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use super::config::{DispatcherConfig, FRAGS, NOBODY};
use super::types;
use crate::sys::{self, Code};

/// What libxdp calls it, and looks for.
pub const NAME: &str = "xdp_dispatcher";

/// Loads one; nobody is in its slots yet.
pub fn load(config: &DispatcherConfig) -> io::Result<OwnedFd> {
    let map = sys::constant("xdp_disp.rodata", &config.block())?;
    let btf = sys::btf_load(&types::of(config.slots.len(), config.version))?;
    let (instructions, functions) = code(config, map.as_raw_fd());
    // libxdp's own expects it too, and others' extensions are moved from one to the other.
    let attach_type = sys::BPF_XDP;
    let flags = if config.frags() { FRAGS } else { 0 };
    let code = Code { name: NAME, instructions: &instructions, functions: &functions, flags, attach_type };
    sys::xdp_load(&code, btf.as_fd())
}

/// Instructions, and where each function begins with its type.
fn code(config: &DispatcherConfig, map: i32) -> (Vec<u64>, Vec<[u32; 2]>) {
    const HEAD: usize = 3;
    const STEP: usize = 6;
    const STUB: usize = 4;
    let count = config.slots.len();
    let end = HEAD + STEP * count;
    let stub = |slot: usize| end + 2 + STUB * slot;
    // The configuration is written into the instructions; the map only has to be there for others to read it.
    let mut out = vec![op(0xbf, 6, 1, 0, 0), op(0x18, 7, 1, 0, map), 0];
    for (i, slot) in config.slots.iter().enumerate() {
        let call = out.len() + 1;
        out.extend([
            op(0xbf, 1, 6, 0, 0),                                     // r1 = ctx
            op(0x85, 0, 1, 0, stub(i) as i32 - call as i32 - 1),      // r0 = prog_i(r1)
            op(0xb4, 1, 0, 0, 1),                                     // w1 = 1
            op(0x6c, 1, 0, 0, 0),                                     // w1 <<= w0
            op(0x54, 1, 0, 0, slot.goes_on as i32),                   // w1 &= the answers after which it goes on
            op(0x16, 1, 0, (end as i32 - call as i32 - 4) as i16, 0), // if w1 == 0: return r0
        ]);
    }
    const XDP_PASS: i32 = 2;
    const BPF_XDP_ADJUST_TAIL: i32 = 65;
    out.extend([op(0xb7, 0, 0, 0, XDP_PASS), op(0x95, 0, 0, 0, 0)]);
    for _ in 0..count {
        // Changes nothing. Without such a call kernels refuse successors that change the packet.
        out.extend([op(0xb7, 2, 0, 0, 0), op(0x85, 0, 0, 0, BPF_XDP_ADJUST_TAIL)]);
        out.extend([op(0xb7, 0, 0, 0, NOBODY as i32), op(0x95, 0, 0, 0, 0)]);
    }
    let mut functions = vec![[0, types::DISPATCHER]];
    functions.extend((0..count).map(|i| [stub(i) as u32, types::function(i)]));
    (out, functions)
}

/// An instruction.
fn op(code: u8, destination: u8, source: u8, offset: i16, immediate: i32) -> u64 {
    let registers = if cfg!(target_endian = "little") { source << 4 | destination } else { destination << 4 | source };
    sys::instruction(code, registers, offset, immediate)
}

#[cfg(test)]
mod tests {
    //! Where jumps and calls land.
    use super::super::config::OURS;
    use super::*;

    #[test]
    fn calls_reach_their_stubs_and_answers_the_end() {
        for count in 0..=10 {
            let config = DispatcherConfig { version: 2, slots: vec![OURS; count] };
            let (code, functions) = code(&config, 9);
            assert_eq!(functions.len(), count + 1);
            let end = 3 + 6 * count;
            for slot in 0..count {
                let call = 3 + 6 * slot + 1;
                let relative = (code[call] >> 32) as i32;
                assert_eq!(call as i32 + 1 + relative, functions[slot + 1][0] as i32);
                let jump = call + 4;
                assert_eq!(jump as i32 + 1 + i32::from((code[jump] >> 16) as i16), end as i32 + 1, "at `exit`");
            }
            assert_eq!(code[end + 1] & 0xff, 0x95);
            assert_eq!(code.len(), end + 2 + 4 * count);
        }
    }
}
