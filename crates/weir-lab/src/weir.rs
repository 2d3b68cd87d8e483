//! Weir on the lab's node, as anybody would run it: `weir run` on the uplink with a directory of policy, asked by its own
//! command line.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::mount::{MountFlags, mount};
use rustix::param::clock_ticks_per_second;
use serde::Deserialize;
use weir_api::local::IncidentRow;

use crate::child::Program;
use crate::clean::PINS;
use crate::lab::Lab;
use crate::plan::UPLINK;
use crate::scenario::Policy;
use crate::tool;

/// Below the lab's directory.
const STATE: &str = "state";
const POLICY: &str = "policy";
const READY_IN: Duration = Duration::from_secs(30);
/// The agent reads the kernel's counters once a second: what has not moved for longer stands still.
const STILL: Duration = Duration::from_millis(1500);
const SETTLED_IN: Duration = Duration::from_secs(15);

/// A running Weir.
pub struct Weir {
    program: Program,
    learn: Option<Duration>,
    binary: PathBuf,
    socket: PathBuf,
    pins: PathBuf,
}

/// A Weir whose agent is dead while its programs go on in the kernel.
pub struct Killed {
    learn: Option<Duration>,
    binary: PathBuf,
    socket: PathBuf,
    pins: PathBuf,
}

impl Killed {
    /// Starts the agent again; it finds the pins.
    pub fn restart(self, lab: &Lab) -> Result<Weir> {
        let Killed { learn, binary, socket, pins } = self;
        let program = launch(lab, &binary, &socket, &lab.dir().join(POLICY), &pins, learn)?;
        let mut weir = Weir { program, learn, binary, socket, pins };
        weir.wait_until_ready()?;
        Ok(weir)
    }
}

fn launch(
    lab: &Lab,
    binary: &Path,
    socket: &Path,
    policy: &Path,
    pins: &Path,
    learn: Option<Duration>,
) -> Result<Program> {
    let word = |path: &Path| path.display().to_string();
    let (policy, socket, pins, state) =
        (word(policy), word(socket), word(&pins.join("weir")), word(&lab.dir().join(STATE)));
    let files = ["-f", &policy, "--socket", &socket, "--pin-dir", &pins, "--state-dir", &state];
    let arguments: Vec<&str> = ["run", "-i", UPLINK, "--mode", "enforce"].into_iter().chain(files).collect();
    let learn = learn.map(|time| format!("{}s", time.as_secs()));
    let arguments: Vec<&str> =
        arguments.into_iter().chain(learn.iter().flat_map(|time| ["--learn", time.as_str()])).collect();
    Program::start(&lab.layout().node, binary, &arguments, &lab.dir().join("weir.log"))
}

/// One line of `weir counters -o json`; what else stands there is not needed here.
#[derive(Debug, Clone, Deserialize)]
pub struct Counter {
    /// The reason's word.
    pub reason: String,
    /// `pass`, `drop` or `would_drop`.
    pub verdict: String,
    /// Packets.
    pub packets: u64,
    /// The reason in a sentence.
    #[serde(default)]
    pub text: String,
}

/// What Weir's user space used.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// Seconds on a core since its start.
    pub cpu_seconds: f64,
    /// Memory now.
    pub rss_mib: f64,
}

/// Finds the program `weir`: the variable WEIR_BIN, or beside this one.
pub fn find() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("WEIR_BIN") {
        return Ok(path.into());
    }
    let own = std::env::current_exe().context("where is this program?")?;
    // Tests and examples stand one directory deeper.
    let places = own.ancestors().skip(1).take(2).map(|dir| dir.join("weir"));
    match places.into_iter().find(|path| path.is_file()) {
        Some(path) => Ok(path),
        None => bail!(
            "there is no `weir` beside {}; build it (`cargo build -p weir-cli`) or name it in WEIR_BIN",
            own.display()
        ),
    }
}

impl Weir {
    /// Starts Weir with a policy, enforcing, and waits until it is ready.
    pub fn start(lab: &Lab, policy: &Policy) -> Result<Weir> {
        Weir::start_and_learn(lab, policy, None)
    }

    /// The same; `learn` is how long rates are learned before they can be called unusual.
    pub fn start_and_learn(lab: &Lab, policy: &Policy, learn: Option<Duration>) -> Result<Weir> {
        let binary = find()?;
        let files = lab.dir().join(POLICY);
        fs::create_dir_all(&files)?;
        for (name, text) in &policy.files {
            fs::write(files.join(name), text)?;
        }
        let pins = lab.dir().join(PINS);
        if !pins.exists() {
            fs::create_dir(&pins)?;
            // A file system of the run's own: what Weir pins goes with it, however the run ends.
            mount("weir-lab", &pins, "bpf", MountFlags::empty(), None)
                .context("cannot mount a bpffs for Weir's pins")?;
        }
        let socket = lab.dir().join("weir.sock");
        let program = launch(lab, &binary, &socket, &files, &pins, learn)?;
        let mut weir = Weir { program, learn, binary, socket, pins };
        weir.wait_until_ready()?;
        Ok(weir)
    }

    /// Kills its process as a crash would, and returns what starts it again. The kernel goes on with what it has.
    pub fn kill(self) -> Result<Killed> {
        let Weir { program, learn, binary, socket, pins } = self;
        program.kill()?;
        Ok(Killed { learn, binary, socket, pins })
    }

