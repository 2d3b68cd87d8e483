//! What the running kernel and this process's rights offer.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::sh;
use crate::tools;

/// The oldest kernel that takes the XDP program: with it came frames of several buffers (`BPF_F_XDP_HAS_FRAGS`).
pub const FLOOR: (u32, u32) = (5, 18);
/// tcx; on older kernels only interfaces with native XDP, or with generic XDP where asked for, can be protected.
const TCX: (u32, u32) = (6, 6);

/// The capabilities that loading, attaching and reading back take, with their numbers in `linux/capability.h`.
const AGENT_CAPABILITIES: [(&str, u32); 3] = [("CAP_BPF", 39), ("CAP_NET_ADMIN", 12), ("CAP_PERFMON", 38)];
/// What the lab takes beside them, for its namespaces and mounts.
const LAB_CAPABILITIES: [(&str, u32); 1] = [("CAP_SYS_ADMIN", 21)];

/// A fact about the kernel: what was found, or what is wrong.
pub type Fact = Result<String, String>;

/// The release is recent enough.
pub fn version() -> Fact {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").map_err(|error| error.to_string())?;
    judge_version(release.trim())
}

fn judge_version(release: &str) -> Fact {
    match parse_version(release) {
        Some(version) if version < FLOOR => Err(format!("{release} is older than {}.{}", FLOOR.0, FLOOR.1)),
        Some(version) if version < TCX => Ok(format!("{release} (no tcx: an interface needs native XDP)")),
        Some(_) => Ok(format!("{release} (tcx)")),
        None => Err(format!("cannot read the version {release:?}")),
    }
}

fn parse_version(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// The kernel tells its types, which the loader and the verifier's messages need.
pub fn btf() -> Fact {
    let path = "/sys/kernel/btf/vmlinux";
    if Path::new(path).exists() { Ok(path.to_owned()) } else { Err("built without CONFIG_DEBUG_INFO_BTF".to_owned()) }
}

/// A file system that must be mounted.
pub fn mount(kind: &str, place: &str) -> Fact {
    if sh::mounted(Path::new(place), kind) { Ok(place.to_owned()) } else { Err(format!("not mounted at {place}")) }
}

/// The rights that the privileged tests run with.
pub fn capabilities() -> Fact {
    let effective = sh::status_field("CapEff:").and_then(|hex| u64::from_str_radix(&hex, 16).ok());
    let effective = effective.ok_or("cannot read /proc/self/status")?;
    let wanted = AGENT_CAPABILITIES.iter().chain(&LAB_CAPABILITIES);
    let missing = wanted.filter(|(_, bit)| effective >> bit & 1 == 0).map(|(name, _)| *name).collect::<Vec<_>>();
    match (missing.is_empty(), sh::which("sudo")) {
        (true, _) => Ok("BPF, NET_ADMIN, PERFMON, SYS_ADMIN".to_owned()),
        (false, Some(_)) if !sh::is_root() => Ok("by sudo".to_owned()),
        (false, _) => Err(format!("lacks {}", missing.join(", "))),
    }
}

/// A native XDP program can be put on a veth: tried with one of xdp-filter's, in namespaces that end with the trial (`ip`
/// leaves directories in the bpffs that it finds; without one it mounts its own).
pub fn veth_xdp() -> Fact {
    let object = tools::library(tools::XDP_OBJECT).ok_or("cannot be tried without xdp-tools")?;
    let script = "umount /sys/fs/bpf 2>/dev/null; ip link add weird0 type veth peer name weird1 && \
                  ip link set dev weird0 xdpdrv object \"$1\" section xdp && ip -o link show dev weird0";
    let mut trial = sh::as_root("unshare");
    trial.args(["--net", "--mount", "sh", "-c", script, "trial"]).arg(object);
    match sh::output(&mut trial) {
        Ok(shown) if shown.contains(" xdp ") => Ok("native".to_owned()),
        Ok(_) => Err("the program was accepted but is not attached".to_owned()),
        Err(error) => Err(error.to_string().lines().last().unwrap_or_default().to_owned()),
    }
}

/// The C compiler that Rust links with. (This program was linked by one; it may be another machine's.)
pub fn c_compiler() -> Fact {
    let version = sh::output(Command::new("cc").arg("--version")).map_err(|error| format!("{error:#}"))?;
    Ok(version.lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_judged_by_number() {
        assert_eq!(judge_version("6.18.44-cloud").unwrap(), "6.18.44-cloud (tcx)");
        assert_eq!(judge_version("6.1.0-13-amd64").unwrap(), "6.1.0-13-amd64 (no tcx: an interface needs native XDP)");
        assert_eq!(judge_version("5.10.0").unwrap_err(), "5.10.0 is older than 5.18");
        assert!(judge_version("5.15").is_err());
        assert!(judge_version("5.18").is_ok());
        assert!(judge_version("linux").is_err());
    }
}
