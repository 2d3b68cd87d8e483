//! Running the system's own tools (`ip`, `nft`, `ethtool`) and saying what to do when one is missing.

use std::io::{ErrorKind, Write};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, anyhow, bail};

/// The tools that the lab needs, with the Debian packages that bring them.
pub const TOOLS: [(&str, &str); 8] = [
    ("ip", "iproute2"),
    ("nft", "nftables"),
    ("ethtool", "ethtool"),
    ("nginx", "nginx-light"),
    ("nsenter", "util-linux"),
    ("setpriv", "util-linux"),
    ("taskset", "util-linux"),
    ("chrt", "util-linux"),
];

/// Runs a tool to its end and returns what it wrote; its own error text becomes the error.
pub fn run(program: &str, arguments: &[&str]) -> Result<String> {
    feed(program, arguments, "")
}

/// The same with an input.
pub fn feed(program: &str, arguments: &[&str], input: &str) -> Result<String> {
    let said = || format!("{program} {}", arguments.join(" "));
    let output = output(program, arguments, input).with_context(said)?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        bail!("{}: {} ({})", said(), error.trim(), output.status);
    }
    String::from_utf8(output.stdout).with_context(said)
}

fn output(program: &str, arguments: &[&str], input: &str) -> Result<Output> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| explain(program, error))?;
    if let Some(mut stdin) = child.stdin.take() {
        match stdin.write_all(input.as_bytes()) {
            // A tool that stops reading has met an error, which its output tells better.
            Err(error) if error.kind() != ErrorKind::BrokenPipe => return Err(error.into()),
            _ => {}
        }
    }
    Ok(child.wait_with_output()?)
}

/// Turns "not found" into the repair.
pub fn explain(program: &str, error: std::io::Error) -> anyhow::Error {
    if error.kind() != ErrorKind::NotFound {
        return anyhow!(error).context(format!("cannot start {program}"));
    }
    let package = TOOLS.iter().find(|(tool, _)| *tool == program).map_or(program, |(_, package)| package);
    anyhow!("{program} is not installed; `apt-get install {package}` or `cargo xtask setup` brings it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_carry_the_tools_words_or_the_repair() {
        let failed = run("sh", &["-c", "echo no such thing >&2; exit 3"]).unwrap_err().to_string();
        assert!(failed.contains("no such thing") && failed.contains('3'), "{failed}");
        let missing = explain("nft", std::io::Error::from(ErrorKind::NotFound)).to_string();
        assert!(missing.contains("nftables"), "{missing}");
        assert_eq!(feed("cat", &[], "through").unwrap(), "through");
    }
}
