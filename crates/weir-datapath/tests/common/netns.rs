//! Network namespaces that go with their guard, also when a test panics.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::process::Command;
use std::thread;

use super::random_suffix;

/// A named network namespace.
pub struct Netns {
    name: String,
}

impl Netns {
    /// Makes one; the tag tells those of a test apart.
    pub fn new(tag: &str) -> Result<Self, String> {
        let name = format!("weirt-{}-{tag}", random_suffix());
        ip(&["netns", "add", &name])?;
        Ok(Self { name })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs code in it, on a thread of its own. Processes started there live in it, too.
    pub fn run<T: Send>(&self, code: impl FnOnce() -> T + Send) -> T {
        let test = super::test_name();
        thread::scope(|scope| {
            let inside = move || {
                enter(&self.name);
                code()
            };
            let handle = thread::Builder::new().name(test).spawn_scoped(scope, inside).expect("a thread starts");
            handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Runs an `ip` command in it.
    pub fn ip(&self, words: &str) -> Result<String, String> {
        let args: Vec<&str> = ["-n", &self.name].into_iter().chain(words.split_whitespace()).collect();
        ip(&args)
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        if let Err(e) = ip(&["netns", "del", &self.name]) {
            eprintln!("namespace {} stays behind: {e}", self.name);
        }
    }
}

/// Moves the calling thread into a namespace, for good.
fn enter(name: &str) {
    let file = File::open(format!("/run/netns/{name}")).expect("the namespace has a name");
    // SAFETY: a live descriptor and a plain number; only this thread is moved.
    let ret = unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) };
    assert_eq!(ret, 0, "setns: {}", std::io::Error::last_os_error());
}

fn ip(args: &[&str]) -> Result<String, String> {
    run("ip", args)
}

/// Runs a command to its end; what it prints, or what went wrong.
pub fn run(program: &str, args: &[&str]) -> Result<String, String> {
    let said = |what: String| format!("{program} {}: {what}", args.join(" "));
    let output = Command::new(program).args(args).output().map_err(|e| said(e.to_string()))?;
    if !output.status.success() {
        return Err(said(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
