//! What the kernel, `tc` and the filesystem show of the machine, before and after.

use std::collections::BTreeSet;
use std::fs;

use super::netns::{Netns, run};
use super::wait;

/// The ids of all programs, maps and links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objects(BTreeSet<(&'static str, u32)>);

/// What they are called here, what /proc calls their ids, and the command that tells the next id (`enum bpf_cmd`, include/uapi/linux/bpf.h).
const KINDS: [(&str, &str, libc::c_long); 3] =
    [("prog", "prog_id:", 11), ("map", "map_id:", 12), ("link", "link_id:", 31)];

/// The ids of a kind. Not asked of `bpftool`, which opens every object: a table of programs that is opened and closed again while
/// the kernel empties it, because its last user has gone, is never freed (6.18: `prog_array_map_clear` takes a reference for work that is
/// queued already).
fn ids(command: libc::c_long) -> Vec<u32> {
    /// The part of `union bpf_attr` that these commands read and write.
    #[repr(C)]
    struct NextId {
        start_id: u32,
        next_id: u32,
        open_flags: u32,
    }
    let mut all = Vec::new();
    let mut attr = NextId { start_id: 0, next_id: 0, open_flags: 0 };
    // SAFETY: the attribute is as long as is said, and the kernel writes nothing but its second field.
    while unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut attr, size_of::<NextId>()) } == 0 {
        all.push(attr.next_id);
        attr.start_id = attr.next_id;
    }
    all
}

impl Objects {
    /// Lists them.
    pub fn now() -> Self {
        let mut all = BTreeSet::new();
        for (kind, _, command) in KINDS {
            all.extend(ids(command).into_iter().map(|id| (kind, id)));
        }
        Self(all)
    }

    /// Waits until nothing is there that was not before, apart from what other processes of the machine hold.
    pub fn come_back(&self) {
        let mut left = BTreeSet::new();
        let start = std::time::Instant::now();
        loop {
            let others = held_by_others();
            left.clear();
            left.extend(Self::now().0.difference(&self.0).copied().filter(|object| !others.contains(object)));
            if left.is_empty() {
                return;
            }
            assert!(start.elapsed() < wait::LONG, "left behind: {left:?}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// Whether an object is there.
    pub fn has(&self, kind: &'static str, id: u32) -> bool {
        self.0.contains(&(kind, id))
    }
}

/// What other processes have open. Tests of other packages may run at the same time.
fn held_by_others() -> BTreeSet<(&'static str, u32)> {
    let mut held = BTreeSet::new();
    let own = std::process::id();
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    for pid in pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).filter(|pid| *pid != own) {
        for fd in fs::read_dir(format!("/proc/{pid}/fdinfo")).into_iter().flatten().flatten() {
            let text = fs::read_to_string(fd.path()).unwrap_or_default();
            for line in text.lines() {
                for (kind, label, _) in KINDS {
                    held.extend(line.strip_prefix(label).and_then(|id| id.trim().parse().ok()).map(|id| (kind, id)));
                }
            }
        }
    }
    held
}

/// The value of a field in what `bpftool` shows of one object, `prog_id 17`.
pub fn field(shown: &str, name: &str) -> Option<u32> {
    let mut words = shown.split_whitespace();
    words.find(|word| *word == name)?;
    words.next()?.parse().ok()
}

/// Programs on the interfaces of a namespace as `ip` and `tc` show them.
pub fn hooks(netns: &Netns) -> String {
    let mut shown = netns.ip("-details link show").expect("ip works");
    netns.run(|| {
        shown += &run("tc", &["qdisc", "show"]).expect("tc works");
        for interface in fs::read_dir("/proc/sys/net/ipv4/conf").into_iter().flatten().flatten() {
            let name = interface.file_name().into_string().unwrap_or_default();
            for direction in ["ingress", "egress"] {
                shown += &run("tc", &["filter", "show", "dev", &name, direction]).unwrap_or_default();
            }
        }
        shown += &run("bpftool", &["net", "show"]).expect("bpftool works");
        shown
    })
}
