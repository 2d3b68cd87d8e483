//! The command line against an agent that runs in this process, over its real socket.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Output;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::oneshot;
use weir_abi::counters::{syn_fact, syn_slot};
use weir_abi::{Counter, FEATURE_SLOTS, Reason, Sample};
use weir_agent::engine::Settings;
use weir_agent::fake::{self, Fake};
use weir_agent::notify::Audience;
use weir_agent::run::{Options, run_until};
use weir_api::spec::Mode;
use weir_sim::pcap::Capture;

struct Agent {
    dir: TempDir,
    kernel: Fake,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Agent {
    fn start(mode: Option<Mode>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let policy = dir.path().join("policy");
        fs::create_dir(&policy).unwrap();
        for file in ["shop.yaml", "known-bad.txt"] {
            let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/policy").join(file);
            fs::copy(from, policy.join(file)).unwrap();
        }
        let options = Options {
            settings: Settings {
                policy: Some(policy),
                mode,
                never_block: Vec::new(),
                failsafe: None,
                state_dir: dir.path().join("state"),
                learn: None,
            },
            socket: dir.path().join("weir.sock"),
            listen: None,
            audience: Audience::default(),
            detach_on_exit: false,
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, started) = std::sync::mpsc::channel();
        let kernel = Fake::default();
        kernel.state().counters = vec![
            (0, false, Reason::DenyListed, Counter { packets: 1_234_567, bytes: 79_012_288 }),
            (1, false, Reason::Clean, Counter { packets: 42, bytes: 4_200 }),
            (2, true, Reason::SourcePackets, Counter { packets: 7, bytes: 700 }),
        ];
        let path = kernel.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let opened = move || Ok(Box::new(path) as Box<dyn weir_agent::datapath::Datapath>);
            runtime
                .block_on(run_until(options, opened, |_| ready.send(()).unwrap(), async { drop(stopped.await) }))
                .unwrap();
        });
        started.recv_timeout(Duration::from_secs(10)).unwrap();
        Self { dir, kernel, stop: Some(stop), thread: Some(thread) }
    }

    fn weir(&self, args: &[&str]) -> Output {
        let mut command = Command::cargo_bin("weir").unwrap();
        command.env("WEIR_SOCKET", self.dir.path().join("weir.sock"));
        command.args(args).output().unwrap()
    }

    /// Exit code, stdout, stderr.
    fn text(&self, args: &[&str]) -> (i32, String, String) {
        let output = self.weir(args);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    fn json(&self, args: &[&str]) -> Value {
        let (code, out, err) = self.text(&[args, &["-o", "json"]].concat());
        assert_eq!(code, 0, "{err}");
        serde_json::from_str(&out).unwrap()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[test]
fn status_shows_what_is_in_force() {
    let agent = Agent::start(None);
    let (code, out, _) = agent.text(&["status"]);
    assert_eq!(code, 0, "{out}");
    for part in [
        "agent     ready, version 0.1.0",
        "mode      enforce: node-wide checks drop",
        "3 objects in 2 files",
        "eth0       native_xdp  no       xdp_lb (id 7)",
        "shop    observe  192.0.2.80:443/tcp, [2001:db8::80]:443/tcp",
    ] {
        assert!(out.contains(part), "{part}\n{out}");
    }
    let json = agent.json(&["status"]);
    assert_eq!(json["ready"], Value::Bool(true));
    assert_eq!(json["policy"]["generation"], 1);
    assert_eq!(json["attachments"][0]["foreign"][0], "xdp_lb (id 7)");
}

#[test]
fn block_unblock_allow_and_explain() {
    let agent = Agent::start(Some(Mode::Observe));
    let (code, out, err) = agent.text(&["block", "198.18.0.7", "--for", "90m", "--reason", "scanner"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.starts_with("198.18.0.7/32 blocked, ends in 1h29m (in the kernel after "), "{out}");
    assert!(err.contains("this node observes"), "{err}");

    let said = agent.json(&["explain", "198.18.0.7"]);
    assert_eq!(said["outcome"], "would_drop");
    assert_eq!(said["lists"][0]["rule"], "scanner");
    let (_, out, _) = agent.text(&["explain", "198.18.0.7"]);
    assert!(out.contains("SCOPE  LIST   ENTRY          ENDS      DECIDES  FROM"), "{out}");
    assert!(out.contains("shop    observe  packets per source        2,000    4,000      1s"), "{out}");
    let (_, out, _) = agent.text(&["status"]);
    assert!(out.contains("BLOCKED        ENDS      REASON\n198.18.0.7/32  in 1h29m  scanner"), "{out}");

    let (_, out, _) = agent.text(&["unblock", "198.18.0.7"]);
    assert!(out.starts_with("198.18.0.7/32 unblocked (in the kernel after "), "{out}");
    let (code, _, err) = agent.text(&["unblock", "198.18.0.7"]);
    assert_eq!(
        (code, err.as_str()),
        (2, "weir: there is no block of 198.18.0.7/32: `weir status` lists what there is\n")
    );

    assert_eq!(agent.text(&["allow", "203.0.113.7"]).1.split(" (").next(), Some("203.0.113.7/32 allowed"));
    assert_eq!(agent.json(&["explain", "203.0.113.7"])["outcome"], "passed");
    assert_eq!(agent.text(&["allow", "203.0.113.7", "--remove"]).0, 0);
    assert_eq!(agent.json(&["explain", "203.0.113.7"])["outcome"], "would_drop");
}

#[test]
fn counters_for_people_and_programs() {
    let agent = Agent::start(None);
    // The first reading comes by itself, within a second or so.
    let start = std::time::Instant::now();
    let mut rows = agent.json(&["counters"]);
    while rows[0].is_null() {
        assert!(start.elapsed() < Duration::from_secs(20), "no reading of the counters");
        std::thread::sleep(Duration::from_millis(20));
        rows = agent.json(&["counters"]);
    }
    assert_eq!(rows[0]["reason"], "deny_list");
    assert_eq!((&rows[0]["verdict"], &rows[0]["packets"]), (&Value::from("drop"), &Value::from(1_234_567)));
    assert_eq!((&rows[2]["verdict"], &rows[2]["target_name"]), (&Value::from("would_drop"), &Value::from("shop")));
    let (_, out, _) = agent.text(&["counters", "--target", "node"]);
    assert_eq!(
        out,
        "TARGET  VERDICT  REASON       PACKETS    BYTES  PACKETS/S  BITS/S  MEANING\n\
         node    drop     deny_list  1,234,567  79.0 MB          -       -  the source is on the node's deny list\n"
    );
    let (_, out, _) = agent.text(&["counters", "-o", "yaml"]);
    assert!(out.starts_with("- target: 0\n  target_name: node\n  reason: deny_list\n  verdict: drop\n"), "{out}");
}

/// A flood on the shop, which observes: what an operator sees of it, says of it, and takes home.
#[test]
fn an_incident_from_the_first_look_to_the_capture() {
    let agent = Agent::start(None);
    assert_eq!(agent.text(&["rules"]).1, "no rule: neither the policy nor an incident wrote one\n");
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut number = 0;
    while agent.json(&["rules"]).as_array().unwrap().is_empty() {
        assert!(Instant::now() < deadline, "no incident");
        let mut state = agent.kernel.state();
        state.slots.entry(2).or_insert([0; FEATURE_SLOTS])[usize::from(syn_slot(syn_fact::NO_OPTIONS))] += 5000;
        for _ in 0..100 {
            number += 1;
            state.samples.push(bare_syn(number));
        }
    }
    // What is still under way would change the capture between two looks at it.
    while !agent.kernel.state().samples.is_empty() {
        assert!(Instant::now() < deadline, "samples are not fetched");
        std::thread::yield_now();
    }
    let rule = agent.json(&["rules"])[0].clone();
    assert_eq!((&rule["id"], &rule["action"], &rule["standing"]), (&"1.1".into(), &"count".into(), &"waiting".into()));
    let (_, out, _) = agent.text(&["rules"]);
    assert!(out.starts_with("ID   TARGET  ACTION  STANDING  MATCHED"), "{out}");
    assert!(out.contains("waiting: 1.1: its target observes\n"), "{out}");
    let (code, out, _) = agent.text(&["incident", "1"]);
    assert_eq!(code, 0, "{out}");
    for part in [
        "incident  1: SYN flood on shop, ",
        ", peak ",
        "drop      1.1: tcp",
        "steps     ",
        " rules        rule 1.1: drop tcp",
    ] {
        assert!(out.contains(part), "{part}\n{out}");
    }

    let (code, out, err) = agent.text(&["approve", "1.1"]);
    assert_eq!((code, out), (0, format!("rule 1.1 drops: {}\n", rule["rule"].as_str().unwrap())), "{err}");
    let approved = agent.json(&["rules"])[0].clone();
    assert_eq!((&approved["action"], &approved["standing"]), (&"drop".into(), &"in_force".into()), "it insists");
    let (code, _, err) = agent.text(&["reject", "1.7"]);
    assert_eq!((code, err.as_str()), (2, "weir: there is no rule 1.7 of an incident that goes on; there are 1.1\n"));
    let (code, out, err) = agent.text(&["reject", "1.1"]);
    assert_eq!((code, out), (0, format!("rule 1.1 is withdrawn: {}\n", rule["rule"].as_str().unwrap())), "{err}");
    let who = fs::metadata(agent.dir.path().join("weir.sock")).unwrap().uid();
    assert_eq!(agent.json(&["rules"])[0]["ruling"]["by_uid"], who);
    assert_eq!(agent.json(&["rules"])[0]["standing"], "rejected");
    let (_, out, _) = agent.text(&["incident", "1"]);
    assert!(out.contains(&format!("rejected by uid {who}, 20")), "{out}");
    let said = agent.json(&["explain", "192.0.2.80"]);
    assert_eq!((&said["incidents"][0]["incident"], &said["incidents"][0]["attacked"]), (&1.into(), &true.into()));
    let (_, out, _) = agent.text(&["explain", "192.0.2.80"]);
    assert!(
        out.contains("incident 1: SYN flood on shop, ")
            && out.contains(": it is what is attacked\n  rule 1.1 (not in force): "),
        "{out}"
    );

    let file = agent.dir.path().join("incident.pcapng");
    let name = file.to_str().unwrap();
    let (code, out, err) = agent.text(&["incident", "1", "--pcap", name]);
    assert_eq!((code, out.as_str()), (0, ""), "{err}");
    assert!(err.ends_with(&format!(" written to {name}\n")), "{err}");
    // Where it stands may have changed meanwhile; the packets have not.
    let frames = |bytes: Vec<u8>| {
        let capture = Capture::new(std::io::Cursor::new(bytes), "incident").unwrap();
        capture.map(|record| record.unwrap().data).collect::<Vec<_>>()
    };
    let to_stdout = agent.weir(&["incident", "1", "--pcap", "-"]).stdout;
    assert!(frames(to_stdout) == frames(fs::read(&file).unwrap()), "two looks at one incident differ");
    let replayed = agent.json(&["replay", name]);
    let packets = replayed["packets"].as_u64().unwrap();
    assert!((100..=448).contains(&packets), "{packets}");
    assert_eq!(replayed["verdicts"]["no_target"], packets);
    let (code, _, err) = agent.text(&["incident", "7", "--pcap", name]);
    assert_eq!((code, err.as_str()), (2, "weir: there is no incident 7: `weir incidents` lists those there are\n"));
}

/// A SYN without options to the shop.
fn bare_syn(number: u32) -> Sample {
    fake::bare_syn(2, [192, 0, 2, 80], number)
}

#[test]
fn detach_asks_the_agent_that_runs() {
    let agent = Agent::start(None);
    let (code, out, _) = agent.text(&["detach"]);
    assert_eq!((code, out.as_str()), (0, "removed program on eth0\n"));
    assert!(agent.kernel.state().detached);
    assert_eq!(agent.text(&["status"]).0, 2);
}

#[test]
fn a_refused_policy_is_a_finding() {
    let agent = Agent::start(None);
    fs::write(agent.dir.path().join("policy/bad.yaml"), "kind: Protection\n").unwrap();
    for _ in 0..100 {
        let (code, out, _) = agent.text(&["status"]);
        if code == 1 {
            assert!(out.contains("the files are REFUSED, an earlier policy is in force:"), "{out}");
            assert!(out.contains("policy/bad.yaml:1:1: apiVersion: missing"), "{out}");
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("the change was not noticed");
}

#[test]
fn baseline_shows_what_is_usual() {
    let agent = Agent::start(None);
    // A target is known from its first window on.
    let start = std::time::Instant::now();
    while agent.text(&["baseline", "shop"]).0 != 0 {
        assert!(start.elapsed() < Duration::from_secs(20), "no window ended");
        std::thread::sleep(Duration::from_millis(20));
    }
    let row = agent.json(&["baseline", "shop"]);
    assert_eq!((&row["target"], &row["benign_packets"]), (&Value::from("shop"), &Value::from(0)));
    assert_eq!(row["benign_packets_needed"], 5992);
    assert!(row["since"].is_string() && row["rates_judged_from"].is_string(), "{row}");
    let kinds = row["kinds"].as_array().unwrap();
    assert_eq!((kinds.len(), &kinds[0]["kind"]), (9, &Value::from("syn")));
    assert!(kinds[0]["packets_per_s"].is_number() && kinds[0].get("this_hour").is_none(), "{row}");

    let (code, out, _) = agent.text(&["baseline", "shop"]);
    assert_eq!(code, 0);
    assert!(out.starts_with("target    shop, watched since 20"), "{out}");
    assert!(out.contains("9 kinds of which none came are not shown"), "{out}");
    let (code, _, err) = agent.text(&["baseline", "shopp"]);
    assert_eq!(code, 2);
    assert!(err.contains("there is no target shopp") && err.contains("shop"), "{err}");
    assert_eq!(agent.text(&["baseline", "a b"]).0, 2);
}
