//! What the command line says, compared with files under `tests/golden`. `UPDATE_GOLDEN=1` writes them anew.

use std::fs;
use std::path::Path;
use std::process::Output;

use assert_cmd::Command;

fn weir(args: &[&str]) -> Output {
    let mut command = Command::cargo_bin("weir").unwrap();
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data"));
    command.env_remove("WEIR_SOCKET").env_remove("WEIR_PIN_DIR").env_remove("WEIR_STATE_DIR");
    command.args(args).output().unwrap()
}

/// Exit code, stdout and stderr in one text.
fn check(name: &str, args: &[&str]) {
    let output = weir(args);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let found = format!(
        "$ weir {}\n{}{}[exit {}]\n",
        args.join(" "),
        text(&output.stdout),
        text(&output.stderr).lines().map(|l| format!("! {l}\n")).collect::<String>(),
        output.status.code().unwrap()
    );
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&file, &found).unwrap();
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(found, expected, "differs from {}; UPDATE_GOLDEN=1 writes it anew", file.display());
}

#[test]
fn help() {
    check("help", &["-h"]);
    check("help-run", &["run", "--help"]);
    check("help-block", &["block", "-h"]);
    check("help-replay", &["replay", "-h"]);
    check("help-incident", &["incident", "-h"]);
    check("help-approve", &["approve", "-h"]);
}

#[test]
fn policy_check() {
    check("check-fine", &["policy", "check", "policy"]);
    check("check-broken", &["policy", "check", "broken/fields.yaml", "broken/lists.yaml"]);
    check("check-json", &["policy", "check", "-o", "json", "broken/lists.yaml"]);
    check("check-missing", &["policy", "check", "nowhere"]);
}

#[test]
fn replay() {
    check("replay", &["replay", "four.pcap", "--protections", "policy", "--mode", "enforce"]);
    check("replay-json", &["replay", "four.pcap", "cut.pcap", "--protections", "policy", "-o", "json"]);
    check("replay-default", &["replay", "four.pcap", "--host", "192.0.2.80", "--mode", "enforce", "-o", "yaml"]);
    check("replay-refused", &["replay", "four.pcap", "--protections", "broken"]);
    check("replay-missing", &["replay", "nowhere.pcap", "--baseline", "four.pcap", "four.pcap"]);
}

#[test]
fn usage_errors() {
    check("no-command", &["statsu"]);
    check("bad-cidr", &["block", "203.0.113.7/24"]);
    check("bad-duration", &["block", "203.0.113.7", "--for", "5"]);
    check("bad-rule", &["reject", "7/3"]);
    check("bad-address", &["explain", "example.org"]);
    check("no-interface", &["run"]);
    check("no-agent", &["status", "--socket", "nowhere.sock"]);
}

#[test]
fn completions_and_man_pages_come_from_the_definition() {
    for shell in ["bash", "zsh", "fish"] {
        let output = weir(&["completions", shell]);
        assert!(output.status.success());
        assert!(String::from_utf8(output.stdout).unwrap().contains("unblock"), "{shell}");
    }
    let dir = tempfile::tempdir().unwrap();
    assert!(weir(&["man", dir.path().to_str().unwrap()]).status.success());
    let page = fs::read_to_string(dir.path().join("weir-run.1")).unwrap();
    assert!(page.contains("leaves the kernel enforcing"), "{page}");
}
