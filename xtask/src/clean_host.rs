//! `clean-host`: removes what crashed runs left on this machine, and says what it removed.

use std::fs;
use std::path::Path;

use anyhow::{Result, bail};

use crate::lab;
use crate::project::Project;
use crate::sh::{self, say, tell};

const BPFFS: &str = "/sys/fs/bpf";
/// Where `ip netns` keeps the named ones; an unnamed one ends with its last process.
const NAMESPACES: &str = "/run/netns";
const LINKS: &str = "/sys/class/net";
/// The agent's processes, by the kernel's name for them.
const AGENTS: [&str; 2] = ["weir", "weir-agent"];

/// Removes the lab's namespaces and links and every pin of Weir's.
pub fn run(project: &Project, force: bool) -> Result<bool> {
    let agents = running_agents();
    if !agents.is_empty() && !force {
        bail!(
            "a Weir agent runs here (process {}): what it pinned is not left over; stop it, or use --force",
            agents.join(", ")
        );
    }
    let mut removed = 0;
    // The lab tells a crashed run from one that goes on. By their names alone all are removed.
    if !lab::clean(project)? || force {
        removed += remove_by_name()?;
    }
    for name in names_in(Path::new(BPFFS)) {
        let path = Path::new(BPFFS).join(name);
        sh::run(sh::as_root("rm").arg("-rf").arg(&path))?;
        removed += told("pinned objects", &path.display().to_string());
    }
    if removed == 0 {
        say("nothing was left here");
    }
    Ok(true)
}

fn remove_by_name() -> Result<usize> {
    let mut removed = 0;
    for name in names_in(Path::new(NAMESPACES)) {
        sh::run(sh::as_root("ip").args(["netns", "delete", &name]))?;
        removed += told("namespace", &name);
    }
    for name in names_in(Path::new(LINKS)) {
        // The other end of a veth pair went with the first.
        if Path::new(LINKS).join(&name).exists() {
            sh::run(sh::as_root("ip").args(["link", "delete", "dev", &name]))?;
            removed += told("link", &name);
        }
    }
    Ok(removed)
}

fn told(what: &str, name: &str) -> usize {
    tell(format!("removed {what} {name}"));
    1
}

/// Weir's own names: `weir…`, and the lab's `wl<id>-…` with an id of five letters and digits.
fn is_ours(name: &str) -> bool {
    let id = name.strip_prefix("wl").and_then(|rest| rest.split_once('-')).map(|(id, _)| id);
    let of_lab = id.is_some_and(|id| id.len() == 5 && id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()));
    of_lab || name.starts_with("weir")
}

fn names_in(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect::<Vec<_>>();
    names.retain(|name| is_ours(name));
    names.sort();
    names
}

fn running_agents() -> Vec<String> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let is_agent = |path: &Path| {
        let comm = fs::read_to_string(path.join("comm")).unwrap_or_default();
        AGENTS.contains(&comm.trim())
    };
    let agents = processes.filter(|entry| is_agent(&entry.path()));
    agents.filter_map(|entry| entry.file_name().into_string().ok()).filter(|pid| pid.parse::<u32>().is_ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_names_are_ours() {
        for ours in ["weir", "weir-lab-1", "wlab3de-node", "wlz9y8x-rt0"] {
            assert!(is_ours(ours), "{ours}");
        }
        for foreign in ["wlan0", "wl-x", "wlp3s0", "wlan0-mon", "eth0", "lo", "wlab3de"] {
            assert!(!is_ours(foreign), "{foreign}");
        }
    }
}
