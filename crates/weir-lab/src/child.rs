//! Programs that run inside the lab: a web server, Weir itself. They die with the lab, whatever happens to it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

use crate::cpu;
use crate::netns::Netns;
use crate::tool;

const PATIENCE: Duration = Duration::from_secs(5);
const LAST_LINES: usize = 12;

/// A running program. Dropping it ends it.
pub struct Program {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts a program in a namespace, on the node's cores, its output going to a log file.
    ///
    /// The thread that calls this must live as long as the program is to: the kernel ends the program when that thread ends
    /// (`setpriv --pdeathsig`), which is what makes it die even with a killed lab. `nsenter` and not `ip netns exec`: that
    /// would hide mounts below /sys.
    pub fn start(ns: &Netns, program: &Path, arguments: &[&str], log: &Path) -> Result<Program> {
        let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
        let out = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", "nsenter"])
            .arg(format!("--net={}", ns.path().display()))
            .args(["--", "taskset", "--cpu-list", &cpu::cores()?.node_list()])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()
            .map_err(|error| tool::explain("setpriv", error))?;
        Ok(Program { name, child, log: log.to_owned() })
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| format!("cannot ask for {}", self.name))
    }

    /// Waits until `ready` says so; an error with the program's last words when it ends or the time is over.
    pub fn wait_until(&mut self, patience: Duration, mut ready: impl FnMut() -> bool) -> Result<()> {
        let deadline = Instant::now() + patience;
        loop {
            if ready() {
                return Ok(());
            }
            if let Some(status) = self.ended()? {
                anyhow::bail!("{} ended at once ({status}); it said:\n{}", self.name, self.last_words());
            }
            if Instant::now() > deadline {
                anyhow::bail!("{} is not ready after {patience:?}; it said:\n{}", self.name, self.last_words());
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for its end; an error when that takes too long.
    pub fn wait(&mut self, patience: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                anyhow::bail!("{} has not ended after {patience:?}; it said:\n{}", self.name, self.last_words());
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends it without a warning, as a crash would.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill().with_context(|| format!("cannot kill {}", self.name))?;
        self.child.wait().with_context(|| format!("cannot wait for {}", self.name)).map(|_| ())
    }

    /// The end of its log.
    pub fn last_words(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
    }

    /// Asks it to end, and waits; kills it when it takes too long.
    pub fn stop(mut self) -> Result<ExitStatus> {
        self.end()
    }

    fn end(&mut self) -> Result<ExitStatus> {
        if let Some(status) = self.ended()? {
            return Ok(status);
        }
        // The process has not been waited for: its number cannot have passed to another.
        kill_process(Pid::from_child(&self.child), Signal::TERM)
            .with_context(|| format!("cannot stop {}", self.name))?;
        if let Ok(status) = self.wait(PATIENCE) {
            return Ok(status);
        }
        self.child.kill().with_context(|| format!("cannot kill {}", self.name))?;
        self.child.wait().with_context(|| format!("cannot wait for {}", self.name))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            eprintln!("warning: {error:#}");
        }
    }
}
