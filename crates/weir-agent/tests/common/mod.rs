//! A world of windows: an engine over a packet path in memory, and floods for it.
#![allow(dead_code, reason = "each test file uses what it needs")]

use std::fs;
use std::time::{Duration, Instant, SystemTime};

use weir_abi::counters::{fact, feature_slot, kind, syn_fact, syn_slot};
use weir_abi::sample::SAMPLE_BYTES;
use weir_abi::{FEATURE_SLOTS, Sample};
use weir_agent::engine::{Engine, Now, Settings};
use weir_agent::fake::{self, Fake};
use weir_agent::host::Host;
use weir_agent::policy::load;
use weir_api::local::{IncidentRow, RuleRow};

/// A host that is protected and drops.
pub const SHOP: &str = "apiVersion: weir.dev/v1alpha1\nkind: ClusterProtection\nmetadata: {name: host}\nspec: {mode: Enforce, target: {nodes: {}}}\n";

/// The agent's engine over a packet path in memory, window by window.
pub struct World {
    pub dir: tempfile::TempDir,
    pub kernel: Fake,
    pub start: Instant,
    pub engine: Engine,
    pub windows: u32,
    pub sent: u32,
}

/// A SYN as hping3 sends it: no options, any source, to 192.0.2.10.
pub fn bare_syn(number: u32) -> Sample {
    fake::bare_syn(1, [192, 0, 2, 10], number)
}

/// An IPv4 packet to 192.0.2.10 from source number `n`: protocol 6 (an ACK) or 17, ports, TTL, bytes of payload.
pub fn frame(proto: u8, sport: u16, dport: u16, ttl: u8, payload: u32, n: u32) -> Sample {
    let mut sample = bare_syn(n);
    let header = if proto == 6 { 20 } else { 8 };
    let length = (20 + header + payload) as u16;
    let b = &mut sample.bytes;
    b[16..18].copy_from_slice(&length.to_be_bytes());
    (b[22], b[23]) = (ttl, proto);
    b[34..36].copy_from_slice(&sport.to_be_bytes());
    b[36..38].copy_from_slice(&dport.to_be_bytes());
    if proto == 6 {
        b[47] = 0x10;
    } else {
        b[38..40].copy_from_slice(&(length - 20).to_be_bytes());
        b[40..].fill(0);
        b[42..].fill(7);
    }
    sample.length = 14 + u32::from(length);
    sample.captured = sample.length.min(SAMPLE_BYTES as u32) as u16;
    b[usize::from(sample.captured)..].fill(0);
    sample
}

impl World {
    pub fn new() -> Self {
        Self::with(SHOP)
    }

    /// A world with this policy.
    pub fn with(policy: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("policy")).unwrap();
        fs::create_dir(dir.path().join("state")).unwrap();
        fs::write(dir.path().join("policy/host.yaml"), policy).unwrap();
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
    pub fn windows(&mut self, n: u32, syns: u64) {
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

    /// So many windows with so many packets of one kind, of which 100 are sampled at most.
    pub fn send(&mut self, n: u32, slot: u8, packets: u64, sample: impl Fn(u32) -> Sample) {
        for _ in 0..n {
            {
                let mut state = self.kernel.state();
                state.slots.entry(1).or_insert([0; FEATURE_SLOTS])[usize::from(slot)] += packets;
                for _ in 0..packets.min(100) {
                    self.sent += 1;
                    state.samples.push(sample(self.sent));
                }
            }
            self.windows(1, 0);
        }
    }

    /// So many windows of TCP packets in connections, and of some that are in none.
    pub fn segments(&mut self, n: u32, known: u64, strays: u64) {
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

    /// Conjunctions that drop, and those of them that may match packets of the target.
    pub fn rules(&self) -> (u32, u64) {
        let state = self.kernel.state();
        let image = state.image.as_ref().unwrap();
        (image.rules.enforce.count_ones(), image.policies[1].rules & image.rules.enforce)
    }

    /// The rules as readers see them.
    pub fn rule_rows(&self) -> Vec<RuleRow> {
        self.engine.view().rules().to_vec()
    }

    /// This many windows into the story.
    pub fn now(&self) -> Now {
        at(self.start, self.windows)
    }

    /// The policy's file now says something else.
    pub fn reload(&mut self, policy: &str) {
        let files = self.dir.path().join("policy");
        fs::write(files.join("host.yaml"), policy).unwrap();
        let now = self.now();
        self.engine.reload(load(&files), now);
    }

    /// What readers see of the incidents, the newest first.
    pub fn incidents(&self) -> Vec<IncidentRow> {
        self.engine.view().incidents().to_vec()
    }
}

/// A time of windows.
pub fn at(start: Instant, windows: u32) -> Now {
    let since = Duration::from_millis(100) * windows;
    Now { wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000) + since, steady: start + since }
}
