//! Detection in the agent: counters and samples of a packet path in memory, and the rules that come into its tables.

use std::fs;
use std::time::{Duration, Instant, SystemTime};

use weir_abi::counters::{fact, feature_slot, kind, syn_fact, syn_slot};
use weir_abi::sample::SAMPLE_BYTES;
use weir_abi::{FEATURE_SLOTS, Reason, Sample, Verdict};
use weir_agent::engine::{Engine, Now, Settings};
use weir_agent::fake::Fake;
use weir_agent::host::Host;
use weir_agent::policy::load;
use weir_api::local::IncidentRow;

const SHOP: &str = "apiVersion: weir.dev/v1alpha1\nkind: ClusterProtection\nmetadata: {name: host}\nspec: {mode: Enforce, target: {nodes: {}}}\n";

struct World {
    dir: tempfile::TempDir,
    kernel: Fake,
    start: Instant,
    engine: Engine,
    windows: u32,
    sent: u32,
}

/// A SYN as hping3 sends it: no options, any source, to 192.0.2.10.
fn bare_syn(number: u32) -> Sample {
    let mut bytes = [0; SAMPLE_BYTES];
    bytes[12..14].copy_from_slice(&[0x08, 0x00]);
    let ip = [0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0];
    bytes[14..26].copy_from_slice(&ip);
    bytes[26..30].copy_from_slice(&number.wrapping_mul(2_654_435_761).to_be_bytes());
    bytes[30..34].copy_from_slice(&[192, 0, 2, 10]);
    bytes[34..38].copy_from_slice(&[(number >> 8) as u8, number as u8, 0x01, 0xbb]);
    bytes[38..42].copy_from_slice(&number.wrapping_mul(40_503).to_be_bytes());
    bytes[46..50].copy_from_slice(&[0x50, 0x02, 0x02, 0x00]);
    Sample {
        time_ns: 0,
        length: 60,
        target: 1,
        reason: Reason::Clean as u8,
        verdict: Verdict::Pass as u8,
        rule: 0,
        ifindex: 1,
        weight: 1,
        captured: 60,
        pad: 0,
        bytes,
    }
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("policy")).unwrap();
        fs::create_dir(dir.path().join("state")).unwrap();
        fs::write(dir.path().join("policy/host.yaml"), SHOP).unwrap();
        let (kernel, start) = (Fake::default(), Instant::now());
        let settings = Settings {
            policy: Some(dir.path().join("policy")),
            state_dir: dir.path().join("state"),
            ..Settings::default()
        };
        let host = Host { addresses: vec!["192.0.2.10".parse().unwrap()] };
        let now = at(start, 0);
        let mut engine = Engine::new(Box::new(kernel.clone()), settings, host, now).unwrap();
        engine.load(now).unwrap();
        Self { dir, kernel, start, engine, windows: 0, sent: 0 }
    }

    /// So many windows with so many bare SYNs in each, of which 200 are sampled at most.
    fn windows(&mut self, n: u32, syns: u64) {
        for _ in 0..n {
            self.windows += 1;
            {
                let mut state = self.kernel.state();
                let row = state.slots.entry(1).or_insert([0; FEATURE_SLOTS]);
                row[usize::from(syn_slot(syn_fact::NO_OPTIONS))] += syns;
                for _ in 0..syns.min(200) {
                    self.sent += 1;
                    let sample = bare_syn(self.sent);
                    state.samples.push(sample);
                }
            }
            self.engine.tick(at(self.start, self.windows));
        }
    }

    /// So many windows of TCP packets in connections, and of some that are in none.
    fn segments(&mut self, n: u32, known: u64, strays: u64) {
        for _ in 0..n {
            {
                let mut state = self.kernel.state();
                let row = state.slots.entry(1).or_insert([0; FEATURE_SLOTS]);
                row[usize::from(fact::KNOWN)] += known;
                row[usize::from(fact::UNKNOWN)] += strays;
                row[usize::from(feature_slot(kind::TCP, true, false))] += known + strays;
            }
            self.windows(1, 0);
        }
    }

    fn rules(&self) -> (u32, u64) {
        let state = self.kernel.state();
        let image = state.image.as_ref().unwrap();
        (image.rules.enforce.count_ones(), image.policies[1].rules & image.rules.enforce)
    }

    fn incidents(&self) -> Vec<IncidentRow> {
        self.engine.view().incidents().to_vec()
    }
}

/// A time of windows.
fn at(start: Instant, windows: u32) -> Now {
    let since = Duration::from_millis(100) * windows;
    Now { wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000) + since, steady: start + since }
}

