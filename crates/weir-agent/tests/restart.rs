//! What outlives the agent: incidents, their numbers, what was learned, rules that sleep. And what it tells others.

use std::fs;
use std::time::{Duration, Instant, SystemTime};

use weir_abi::counters::{syn_fact, syn_slot};
use weir_abi::{FEATURE_SLOTS, Sample};
use weir_agent::engine::{Engine, Now, Settings};
use weir_agent::fake::{self, Fake};
use weir_agent::host::Host;
use weir_agent::notify::{Audience, Notifier};
use weir_agent::policy::load;
use weir_api::local::{BaselineRow, IncidentRow};

const HOST: &str = "apiVersion: weir.dev/v1alpha1\nkind: ClusterProtection\nmetadata: {name: host}\nspec: {mode: Enforce, target: {nodes: {}}}\n";

struct World {
    dir: tempfile::TempDir,
    kernel: Fake,
    start: Instant,
    engine: Option<Engine>,
    windows: u32,
    sent: u32,
}

/// A SYN to 192.0.2.10: a customer's, with options, or a tool's, with none.
fn syn(number: u32, bare: bool) -> Sample {
    let mixed = number.wrapping_mul(2_654_435_761);
    let mut bytes = [0; 60];
    bytes[12..14].copy_from_slice(&[0x08, 0x00]);
    let (length, ttl, offset) = if bare { (40, 64, 0x50) } else { (44, 48 + (mixed >> 20) as u8 % 64, 0x60) };
    bytes[14..26].copy_from_slice(&[0x45, 0, 0, length, 0, 0, 0x40, 0, ttl, 6, 0, 0]);
    bytes[26..30].copy_from_slice(&mixed.to_be_bytes());
    bytes[30..34].copy_from_slice(&[192, 0, 2, 10]);
    bytes[34..38].copy_from_slice(&[(mixed >> 8) as u8 | 0x80, mixed as u8, 0x01, 0xbb]);
    bytes[38..42].copy_from_slice(&number.wrapping_mul(40_503).to_be_bytes());
    bytes[46..50].copy_from_slice(&[offset, 0x02, if bare { 2 } else { 0xfa }, 0xf0]);
    bytes[54..58].copy_from_slice(&[2, 4, 5, 0xb4]);
    fake::sample(1, &bytes)
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("policy")).unwrap();
        fs::create_dir(dir.path().join("state")).unwrap();
        fs::write(dir.path().join("policy/host.yaml"), HOST).unwrap();
        let mut world = Self { dir, kernel: Fake::default(), start: Instant::now(), engine: None, windows: 0, sent: 0 };
        world.begin();
        world
    }

    fn now(&self) -> Now {
        let since = Duration::from_millis(100) * self.windows;
        Now { wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000) + since, steady: self.start + since }
    }

    /// A new agent before the same kernel and the same files.
    fn begin(&mut self) {
        let settings = Settings {
            policy: Some(self.dir.path().join("policy")),
            state_dir: self.dir.path().join("state"),
            ..Settings::default()
        };
        let host = Host { addresses: vec!["192.0.2.10".parse().unwrap()] };
        let mut engine = Engine::new(Box::new(self.kernel.clone()), settings, host, self.now()).unwrap();
        engine.load(self.now()).unwrap();
        self.engine = Some(engine);
    }

    /// The agent stops, and another one begins so many windows later.
    fn restart(&mut self, away: u32) {
        let now = self.now();
        self.engine.take().unwrap().stop(now);
        self.windows += away;
        self.begin();
    }

    /// So many windows of customers' SYNs and of a tool's.
    fn windows(&mut self, n: u32, customers: u64, bare: u64) {
        for _ in 0..n {
            self.windows += 1;
            {
                let mut state = self.kernel.state();
                let row = state.slots.entry(1).or_insert([0; FEATURE_SLOTS]);
                row[usize::from(syn_slot(0))] += customers;
                row[usize::from(syn_slot(syn_fact::NO_OPTIONS))] += bare;
                for i in 0..customers + bare.min(200) {
                    self.sent += 1;
                    state.samples.push(syn(self.sent, i >= customers));
                }
            }
            let now = self.now();
            self.engine().tick(now);
        }
    }

    fn engine(&mut self) -> &mut Engine {
        self.engine.as_mut().unwrap()
    }

    fn incidents(&mut self) -> Vec<IncidentRow> {
        self.engine().view().incidents().to_vec()
    }

    fn baseline(&mut self) -> BaselineRow {
        let now = self.now();
        self.engine().baseline("host", now).unwrap()
    }

    fn rules(&self) -> u32 {
        self.kernel.state().image.as_ref().unwrap().rules.enforce.count_ones()
    }
}

#[test]
fn a_flood_that_outlasts_the_agent_is_met_by_the_next_one_at_once() {
    let mut world = World::new();
    world.windows(10, 5, 0);
    world.windows(5, 5, 5000);
    assert_eq!((world.incidents()[0].id, world.incidents()[0].state.as_str()), (1, "Mitigating"));
    let rules = world.incidents()[0].signatures.iter().map(|s| s.rule.clone()).collect::<Vec<_>>();
    world.restart(20);

    let old = world.incidents();
    assert_eq!((old.len(), old[0].id, old[0].state.as_str()), (1, 1, "Ended"));
    assert!(old[0].cut_short.as_ref().unwrap().contains("the agent stopped") && old[0].ended.is_some());
    assert_eq!(world.rules(), 0, "an incident that is over has no rules in force");
    // The first window has no counters before it.
    world.windows(2, 5, 5000);
    let now = world.incidents();
    assert_eq!((now.len(), now[0].id, now[0].state.as_str()), (2, 2, "Mitigating"));
    assert_eq!(now[0].signatures.iter().map(|s| s.rule.clone()).collect::<Vec<_>>(), rules, "they slept, and woke");
    assert!(world.rules() > 0);
    assert_eq!(now[1], old[0]);

    let metrics = weir_agent::metrics::text(&world.engine().view()).unwrap();
    let told = "weir_incidents{target=\"host\",vector=\"SYN flood\",label=\"ATTACK\",state=\"Ended\"} 1.0";
    assert!(metrics.lines().any(|line| line == told), "{metrics}");
    assert!(metrics.contains("weir_store_writes_total{outcome=\"failed\"} 0"), "{metrics}");
}

