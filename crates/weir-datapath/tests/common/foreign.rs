//! Programs of others: two instructions that pass everything, attached in each of the ways that there are.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::PathBuf;

use super::netns::run;
use super::pins::BPFFS;
use super::random_suffix;

/// How it is attached.
enum Held {
    /// A link that this process holds.
    Link(OwnedFd),
    /// The interface holds it.
    Interface,
}

/// A program that is not Weir's, on an interface of this thread's namespace.
pub struct Foreign {
    name: &'static str,
    id: u32,
    pin: PathBuf,
    #[expect(dead_code, reason = "held for its Drop")]
    held: Held,
}

const PROG_TYPE_XDP: u32 = 6;
const PROG_TYPE_SCHED_CLS: u32 = 3;
const BPF_XDP: u32 = 37;
const BPF_TCX_INGRESS: u32 = 46;
/// `XDP_PASS`, and `TCX_NEXT` (-1).
const XDP_PASS: i32 = 2;
const TCX_NEXT: i32 = -1;

impl Foreign {
    /// Native XDP as `ip link set … xdpdrv` attaches it: without a link.
    pub fn xdp(name: &'static str, interface: &str) -> Self {
        Self::pinned(name, PROG_TYPE_XDP, XDP_PASS, |pin| {
            run("ip", &["link", "set", "dev", interface, "xdpdrv", "pinned", pin]).map(|_| Held::Interface)
        })
    }

    /// Generic XDP as `ip link set … xdpgeneric` attaches it.
    pub fn generic_xdp(name: &'static str, interface: &str) -> Self {
        Self::pinned(name, PROG_TYPE_XDP, XDP_PASS, |pin| {
            run("ip", &["link", "set", "dev", interface, "xdpgeneric", "pinned", pin]).map(|_| Held::Interface)
        })
    }

    /// Native XDP by a link, as modern agents attach it.
    pub fn xdp_link(name: &'static str, interface: &str) -> Self {
        Self::linked(name, PROG_TYPE_XDP, XDP_PASS, interface, BPF_XDP)
    }

    /// tcx ingress by a link.
    pub fn tcx(name: &'static str, interface: &str) -> Self {
        Self::linked(name, PROG_TYPE_SCHED_CLS, TCX_NEXT, interface, BPF_TCX_INGRESS)
    }

    /// A filter in the clsact qdisc, as `tc` adds it.
    pub fn filter(name: &'static str, interface: &str) -> Self {
        Self::pinned(name, PROG_TYPE_SCHED_CLS, TCX_NEXT, |pin| {
            run("tc", &["qdisc", "add", "dev", interface, "clsact"])?;
            run("tc", &["filter", "add", "dev", interface, "ingress", "bpf", "direct-action", "object-pinned", pin])?;
            Ok(Held::Interface)
        })
    }

    fn pinned(name: &'static str, kind: u32, returns: i32, attach: impl FnOnce(&str) -> Result<Held, String>) -> Self {
        let program = load(kind, name, returns);
        let pin = pin(&program);
        let id = id(&program);
        let held = attach(&pin.display().to_string()).unwrap_or_else(|e| {
            let _ = fs::remove_file(&pin);
            panic!("{e}");
        });
        Self { name, id, pin, held }
    }