#[test]
fn a_flood_is_met_with_rules_that_outlive_a_new_policy_and_go_after_it() {
    let mut world = World::new();
    world.windows(10, 0);
    assert_eq!(world.incidents(), []);
    world.windows(1, 5000);
    let row = &world.incidents()[0];
    assert_eq!((row.vector.as_str(), row.label.as_str(), row.state.as_str()), ("SYN flood", "ATTACK", "Mitigating"));
    assert!(
        row.sources.spoofed && row.mitigated.is_some() && row.evidence[0].contains("without TCP options"),
        "{row:?}"
    );
    let told = "weir_incidents{target=\"host\",vector=\"SYN flood\",label=\"ATTACK\",state=\"Mitigating\"} 1.0";
    let metrics = weir_agent::metrics::text(&world.engine.view()).unwrap();
    assert!(metrics.lines().any(|line| line == told), "{metrics}");
    let (enforced, of_target) = world.rules();
    assert!(enforced > 0 && of_target.count_ones() == enforced);

    // A change of the policy compiles everything anew; the rules are still there.
    let files = world.dir.path().join("policy");
    fs::write(files.join("host.yaml"), SHOP.replace("spec: {", "spec: {deny: [{cidr: 203.0.113.0/24}], ")).unwrap();
    let now = at(world.start, world.windows);
    world.engine.reload(load(&files), now);
    assert_eq!(world.engine.view().policy().generation, 2);
    assert_eq!(world.rules().0, enforced);

    world.windows(30, 5000);
    assert_eq!(world.incidents().len(), 1, "one incident, however long");
    // Half a minute of quiet, and what is in force goes in three steps of five seconds.
    world.windows(311, 0);
    let first = world.rules().0;
    assert!(world.incidents()[0].state == "Watching" && first <= enforced, "{first} of {enforced}");
    world.windows(50, 0);
    assert_eq!((world.incidents()[0].state.as_str(), world.rules().0), ("Watching", 0));
    world.windows(100, 0);
    assert_eq!((world.incidents()[0].state.as_str(), world.rules()), ("Ended", (0, 0)));
}

/// ACKs that no rule could tell from customers': connections go on, strangers are held back, also under a new policy.
#[test]
fn strangers_are_held_back_and_let_go() {
    let mut world = World::new();
    let strangers = |world: &World| world.kernel.state().image.as_ref().unwrap().policies[1].strangers;
    world.segments(100, 100, 0);
    world.segments(3, 100, 20_000);
    let row = &world.incidents()[0];
    assert_eq!(
        (row.vector.as_str(), row.state.as_str(), row.strays_packets_per_s),
        ("ACK flood", "Mitigating", Some(200))
    );
    assert!(row.mitigated.is_some() && row.evidence[0].contains("belong to no connection of the host"), "{row:?}");
    let held = strangers(&world);
    // One packet costs a 200th of a second, and a second's worth may come at once.
    assert!(held.cost != 0 && held.window == 200 * held.cost, "{held:?}");

    let files = world.dir.path().join("policy");
    fs::write(files.join("host.yaml"), SHOP.replace("spec: {", "spec: {deny: [{cidr: 203.0.113.0/24}], ")).unwrap();
    world.engine.reload(load(&files), at(world.start, world.windows));
    assert_eq!(strangers(&world), held);

    // Half a minute of quiet, and the limit is twice as wide, four times, and gone.
    world.segments(311, 100, 0);
    assert_eq!((world.incidents()[0].state.as_str(), strangers(&world).cost), ("Watching", held.cost / 2));
    world.segments(50, 100, 0);
    assert_eq!((world.incidents()[0].state.as_str(), strangers(&world).cost), ("Watching", held.cost / 4));
    world.segments(100, 100, 0);
    assert_eq!((world.incidents()[0].state.as_str(), strangers(&world).cost), ("Ended", 0));
}

#[test]
fn what_piled_up_while_the_agent_was_busy_is_no_flood() {
    let mut world = World::new();
    world.windows(10, 1);
    // Two seconds without a tick, and their packets at once: in one window they would be proof.
    world.windows += 19;
    world.windows(1, 60);
    assert_eq!(world.incidents(), []);
    world.windows(1, 300);
    assert_eq!(world.incidents().len(), 1);
}

#[test]
fn rules_that_the_kernel_refused_are_tried_again() {
    let mut world = World::new();
    world.windows(10, 0);
    world.kernel.state().refuse = Some("no room".to_owned());
    world.windows(1, 5000);
    assert_eq!((world.rules().0, world.incidents()[0].mitigated), (0, None));
    world.kernel.state().refuse = None;
    world.windows(1, 5000);
    assert!(world.rules().0 > 0 && world.incidents()[0].mitigated.is_some());
}

#[test]
fn an_incident_ends_with_its_target() {
    let mut world = World::new();
    world.windows(10, 0);
    world.windows(1, 5000);
    let files = world.dir.path().join("policy");
    fs::write(files.join("host.yaml"), "").unwrap();
    world.engine.reload(load(&files), at(world.start, world.windows));
    world.windows(10, 0);
    assert_eq!(world.incidents()[0].state, "Ended");
}