    /// Removes it from the kernel; the agent must have ended.
    pub fn detach(lab: &Lab) -> Result<()> {
        let (binary, pins) = (find()?, lab.dir().join(PINS).join("weir"));
        let arguments = ["detach", "--pin-dir", &pins.display().to_string()];
        let mut program = Program::start(&lab.layout().node, &binary, &arguments, &lab.dir().join("detach.log"))?;
        let status = program.wait(READY_IN)?;
        if !status.success() {
            bail!("`weir detach` failed ({status}): {}", program.last_words());
        }
        Ok(())
    }

    /// Removes what it wrote down: the agent must have ended.
    pub fn forget(lab: &Lab) -> Result<()> {
        for dir in [STATE, POLICY] {
            let dir = lab.dir().join(dir);
            if dir.exists() {
                fs::remove_dir_all(&dir).with_context(|| format!("cannot remove {}", dir.display()))?;
            }
        }
        Ok(())
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let (binary, socket) = (self.binary.clone(), self.socket.clone());
        let ready = || {
            let status = ask(&binary, &socket, "status").ok();
            let status: Option<serde_json::Value> = status.and_then(|text| serde_json::from_str(&text).ok());
            status.is_some_and(|status| status["ready"] == true)
        };
        self.program.wait_until(READY_IN, ready).context("Weir")
    }

    /// Its counters, as they were up to a second ago.
    pub fn counters(&self) -> Result<Vec<Counter>> {
        let text = ask(&self.binary, &self.socket, "counters")?;
        serde_json::from_str(&text).context("what `weir counters` said")
    }

    /// Its counters once they stand still: the agent reads those of the kernel only now and then. For the time after a flood.
    pub fn settled_counters(&self) -> Result<Vec<Counter>> {
        let dropped =
            |rows: &[Counter]| rows.iter().filter(|row| row.verdict != "pass").map(|row| row.packets).sum::<u64>();
        let deadline = Instant::now() + SETTLED_IN;
        let mut rows = self.counters()?;
        let mut since = Instant::now();
        while since.elapsed() < STILL {
            thread::sleep(STILL / 10);
            let next = self.counters()?;
            if dropped(&next) != dropped(&rows) {
                since = Instant::now();
            }
            rows = next;
            if Instant::now() > deadline {
                bail!("Weir's counters go on although the flood is over");
            }
        }
        Ok(rows)
    }

    /// What it noticed.
    pub fn incidents(&self) -> Result<Vec<IncidentRow>> {
        let text = ask(&self.binary, &self.socket, "incidents")?;
        serde_json::from_str(&text).context("what `weir incidents` said")
    }

    /// Its use of core and memory.
    pub fn usage(&self) -> Result<Usage> {
        let proc = Path::new("/proc").join(self.program.pid().to_string());
        let stat = fs::read_to_string(proc.join("stat")).context("Weir is gone")?;
        let status = fs::read_to_string(proc.join("status")).context("Weir is gone")?;
        Ok(Usage {
            cpu_seconds: cpu_seconds(&stat).context("/proc/…/stat")?,
            rss_mib: rss_mib(&status).context("/proc/…/status")?,
        })
    }

    /// Asks it to end.
    pub fn stop(self) -> Result<()> {
        let status = self.program.stop()?;
        if !status.success() {
            bail!("Weir ended badly ({status})");
        }
        Ok(())
    }
}

fn ask(binary: &Path, socket: &Path, what: &str) -> Result<String> {
    tool::run(&binary.display().to_string(), &[what, "-o", "json", "--socket", &socket.display().to_string()])
}

/// Adds up counters by reason, one verdict only.
pub fn by_reason(counters: &[Counter], verdict: &str) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for counter in counters.iter().filter(|counter| counter.verdict == verdict && counter.packets > 0) {
        *sums.entry(counter.reason.clone()).or_default() += counter.packets;
    }
    sums
}

/// User and system time from /proc/…/stat. The name before it may hold anything but ends with the last parenthesis.
pub fn cpu_seconds(stat: &str) -> Option<f64> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some(ticks as f64 / clock_ticks_per_second() as f64)
}

fn rss_mib(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<f64>().ok()? / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_is_read() {
        let stat = "1234 (we (ir) x) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0";
        assert_eq!(cpu_seconds(stat), Some(300.0 / clock_ticks_per_second() as f64));
        assert_eq!(rss_mib("Name:\tweir\nVmRSS:\t   51200 kB\n"), Some(50.0));
        assert_eq!((cpu_seconds(""), rss_mib("")), (None, None));
    }

    #[test]
    fn counters_of_all_targets_add_up() {
        let said = r#"[{"target": 1, "target_name": "shop", "reason": "rule", "verdict": "drop", "packets": 2, "bytes": 9},
            {"target": 2, "reason": "rule", "verdict": "drop", "packets": 3, "bytes": 9},
            {"target": 2, "reason": "clean", "verdict": "pass", "packets": 5, "bytes": 9}]"#;
        let counters: Vec<Counter> = serde_json::from_str(said).expect("JSON");
        assert_eq!(by_reason(&counters, "drop"), BTreeMap::from([("rule".to_owned(), 5)]));
    }
}