#[test]
fn the_ten_minutes_of_learning_are_not_repeated() {
    let mut world = World::new();
    world.windows(1, 0, 0);
    let fresh = world.baseline();
    assert!(fresh.rates_judged_from.is_some() && fresh.benign_packets == 0, "{fresh:?}");
    world.windows(6100, 5, 0);
    let before = world.baseline();
    assert_eq!((before.rates_judged_from, before.since), (None, fresh.since));
    assert!(before.benign_packets >= before.benign_packets_needed, "{before:?}");
    let syn = |row: &BaselineRow| row.kinds.iter().find(|kind| kind.kind == "syn").cloned().unwrap();
    assert!((syn(&before).packets_per_s - 50.0).abs() < 0.1, "{before:?}");

    world.restart(100);
    let after = world.baseline();
    assert_eq!((after.rates_judged_from, after.since, syn(&after)), (None, before.since, syn(&before)));
    assert!(after.benign_packets >= after.benign_packets_needed, "{after:?}");
    world.windows(1, 5, 0);
    world.windows(10, 200, 0);
    assert_eq!(world.incidents()[0].label, "SURGE", "a crowd is noticed at once");

    // Two hours later rates are another matter.
    world.restart(2 * 36_000);
    assert!(world.baseline().rates_judged_from.is_some());
    assert_eq!(world.baseline().since, before.since);
}

#[test]
fn a_target_that_is_taken_out_and_put_back_is_known() {
    let mut world = World::new();
    world.windows(6100, 5, 0);
    let before = world.baseline();
    let files = world.dir.path().join("policy");
    fs::write(files.join("host.yaml"), "").unwrap();
    let now = world.now();
    world.engine().reload(load(&files), now);
    assert!(world.engine().baseline("host", now).unwrap_err().to_string().contains("there is no target host"));
    fs::write(files.join("host.yaml"), HOST).unwrap();
    world.windows(10, 0, 0);
    let now = world.now();
    world.engine().reload(load(&files), now);
    let after = world.baseline();
    assert_eq!((after.rates_judged_from, after.since), (None, before.since));
}

#[test]
fn what_cannot_be_read_is_a_fresh_start() {
    let mut world = World::new();
    world.windows(6100, 5, 0);
    world.windows(5, 5, 5000);
    let now = world.now();
    world.engine.take().unwrap().stop(now);
    let file = world.dir.path().join("state/detection.redb");
    let whole = fs::read(&file).unwrap();
    assert!(whole.len() < 4 << 20, "{}", whole.len());
    fs::write(&file, &whole[..whole.len() / 3]).unwrap();
    world.begin();
    assert_eq!(world.incidents(), []);
    assert!(world.dir.path().join("state/detection.redb.bad").exists());
    world.windows(1, 0, 0);
    assert!(world.baseline().rates_judged_from.is_some());
    world.windows(10, 5, 0);
    world.windows(5, 5, 5000);
    assert_eq!(world.incidents()[0].id, 1);
}

/// What is told of a flood, and the state that its incident is in at the end of that window.
const STEPS: [(&str, &str); 7] = [
    ("began", "Mitigating"),
    ("rules", "Mitigating"),
    ("watching", "Watching"),
    ("released", "Watching"),
    ("released", "Watching"),
    ("released", "Watching"),
    ("ended", "Ended"),
];

#[tokio::test]
async fn the_steps_of_an_incident_are_told_as_they_happen() {
    let daemon = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let syslog = Some(daemon.local_addr().unwrap().to_string().parse().unwrap());
    let (notifier, mut telling) = Notifier::start(Audience { webhook: None, syslog }).unwrap();
    let mut world = World::new();
    world.engine().notify(notifier);
    world.windows(10, 5, 0);
    world.windows(5, 5, 5000);
    world.windows(461, 5, 0);
    assert_eq!(world.incidents()[0].state, "Ended");
    let view = world.engine().view();
    world.engine = None;
    while telling.join_next().await.is_some() {}
    let metrics = weir_agent::metrics::text(&view).unwrap();
    for (outcome, n) in [("sent", STEPS.len()), ("failed", 0), ("dropped", 0)] {
        let told = format!("weir_notifications_total{{to=\"syslog\",outcome=\"{outcome}\"}} {n}");
        assert!(metrics.lines().any(|line| line == told), "{metrics}");
    }
    let mut message = [0; 2048];
    for (step, state) in STEPS {
        let n = daemon.recv(&mut message).await.unwrap();
        let text = std::str::from_utf8(&message[..n]).unwrap();
        let data =
            format!("id=\"1\" step=\"{step}\" target=\"host\" vector=\"SYN flood\" label=\"ATTACK\" state=\"{state}\"");
        assert!(text.contains(&data), "{step}: {text}");
    }
}
