//! What each ring runs, and how.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;

use anyhow::{Context, Result};

use super::Ring;
use super::libtest::{Reader, Tally};
use crate::lab;
use crate::metadata::{self, Package};
use crate::project::Project;
use crate::sh::{self, say, tell};
use crate::vm;

/// Runs one ring. A ring that fails lets the others run.
pub fn run(project: &Project, ring: Ring) -> Result<Tally> {
    say(format!("ring {}", ring.name()));
    let packages = metadata::own(project.cargo())?.packages;
    match ring {
        Ring::Host => host(project, &packages),
        Ring::Kernel => privileged(project, ring, &packages),
        Ring::Lab => {
            // The lab starts the agent as a program of its own.
            if has_tests(&packages, ring) {
                lab::build(project, &packages)?;
            }
            privileged(project, ring, &packages)
        }
        Ring::Vm => match vm::lacking() {
            Some(why) => Ok(skipped(ring, &why)),
            None => {
                vm::prepare(project)?;
                privileged(project, ring, &packages)
            }
        },
        Ring::Kubernetes => Ok(not_yet(ring, "weir-kube and the cluster under test/cluster")),
        Ring::Console => Ok(not_yet(ring, "weir-console and web")),
    }
}

fn not_yet(ring: Ring, with: &str) -> Tally {
    say(format!("no code yet for the ring {} (arrives with {with})", ring.name()));
    Tally::default()
}

fn skipped(ring: Ring, why: &str) -> Tally {
    let mut reader = Reader::default();
    reader.stderr(&format!("SKIPPED: ring {}: {why}", ring.name()));
    reader.tally
}

/// The ring a test file belongs to, by its name.
fn ring_of(test: &str) -> Ring {
    match test.split_once('_') {
        Some(("kernel", _)) => Ring::Kernel,
        Some(("lab", _)) => Ring::Lab,
        Some(("vm", _)) => Ring::Vm,
        _ => Ring::Host,
    }
}

/// Whether a test file runs in a ring.
fn belongs(test: &str, ring: Ring) -> bool {
    ring_of(test) == ring || ring == Ring::Vm && vm::ALSO.contains(&test)
}

fn has_tests(packages: &[Package], ring: Ring) -> bool {
    packages.iter().any(|package| !selection(package, ring).is_empty())
}

/// The arguments that choose a package's tests of one ring, with the features that they ask for.
fn selection(package: &Package, ring: Ring) -> Vec<String> {
    let mut args = Vec::new();
    for test in package.tests().filter(|test| belongs(&test.name, ring)) {
        args.extend(["--test".to_owned(), test.name.clone()]);
        for feature in &test.required_features {
            args.extend(["--features".to_owned(), format!("{}/{feature}", package.name)]);
        }
    }
    args
}

/// Unit tests, unprivileged integration tests, and the examples in the documentation.
fn host(project: &Project, packages: &[Package]) -> Result<Tally> {
    let mut args = ["--workspace", "--lib", "--bins"].map(str::to_owned).to_vec();
    args.extend(packages.iter().flat_map(|package| selection(package, Ring::Host)));
    let mut tally = cargo_test(project, Ring::Host, &args, &[])?;
    // What does not build would only say so once more.
    if tally.ran() {
        tally.add(cargo_test(project, Ring::Host, &["--workspace", "--doc"].map(str::to_owned), &[])?);
    }
    Ok(tally)
}

/// Integration tests that need root's rights, one after the other: they share one kernel. Package by package, so that
/// the lab's features (its traffic sources) are not unified into what the others test; for release, since captures by the
/// hundred are replayed, and since what the lab measures is what ships.
fn privileged(project: &Project, ring: Ring, packages: &[Package]) -> Result<Tally> {
    if !has_tests(packages, ring) {
        say(format!("no tests in the ring {}", ring.name()));
    }
    let mut tally = Tally::default();
    for package in packages {
        let tests = selection(package, ring);
        if tests.is_empty() {
            continue;
        }
        let args = [vec!["--release".to_owned(), "--package".to_owned(), package.name.clone()], tests].concat();
        tally.add(cargo_test(project, ring, &args, &["--test-threads=1"])?);
    }
    Ok(tally)
}

