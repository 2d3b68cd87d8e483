//! What the process must be allowed to: three capabilities, and no root.

use std::fs;

use crate::error::{DatapathError, Result};

/// Bit and name of each (`include/uapi/linux/capability.h`): loading programs and maps, attaching to interfaces, and the
/// verifier's leave to follow pointers.
const NEEDED: [(u32, &str); 3] = [(39, "CAP_BPF"), (12, "CAP_NET_ADMIN"), (38, "CAP_PERFMON")];

/// Stands for the first and the last of them (`bpf_capable` and `perfmon_capable` in `include/linux/capability.h`).
const SYS_ADMIN: u32 = 21;

/// Says which capabilities are missing: the kernel's own word is no more than "operation not permitted".
pub fn check() -> Result<()> {
    // Without /proc the kernel's word must do.
    let Ok(status) = fs::read_to_string("/proc/self/status") else { return Ok(()) };
    let missing = missing(&status);
    if missing.is_empty() { Ok(()) } else { Err(DatapathError::Privileges(missing.join(", "))) }
}

fn missing(status: &str) -> Vec<&'static str> {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let Some(effective) = line.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()) else { return Vec::new() };
    let has = |bit: u32| effective >> bit & 1 != 0;
    let lacks = |&(bit, _): &(u32, &str)| !has(bit) && (bit == 12 || !has(SYS_ADMIN));
    NEEDED.iter().filter(|needed| lacks(needed)).map(|(_, name)| *name).collect()
}

#[cfg(test)]
mod tests {
    //! Lines of /proc/self/status.
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let of = |bits: u64| missing(&format!("Name:\tweir\nCapEff:\t{bits:016x}\n"));
        assert_eq!(of(u64::MAX >> 23), Vec::<&str>::new());
        assert_eq!(of(1 << 39 | 1 << 12 | 1 << 38), Vec::<&str>::new());
        assert_eq!(of(1 << 21 | 1 << 12), Vec::<&str>::new());
        assert_eq!(of(1 << 39 | 1 << 12), ["CAP_PERFMON"]);
        assert_eq!(of(1 << 21), ["CAP_NET_ADMIN"]);
        assert_eq!(of(0), ["CAP_BPF", "CAP_NET_ADMIN", "CAP_PERFMON"]);
        assert_eq!(missing("no such line"), Vec::<&str>::new());
    }
}
