//! What the lab's tests share: when to skip, waiting for conditions, a lab in a process of its own.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use weir_lab::name::LabId;
use weir_lab::netns::Netns;
use weir_lab::run::{Audience, Moment};
use weir_lab::weir;

const PATIENCE: Duration = Duration::from_secs(20);

/// Says so and returns true when this machine cannot run lab tests.
pub fn skip(test: &str) -> bool {
    let Some(reason) = why_not() else { return false };
    eprintln!("SKIPPED: {test}: {reason}");
    true
}

/// Nobody watches.
pub struct Nobody;

impl Audience for Nobody {
    fn act(&mut self, _: u32, _: &str) {}
    fn note(&mut self, _: &str) {}
    fn moment(&mut self, _: &Moment) {}
}

/// The same where Weir's own program is needed.
pub fn skip_without_weir(test: &str) -> bool {
    if skip(test) {
        return true;
    }
    match weir::find() {
        Ok(_) => false,
        Err(error) => {
            eprintln!("SKIPPED: {test}: {error}");
            true
        }
    }
}

fn why_not() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("needs root".to_owned());
    }
    for (tool, package) in weir_lab::tool::TOOLS {
        let found = Command::new("sh").args(["-c", &format!("command -v {tool}")]).stdout(Stdio::null()).status();
        if !found.is_ok_and(|status| status.success()) {
            return Some(format!("{tool} is missing (package {package})"));
        }
    }
    let probe = Netns::named(format!("wl-probe-{}", std::process::id()));
    if let Err(error) = probe.create().and_then(|()| probe.remove()) {
        return Some(format!("no network namespaces: {error:#}"));
    }
    None
}

/// Waits until a condition holds.
pub fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The namespaces of a lab that exist.
pub fn namespaces_of(id: &LabId) -> Vec<String> {
    let mut names: Vec<_> =
        Netns::with_prefix(&id.name("")).expect("a list").iter().map(|ns| ns.name().to_owned()).collect();
    names.sort();
    names
}

/// `weir-lab up` in a process of its own.
pub struct Hold {
    /// The process.
    pub child: Child,
    /// Its lab.
    pub id: LabId,
}

impl Hold {
    /// Starts it and waits until its lab is open.
    pub fn open() -> Hold {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir-lab"));
        let mut child = command.arg("up").stdout(Stdio::piped()).spawn().expect("it starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        let id = line.split_whitespace().nth(1).unwrap_or_default().parse();
        Hold { child, id: id.unwrap_or_else(|error| panic!("{error}: `{line}`")) }
    }
}