/// One `cargo test`: built first, with cargo's progress on the terminal, then run with its output followed.
fn cargo_test(project: &Project, ring: Ring, args: &[String], harness: &[&str]) -> Result<Tally> {
    let command = || {
        let mut cargo = project.cargo();
        cargo.arg("test").args(args);
        match ring {
            Ring::Host => {}
            Ring::Vm => vm::run_in(&mut cargo),
            _ => run_as_root(&mut cargo),
        }
        lab::name_binaries(project, &mut cargo);
        cargo
    };
    let mut tally = Tally::default();
    // Documentation examples have no build of their own.
    if !args.iter().any(|arg| arg == "--doc") && !sh::succeeds(command().arg("--no-run"))? {
        tally.run_failed(format!("ring {}: the tests do not build", ring.name()));
        return Ok(tally);
    }
    let mut cargo = command();
    cargo.args(["--no-fail-fast", "--", "--show-output"]).args(harness);
    follow(&mut cargo, ring, show)
}

/// Makes cargo run the test binaries by sudo where this is not root already; the build stays the user's.
fn run_as_root(cargo: &mut Command) {
    if !sh::is_root() {
        let arch = std::env::consts::ARCH.to_uppercase();
        cargo.env(format!("CARGO_TARGET_{arch}_UNKNOWN_LINUX_GNU_RUNNER"), "sudo --preserve-env");
    }
}

enum Line {
    Out(String),
    Err(String),
}

fn show(line: &Line) {
    match line {
        Line::Out(line) => tell(line),
        Line::Err(line) => eprintln!("{line}"),
    }
}

/// Runs a command, shows its lines as they come, and sums up what they say.
fn follow(command: &mut Command, ring: Ring, show: fn(&Line)) -> Result<Tally> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().context("cannot start cargo test")?;
    let (sender, lines) = mpsc::channel();
    let (out, err) = (child.stdout.take().context("no stdout")?, child.stderr.take().context("no stderr")?);
    let readers = [forward(out, sender.clone(), Line::Out), forward(err, sender, Line::Err)];
    let mut reader = Reader::default();
    for line in lines {
        let worth_showing = match &line {
            Line::Out(line) => reader.stdout(line),
            Line::Err(line) => reader.stderr(line),
        };
        if worth_showing {
            show(&line);
        }
    }
    for thread in readers {
        let _ = thread.join();
    }
    let status = child.wait()?;
    let mut tally = reader.tally;
    if !status.success() {
        tally.run_failed(format!("ring {}: cargo test ended with {status}", ring.name()));
    }
    Ok(tally)
}

fn forward(
    stream: impl Read + Send + 'static,
    lines: mpsc::Sender<Line>,
    wrap: fn(String) -> Line,
) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        // Not `lines()`: a test may print what is no UTF-8.
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            let text = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
            if lines.send(wrap(text)).is_err() {
                break;
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::Target;

    #[test]
    fn a_test_files_name_says_its_ring() {
        assert_eq!(ring_of("kernel_parity"), Ring::Kernel);
        assert_eq!(ring_of("lab_scenarios"), Ring::Lab);
        assert_eq!(ring_of("vm_dispatcher"), Ring::Vm);
        assert_eq!(ring_of("labels"), Ring::Host);
        assert_eq!(ring_of("corpus"), Ring::Host);
        assert!(belongs("kernel_verifier", Ring::Vm) && belongs("kernel_verifier", Ring::Kernel));
        assert!(!belongs("kernel_attach", Ring::Vm));
    }

    #[test]
    fn a_rings_tests_come_with_their_features() {
        let target = |name: &str, kind: &str, features: &[&str]| Target {
            name: name.to_owned(),
            kind: vec![kind.to_owned()],
            required_features: features.iter().map(|feature| (*feature).to_owned()).collect(),
        };
        let package = Package {
            name: "p".to_owned(),
            targets: vec![
                target("p", "lib", &[]),
                target("kernel_a", "test", &["traffic"]),
                target("other", "test", &[]),
            ],
            ..Package::default()
        };
        assert_eq!(selection(&package, Ring::Kernel).join(" "), "--test kernel_a --features p/traffic");
        assert_eq!(selection(&package, Ring::Host).join(" "), "--test other");
        assert!(!has_tests(&[package], Ring::Lab));
    }

    #[test]
    fn both_streams_are_followed_and_a_death_is_counted() {
        let script = "echo 'SKIPPED: a: reason' >&2; \
             echo 'test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0s'; exit 1";
        // Shown to nobody: an outer run of xtask would count these lines as its own.
        let tally = follow(Command::new("sh").args(["-c", script]), Ring::Host, |_| {}).unwrap();
        assert_eq!(tally.to_string(), "1 passed, 1 failed, 1 skipped");
    }
}
