//! The same captures give the same bytes, whoever asks and however often: every reference attack through `weir replay`, in two
//! processes.

use std::path::{Path, PathBuf};
use std::{env, fs};

use assert_cmd::Command;

#[test]
fn every_attack_gives_the_same_json_twice() {
    let corpus = env::var_os("WEIR_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from)
        .join("corpus");
    let Ok(manifest) = fs::read_to_string(corpus.join("manifest.csv")) else {
        eprintln!("SKIPPED: every_attack_gives_the_same_json_twice: no captures beside the project (set WEIR_SHARED)");
        return;
    };
    let attacks = manifest.lines().filter(|line| line.split(',').nth(1) == Some("attack"));
    let (mut captures, mut hosts) = (Vec::new(), Vec::new());
    for attack in attacks {
        let mut fields = attack.split(',');
        captures.push(corpus.join(fields.next().unwrap()));
        hosts.extend(fields.nth(2).filter(|victim| victim.parse::<std::net::IpAddr>().is_ok()));
    }
    hosts.sort_unstable();
    hosts.dedup();
    assert!(captures.len() >= 20 && hosts.len() >= 10, "{captures:?} {hosts:?}");
    let once = || {
        let mut weir = Command::cargo_bin("weir").unwrap();
        weir.arg("replay").args(&captures).args(["--mode", "enforce", "-o", "json"]);
        weir.args(hosts.iter().flat_map(|host| ["--host", host]));
        let output = weir.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let (one, other) = (once(), once());
    assert!(one == other, "two runs differ");
    let text = String::from_utf8(one).unwrap();
    assert_eq!(text.lines().count(), captures.len());
    assert!(text.matches("\"label\":\"ATTACK\"").count() >= 5, "{text}");
}
