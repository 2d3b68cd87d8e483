//! Which programs sit on a tcx hook. Asked by ids: aya asks for their names as well, which takes `CAP_SYS_ADMIN`.

use std::io;

use super::{Command, bpf};

/// The kernel allows 64 programs on one hook (`BPF_MPROG_MAX` in include/linux/bpf_mprog.h).
const MOST: usize = 64;

/// Ids of the programs on a tcx hook of an interface of this thread's network namespace, in the order in which they run.
pub fn tcx_programs(ifindex: u32, attach_type: u32) -> io::Result<Vec<u32>> {
    #[repr(C)]
    struct Query {
        target_ifindex: u32,
        attach_type: u32,
        query_flags: u32,
        attach_flags: u32,
        prog_ids: u64,
        count: u32,
        pad: u32,
        prog_attach_flags: u64,
        link_ids: u64,
        link_attach_flags: u64,
        revision: u64,
    }
    let mut ids = [0u32; MOST];
    let mut attr = Query {
        target_ifindex: ifindex,
        attach_type,
        query_flags: 0,
        attach_flags: 0,
        prog_ids: ids.as_mut_ptr() as u64,
        count: MOST as u32,
        pad: 0,
        prog_attach_flags: 0,
        link_ids: 0,
        link_attach_flags: 0,
        revision: 0,
    };
    match bpf(Command::ProgQuery, &mut attr) {
        Ok(_) => Ok(ids[..(attr.count as usize).min(MOST)].to_vec()),
        // Nothing was ever attached there.
        Err(e) if e.raw_os_error() == Some(libc::ENOENT) => Ok(Vec::new()),
        Err(e) => Err(e),
    }
}