    fn linked(name: &'static str, kind: u32, returns: i32, interface: &str, attach_type: u32) -> Self {
        let index = index_of(interface);
        Self::pinned(name, kind, returns, |pin| {
            let program = open_pin(pin);
            let mut attr = [program.as_raw_fd() as u32, index, attach_type, 0, 0, 0, 0, 0];
            Ok(Held::Link(bpf_fd(28, &mut attr)))
        })
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// What Weir calls it.
    pub fn called(&self) -> String {
        format!("{} (id {})", self.name, self.id)
    }

    /// Whether it is on its hook, as the kernel tells it.
    pub fn is_on(&self, interface: &str) -> bool {
        xdp_ids(interface).contains(&self.id)
            || tcx_ids(interface).contains(&self.id)
            || filter_ids(interface).contains(&self.id)
    }
}

/// XDP programs of an interface, as `ip` shows them.
pub fn xdp_ids(interface: &str) -> Vec<u32> {
    let shown = run("ip", &["-details", "link", "show", "dev", interface]).expect("ip works");
    let programs = shown.split("prog/xdp").skip(1);
    programs.filter_map(|text| super::system::field(text, "id")).collect()
}

/// BPF filters of an interface, as `tc` shows them.
pub fn filter_ids(interface: &str) -> Vec<u32> {
    let shown = run("tc", &["filter", "show", "dev", interface, "ingress"]).expect("tc works");
    shown.lines().filter_map(|line| super::system::field(line, "id")).collect()
}

/// tcx programs of an interface in their order; none on kernels without tcx. Debian's tools are too old to show them.
pub fn tcx_ids(interface: &str) -> Vec<u32> {
    query_tcx(index_of(interface)).unwrap_or_else(|error| {
        let known = [Some(libc::ENOENT), Some(libc::EINVAL)].contains(&error.raw_os_error());
        assert!(known, "asking for tcx programs: {error}");
        Vec::new()
    })
}

/// Whether the kernel has tcx; says so where it has not.
pub fn tcx_or_skip(test: &str) -> bool {
    let has = has_tcx();
    if !has {
        super::skip(test, "this kernel has no tcx (6.6 and later have it)");
    }
    has
}

/// Whether the kernel has tcx: connections are learned there.
pub fn has_tcx() -> bool {
    const LOOPBACK: u32 = 1;
    !query_tcx(LOOPBACK).is_err_and(|e| e.raw_os_error() == Some(libc::EINVAL))
}

/// The pins that an attached interface has.
pub fn pins_of(interface: &str, ending: &str) -> Vec<String> {
    // The one that sends back is for what XDP answers.
    let beside = if ending == "tcx" { &["out"][..] } else { &["back", "out"] };
    let beside = beside.iter().filter(|_| has_tcx()).map(|one| format!("{interface}-{one}"));
    beside.chain([format!("{interface}-{ending}")]).collect()
}

fn query_tcx(ifindex: u32) -> io::Result<Vec<u32>> {
    let mut ids = [0u32; 64];
    // Target, attach type, two words of flags, the ids' place and count; nothing else is asked for.
    let mut attr = [u64::from(ifindex) | u64::from(BPF_TCX_INGRESS) << 32, 0, ids.as_mut_ptr() as u64, 64, 0, 0, 0, 0];
    // SAFETY: a live, initialised array laid out as `BPF_PROG_QUERY` wants it, pointing to a live array of 64 ids.
    let ret = unsafe { libc::syscall(libc::SYS_bpf, 16, attr.as_mut_ptr(), size_of_val(&attr)) };
    if ret < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(ids[..attr[3] as u32 as usize].to_vec())
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.pin);
    }
}

fn index_of(interface: &str) -> u32 {
    let name = std::ffi::CString::new(interface).expect("a name without zeros");
    // SAFETY: a valid C string.
    unsafe { libc::if_nametoindex(name.as_ptr()) }
}

fn bpf<T>(command: i64, attr: &mut T) -> i64 {
    // SAFETY: a live, initialised structure of the given length, laid out for the command; pointers in it are to live memory.
    let ret = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attr), size_of::<T>()) };
    assert!(ret >= 0, "bpf({command}): {}", io::Error::last_os_error());
    ret
}

fn bpf_fd<T>(command: i64, attr: &mut T) -> OwnedFd {
    let fd = bpf(command, attr);
    // SAFETY: a fresh descriptor that nothing else owns.
    unsafe { OwnedFd::from_raw_fd(fd as i32) }
}

/// Loads `r0 = returns; exit`.
fn load(kind: u32, name: &str, returns: i32) -> OwnedFd {
    #[repr(C)]
    struct Load {
        kind: u32,
        count: u32,
        code: u64,
        license: u64,
        log: [u64; 2],
        version: u32,
        flags: u32,
        name: [u8; 16],
        ifindex: u32,
        expected_attach_type: u32,
    }
    let code: [u64; 2] = [(returns as u32 as u64) << 32 | 0xb7, 0x95];
    let mut text = [0; 16];
    text[..name.len()].copy_from_slice(name.as_bytes());
    let mut attr = Load {
        kind,
        count: 2,
        code: code.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
        log: [0; 2],
        version: 0,
        flags: 0,
        name: text,
        ifindex: 0,
        expected_attach_type: if kind == PROG_TYPE_XDP { BPF_XDP } else { 0 },
    };
    bpf_fd(5, &mut attr)
}

fn pin(program: &OwnedFd) -> PathBuf {
    let path = PathBuf::from(BPFFS).join(format!("weir-test-{}-their-own", random_suffix()));
    let name = std::ffi::CString::new(path.display().to_string()).expect("a path without zeros");
    bpf(6, &mut [name.as_ptr() as u64, program.as_raw_fd() as u64]);
    path
}

/// Opens a pinned object, as any process with the rights may.
pub fn open_pin(pin: &str) -> OwnedFd {
    let name = std::ffi::CString::new(pin).expect("a path without zeros");
    bpf_fd(7, &mut [name.as_ptr() as u64, 0])
}

fn id(program: &OwnedFd) -> u32 {
    let mut info = [0u32; 2];
    let mut attr = [program.as_raw_fd() as u64 | (size_of_val(&info) as u64) << 32, info.as_mut_ptr() as u64];
    bpf(15, &mut attr);
    info[1]
}
