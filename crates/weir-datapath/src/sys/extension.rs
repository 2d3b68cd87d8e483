//! Whether this kernel takes program extensions (freplace), which joining a libxdp dispatcher needs.
//!
//! The probe loads an extension of nothing. A kernel that has them hands it to the verifier, which then asks what it extends;
//! one that has them not, or does not allow them, refuses before that.

use std::io;

use super::load::{Load, short_name};
use super::{Command, bpf_fd};

/// What came of the probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extensions {
    /// The verifier was reached.
    Available,
    /// The kernel does not know the program type.
    Unknown,
    /// The kernel knows it and refuses it: by a security policy, or for lack of a right.
    Refused,
}

const BPF_PROG_TYPE_EXT: u32 = 28;

/// Asks the kernel.
pub fn extensions() -> Extensions {
    // r0 = 0; exit
    let code: [u64; 2] = [0xb7, 0x95];
    let mut log = [0u8; 4096];
    let mut attr = Load {
        prog_type: BPF_PROG_TYPE_EXT,
        insn_cnt: code.len() as u32,
        insns: code.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
        log_level: 1,
        log_size: log.len() as u32,
        log_buf: log.as_mut_ptr() as u64,
        prog_name: short_name("weir_probe"),
        ..Load::default()
    };
    let result = bpf_fd(Command::ProgLoad, &mut attr).map(drop);
    verdict(result.err().as_ref(), log[0] != 0)
}

fn verdict(error: Option<&io::Error>, verifier_spoke: bool) -> Extensions {
    match error.and_then(io::Error::raw_os_error) {
        _ if verifier_spoke => Extensions::Available,
        None => Extensions::Available,
        Some(libc::EPERM | libc::EACCES) => Extensions::Refused,
        Some(_) => Extensions::Unknown,
    }
}

#[cfg(test)]
mod tests {
    //! Answers of three kinds of kernels.
    use super::*;

    #[test]
    fn the_verifier_asking_what_is_extended_means_yes() {
        let error = |code| io::Error::from_raw_os_error(code);
        assert_eq!(verdict(Some(&error(libc::EINVAL)), true), Extensions::Available);
        assert_eq!(verdict(Some(&error(libc::EINVAL)), false), Extensions::Unknown);
        assert_eq!(verdict(Some(&error(libc::EPERM)), false), Extensions::Refused);
    }
}
