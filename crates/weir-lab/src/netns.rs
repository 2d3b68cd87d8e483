//! Network namespaces: making and removing them by name, and running code in one.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result, anyhow};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::tool;

const HOME: &str = "/run/netns";

/// A named network namespace, as `ip netns` makes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Netns(String);

impl Netns {
    /// Names one; it need not exist.
    pub fn named(name: impl Into<String>) -> Netns {
        Netns(name.into())
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// The file that stands for it.
    pub fn path(&self) -> PathBuf {
        Path::new(HOME).join(&self.0)
    }

    /// Makes it.
    pub fn create(&self) -> Result<()> {
        tool::run("ip", &["netns", "add", &self.0]).map(|_| ())
    }

    /// Removes the name, and with it the namespace once its last process is gone. Nothing happens when there is none.
    pub fn remove(&self) -> Result<()> {
        if !self.path().exists() {
            return Ok(());
        }
        tool::run("ip", &["netns", "del", &self.0]).map(|_| ())
    }

    /// Processes that live in it.
    pub fn processes(&self) -> Result<Vec<i32>> {
        let pids = tool::run("ip", &["netns", "pids", &self.0])?;
        Ok(pids.split_whitespace().filter_map(|pid| pid.parse().ok()).collect())
    }

    /// Runs `ip` commands in it, one a line.
    pub fn ip(&self, lines: &str) -> Result<()> {
        tool::feed("ip", &["-n", &self.0, "-batch", "-"], lines).with_context(|| format!("commands were:\n{lines}"))?;
        Ok(())
    }

    /// Runs a closure in a thread that is in this namespace, and waits for it. The thread is never reused.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        thread::scope(|scope| {
            let inside = scope.spawn(|| {
                self.enter()?;
                work()
            });
            inside.join().map_err(|_| anyhow!("a thread in namespace {} panicked", self.0))?
        })
    }

    /// Moves the calling thread in, for good. Only for threads made for the purpose.
    pub fn enter(&self) -> Result<()> {
        let file = File::open(self.path()).with_context(|| format!("no namespace {}", self.0))?;
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
            .with_context(|| format!("cannot enter namespace {}", self.0))
    }

    /// Sets network settings, as paths below /proc/sys/net and their values.
    pub fn sysctl(&self, settings: &[(&str, &str)]) -> Result<()> {
        self.within(|| {
            settings.iter().try_for_each(|(name, value)| {
                // /proc/sys/net shows the namespace of whoever looks.
                fs::write(Path::new("/proc/sys/net").join(name), value)
                    .with_context(|| format!("cannot set net/{name}"))
            })
        })
    }

    /// All whose name starts with `prefix`.
    pub fn with_prefix(prefix: &str) -> Result<Vec<Netns>> {
        let entries = match fs::read_dir(HOME) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error).context(HOME),
        };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        Ok(names.filter(|name| name.starts_with(prefix)).map(Netns).collect())
    }
}
