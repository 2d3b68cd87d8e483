//! What cannot be told from customers, in the agent: it is limited, and who came before the flood comes first.

use std::fs;
use std::time::{Duration, Instant, SystemTime};

use weir_abi::counters::{feature_slot, kind};
use weir_abi::{Addr, FEATURE_SLOTS, Sample};
use weir_agent::engine::{Engine, Now, Settings};
use weir_agent::fake::{self, Fake};
use weir_agent::host::Host;
use weir_api::local::{RuleAction, Ruling, Standing};

const GAME: &str = "apiVersion: weir.dev/v1alpha1\nkind: ClusterProtection\nmetadata: {name: host}\nspec: {mode: Enforce, target: {nodes: {}}}\n";

/// A bit of the addresses that the flood forges.
const FLOOD: u32 = 0x4000_0000;

/// Numbers that look like chance, and are the same each time.
fn mixed(n: u32) -> u32 {
    let n = n.wrapping_mul(0x9e37_79b9);
    (n ^ n >> 15).wrapping_mul(0x85eb_ca6b)
}

/// A game's datagram to 192.0.2.10. A quarter of the customers are as far away as all of the flood seems to be.
fn datagram(source: u32, number: u32) -> Sample {
    let mut bytes = [0; 14 + u8::MAX as usize];
    bytes[12..14].copy_from_slice(&[0x08, 0x00]);
    let flood = source & FLOOD != 0;
    let [length, ttl] =
        [60 + (mixed(number) % 90) as u8, if flood { 52 } else { [52, 57, 116, 121][source as usize & 3] }];
    bytes[14..26].copy_from_slice(&[0x45, 0, 0, length, 0, 0, 0x40, 0, ttl, 17, 0, 0]);
    bytes[26..30].copy_from_slice(&source.to_be_bytes());
    bytes[30..34].copy_from_slice(&[192, 0, 2, 10]);
    let port = (1024 + (mixed(source) % 60_000) as u16).to_be_bytes();
    bytes[34..42].copy_from_slice(&[port[0], port[1], 0x6d, 0x38, 0, length - 20, 0, 0]);
    fake::sample(1, &bytes[..usize::from(length) + 14])
}

struct World {
    _dir: tempfile::TempDir,
    kernel: Fake,
    start: Instant,
    engine: Engine,
    windows: u32,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["policy", "state"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        fs::write(dir.path().join("policy/host.yaml"), GAME).unwrap();
        let (kernel, start) = (Fake::default(), Instant::now());
        let settings = Settings {
            policy: Some(dir.path().join("policy")),
            state_dir: dir.path().join("state"),
            learn: Some(Duration::from_secs(30)),
            ..Settings::default()
        };
        let host = Host { addresses: vec!["192.0.2.10".parse().unwrap()] };
        let mut engine = Engine::new(Box::new(kernel.clone()), settings, host, at(start, 0)).unwrap();
        engine.load(at(start, 0)).unwrap();
        Self { _dir: dir, kernel, start, engine, windows: 0 }
    }

    /// So many windows with the datagrams of these sources in each, and as many more in the counters.
    fn windows(&mut self, n: u32, sources: impl Fn(u32) -> Vec<u32>, more: u64) {
        for _ in 0..n {
            self.windows += 1;
            {
                let mut state = self.kernel.state();
                let sources = sources(self.windows);
                let row = state.slots.entry(1).or_insert([0; FEATURE_SLOTS]);
                row[usize::from(feature_slot(kind::UDP, true, false))] += sources.len() as u64 + more;
                let samples = (0u32..).zip(sources).map(|(i, source)| datagram(source, self.windows * 1000 + i));
                state.samples.extend(samples);
            }
            self.engine.tick(at(self.start, self.windows));
        }
    }

    /// Slots of rules that limit at the target, and what a packet costs there.
    fn limit(&self) -> (u64, u64) {
        let state = self.kernel.state();
        let image = state.image.as_ref().unwrap();
        (image.policies[1].rules & image.rules.limit, image.policies[1].matched)
    }
}

/// A time of windows.
fn at(start: Instant, windows: u32) -> Now {
    let since = Duration::from_millis(100) * windows;
    Now { wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000) + since, steady: start + since }
}

/// Forty players, each of whom sends in every fourth window.
fn players(window: u32) -> Vec<u32> {
    (0..40).filter(|n| (n + window).is_multiple_of(4)).map(|n| 0x0a00_0000 + n).collect()
}

#[test]
fn a_flood_like_customers_is_limited_and_those_who_came_before_it_are_known() {
    let mut world = World::new();
    world.windows(400, players, 20);
    let mut known = world.kernel.state().regulars.clone();
    known.sort_unstable_by_key(|(target, source)| (*target, source.hi, source.lo));
    known.dedup();
    assert_eq!(known, (0..40).map(|n| (1, Addr::v4(0x0a00_0000 + n))).collect::<Vec<_>>());
    assert_eq!(world.limit(), (0, 0));

    let flood = |window: u32| (0..200).map(|i| mixed(window * 1000 + i) | FLOOD).collect::<Vec<_>>();
    world.windows(50, |window| [players(window), flood(window)].concat(), 20_000);
    let incidents = world.engine.view().incidents().to_vec();
    assert_eq!((incidents.len(), incidents[0].vector.as_str()), (1, "UDP flood"), "{incidents:?}");
    let (slots, cost) = world.limit();
    assert!(slots != 0 && cost != 0, "{incidents:?}");
    assert!(incidents[0].evidence.iter().any(|line| line.starts_with("limit: ")), "{incidents:?}");
    assert!(incidents[0].mitigated.is_some());
    let rows = world.engine.view().rules();
    let row = rows.iter().find(|row| row.id == "1.regular").unwrap();
    assert_eq!((row.action, row.standing), (RuleAction::Limit, Standing::InForce));
    let refused = world.engine.rule("1.regular", Ruling::Rejected, None, at(world.start, world.windows)).unwrap_err();
    assert!(refused.to_string().starts_with("1.regular is a limit, which goes with its incident"), "{refused}");
    let mut since = world.kernel.state().regulars.clone();
    since.retain(|(_, source)| source.ip4() & 0xffff_ff00 != 0x0a00_0000);
    assert_eq!(since, [], "a flood teaches nothing");

    world.windows(500, players, 20);
    assert_eq!(world.limit(), (0, 0), "it goes with the flood");
}
