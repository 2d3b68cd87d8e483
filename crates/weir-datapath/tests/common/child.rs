//! An agent in a process of its own: the test binary starts itself again, with a role in the environment.
//!
//! A child does what its role says, tells the parent line by line, and then waits for its end: a signal, or the parent's.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

const ROLE: &str = "WEIR_TEST_ROLE";
/// What tells the child's own lines from those of the test harness.
const MARK: &str = "child says ";
/// How long a child may take to say its next line. It loads programs first: where the machine is emulated, the verifier takes half a
/// minute for each of the large ones.
const PATIENCE: Duration = Duration::from_secs(240);

/// The role of this process; none: it is the test itself.
pub fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// Tells the parent.
pub fn tell(line: &str) {
    println!("\n{MARK}{line}");
    let _ = std::io::stdout().flush();
}

/// Waits for the parent to end this process or itself.
pub fn wait_for_the_end() -> ! {
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    std::process::exit(0);
}

/// A running child. It is killed when this goes.
pub struct Child {
    process: std::process::Child,
    lines: Receiver<String>,
}

impl Child {
    /// Starts this test again in a role, in the network namespace of the calling thread.
    pub fn start(test: &str, role: &str, env: &[(&str, &OsStr)]) -> Self {
        Self::start_by(Command::new(this_binary()), test, role, env)
    }

    /// The same by another command that gets the test binary's arguments at its end.
    pub fn start_by(mut command: Command, test: &str, role: &str, env: &[(&str, &OsStr)]) -> Self {
        command.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(ROLE, role);
        command.envs(env.iter().copied()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("the child starts");
        let out = process.stdout.take().expect("its output is piped");
        let (send, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if let Some(said) = line.strip_prefix(MARK) {
                    // Nobody listens any more when the test is over.
                    let _ = send.send(said.to_owned());
                }
            }
        });
        Self { process, lines }
    }

    /// The next line that it says.
    pub fn hear(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("the child says something")
    }

    /// Waits until it has said this.
    pub fn expect(&self, line: &str) {
        assert_eq!(self.hear(), line);
    }

    /// Kills it as `kill -9` does.
    pub fn kill(mut self) {
        self.process.kill().expect("it is ours");
        let _ = self.process.wait();
    }

    /// Lets it end by itself.
    pub fn finish(mut self) -> ExitStatus {
        drop(self.process.stdin.take());
        self.process.wait().expect("it ends")
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The running test binary.
pub fn this_binary() -> std::path::PathBuf {
    std::env::current_exe().expect("this program has a path")
}
