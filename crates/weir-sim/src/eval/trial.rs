//! One capture's replays.

use std::collections::BTreeMap;
use std::net::IpAddr;

use weir_abi::Addr;
use weir_core::hygiene::is_land;
use weir_detect::engine::Settings;
use weir_policy::model::{Endpoint, Target};
use weir_policy::prefix::ip_from;
use weir_policy::{CompileOptions, Policy, compile};
use weir_wire::{Bytes, Parsed, packet};

use super::background::{Background, Held};
use super::manifest::{Entry, Label};
use super::seed_like::{SeedLike, THRESHOLDS};
use super::{BySource, EvalError, Outcome};
use crate::detect::Detecting;
use crate::env::{SimEnv, Sizes};
use crate::link::ethernet;
use crate::pcap::Capture;

/// Destinations that are protected where no victim is named, those that get most first.
const DESTINATIONS: usize = 64;
/// Ticks per second of the trials' clock.
const HZ: u32 = 250;
/// Ordinary packets per second beside an attack.
const CUSTOMERS_PER_S: u64 = 500;
/// Seconds of ordinary traffic that are learned from, at most: no packet twice, which would look like knowing more.
const LEARNED_S: u64 = 65;
/// The attack begins so long after the unseen traffic, ns; not at the beginning of a window.
const ONSET_NS: u64 = 2_037_000_000;
/// It is repeated until it has lasted so long, ns.
const LASTS_NS: u64 = 5_000_000_000;
/// No longer than this, however slow it is, ns.
const LONGEST_NS: u64 = 120_000_000_000;
/// No more packets than this.
const MOST: usize = 400_000;

/// Link addresses of a frame that no link has carried.
const NO_LINK: [u8; 12] = [0; 12];

/// A frame of the capture.
struct Frame {
    time_ns: u64,
    data: Vec<u8>,
    length: usize,
}

/// A capture in memory, and whom it is about.
pub struct Trial {
    frames: Vec<Frame>,
    targets: Vec<IpAddr>,
    label: Label,
}

/// Who a packet is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Attack,
    Customers,
}

impl Trial {
    /// Reads a capture.
    pub fn new(entry: &Entry) -> Result<Self, EvalError> {
        let (mut frames, mut destinations): (Vec<Frame>, BTreeMap<IpAddr, u64>) = Default::default();
        for record in Capture::open(&entry.path)? {
            let record = match record {
                Ok(record) => record,
                // Broken captures are part of the corpus: what could be read is judged.
                Err(_) if entry.label == Label::Malformed => break,
                Err(e) => return Err(e.into()),
            };
            let Some(frame) = ethernet(&record) else { continue };
            let frame = frame.frame();
            if let Parsed::Packet(p) = packet::parse(&frame) {
                // A host's word to itself, on its loopback, which Weir does not stand on. From a network it would be forged.
                let [from, to] = [p.ip.src, p.ip.dst].map(|(hi, lo)| Addr { hi, lo });
                if entry.label == Label::Benign && frame.data().starts_with(&NO_LINK) && is_land(&p, from, to) {
                    continue;
                }
                *destinations.entry(ip_from(to)).or_default() += 1;
            }
            let length = weir_wire::Frame::len(&frame);
            frames.push(Frame { time_ns: record.time_ns, data: frame.data().to_vec(), length });
        }
        let mut most = destinations.into_iter().collect::<Vec<_>>();
        most.sort_by_key(|(ip, n)| (std::cmp::Reverse(*n), *ip));
        let targets =
            entry.victim.map_or_else(|| most.iter().take(DESTINATIONS).map(|(ip, _)| *ip).collect(), |ip| vec![ip]);
        Ok(Self { frames, targets, label: entry.label })
    }

    /// As it was captured, with nothing learned before.
    pub fn alone(&self, settings: Settings) -> Result<Outcome, EvalError> {
        let mut node = Node::new(&self.targets, settings)?;
        let start = self.frames.first().map_or(0, |frame| frame.time_ns);
        let side = if self.label == Label::Attack { Side::Attack } else { Side::Customers };
        for frame in &self.frames {
            node.send(frame.time_ns.saturating_sub(start), &Bytes::snapped(&frame.data, frame.length), side);
        }
        Ok(node.outcome(0))
    }

    /// An attack within ordinary traffic; nothing where there is no ordinary traffic for such a victim.
    pub fn merged(&self, background: &Background, settings: Settings) -> Result<Option<Outcome>, EvalError> {
        let Some(victim) = self.targets.first().copied() else { return Ok(None) };
        let (known, unseen) = (background.known(victim), background.unseen(victim));
        if known.is_empty() || unseen.is_empty() || self.frames.is_empty() {
            return Ok(None);
        }
        let mut node = Node::new(&self.targets, settings)?;
        let gap = 1_000_000_000 / CUSTOMERS_PER_S;
        for i in 0..(LEARNED_S * CUSTOMERS_PER_S).min(known.len() as u64) {
            node.customer(i * gap, &known, i, victim);
        }
        node.detecting.trust(&mut node.env);
        node.begin();
        let mut customers = 0;
        let mut last = 0;
        for (time_ns, frame) in self.repeated() {
            let time = ONSET_NS + time_ns;
            while customers * gap <= time {
                node.customer(customers * gap, &unseen, customers, victim);
                customers += 1;
            }
            node.send(time, &Bytes::snapped(&frame.data, frame.length), Side::Attack);
            last = time;
        }
        // Customers stay for a second after it.
        while customers * gap <= last + 1_000_000_000 {
            node.customer(customers * gap, &unseen, customers, victim);
            customers += 1;
        }
        Ok(Some(node.outcome(ONSET_NS)))
    }

    /// The attack's frames with their times since its beginning, again and again.
    fn repeated(&self) -> impl Iterator<Item = (u64, &Frame)> {
        let start = self.frames.first().map_or(0, |frame| frame.time_ns);
        let end = self.frames.iter().map(|frame| frame.time_ns).max().unwrap_or(start);
        let duration = end - start;
        // The pause between two rounds is that between two packets.
        let round = duration + (duration / self.frames.len().max(1) as u64).max(1);
        let rounds = (0u64..).map(move |n| n * round);
        let all = rounds.flat_map(move |offset| {
            self.frames.iter().map(move |frame| (offset + frame.time_ns.saturating_sub(start), frame))
        });
        let until = LASTS_NS.max(duration).min(LONGEST_NS);
        all.take_while(move |(time, _)| *time <= until).take(MOST)
    }
}

/// The node that is attacked.
struct Node {
    env: SimEnv,
    detecting: Detecting,
    outcome: Outcome,
    by_source: Vec<(SeedLike, BySource)>,
    /// The window at which judging began.
    since: u64,
}

impl Node {
    fn new(targets: &[IpAddr], settings: Settings) -> Result<Self, EvalError> {
        let target = |(i, ip): (usize, &IpAddr)| Target {
            endpoints: vec![Endpoint { addr: *ip, port: 0, proto: 0 }],
            enforce: true,
            ..Target::new(if i == 0 { "victim".to_owned() } else { ip.to_string() })
        };
        let policy = Policy { targets: targets.iter().enumerate().map(target).collect(), ..Policy::default() };
        let compiled = compile(&policy, &CompileOptions::new(HZ, 0), None)?;
        let sizes =
            Sizes { targets: DESTINATIONS as u32 + 2, source_lines: 64, fragment_slots: 1024, ..Sizes::default() };
        let env = SimEnv::new(compiled.image, &sizes)?;
        let detecting = Detecting::new(&env, settings, HZ);
        let by_source =
            THRESHOLDS.map(|threshold| (SeedLike::new(threshold), BySource { threshold, ..BySource::default() }));
        Ok(Self { env, detecting, outcome: Outcome::default(), by_source: by_source.to_vec(), since: 0 })
    }

    /// What comes now counts.
    fn begin(&mut self) {
        self.outcome = Outcome::default();
        self.by_source
            .iter_mut()
            .for_each(|(_, count)| *count = BySource { threshold: count.threshold, ..BySource::default() });
        self.since = self.detecting.window();
    }

    fn customer(&mut self, time_ns: u64, from: &[&Held], i: u64, victim: IpAddr) {
        if let Some(held) = from.get((i % from.len() as u64) as usize) {
            self.send(time_ns, &Bytes::snapped(&held.to(victim), held.length), Side::Customers);
        }
    }

    fn send(&mut self, time_ns: u64, frame: &Bytes, side: Side) {
        self.env.set_tick(time_ns / (1_000_000_000 / u64::from(HZ)));
        let laid = self.detecting.is_acting();
        let outcome = self.detecting.frame(&mut self.env, time_ns, frame);
        let dropped = u64::from(outcome.drop);
        let attacks = side == Side::Attack && outcome.target != weir_abi::target::NODE;
        if attacks || side == Side::Customers {
            self.by_source(time_ns, frame, attacks);
        }
        let count = &mut self.outcome;
        match side {
            Side::Customers => {
                count.benign_packets += 1;
                count.benign_dropped += dropped;
            }
            // Answers of the victim, and others that happened to be captured, are no attack.
            Side::Attack if outcome.target == weir_abi::target::NODE => {}
            Side::Attack => {
                count.attack_packets += 1;
                count.attack_dropped += dropped;
                count.attack_packets_after += u64::from(laid);
                count.attack_dropped_after += u64::from(laid) * dropped;
            }
        }
    }

    fn by_source(&mut self, time_ns: u64, frame: &Bytes, attacks: bool) {
        let Parsed::Packet(p) = packet::parse(frame) else { return };
        let source = weir_abi::Addr { hi: p.ip.src.0, lo: p.ip.src.1 };
        for (filter, count) in &mut self.by_source {
            let dropped = u64::from(filter.drops(time_ns, source));
            *if attacks { &mut count.attack_dropped } else { &mut count.benign_dropped } += dropped;
        }
    }

    /// What came of an attack that began at a time after [`Self::begin`].
    fn outcome(mut self, onset_ns: u64) -> Outcome {
        self.detecting.flush(&mut self.env);
        let incidents = self.detecting.found(&self.env, self.since);
        let onset = onset_ns as f64 / 1e9;
        let attacks = || incidents.iter().filter(|found| found.label == "ATTACK" && found.detected_s >= onset);
        let soonest = |times: &mut dyn Iterator<Item = f64>| times.reduce(f64::min).map(|time| time - onset);
        let mut outcome = self.outcome;
        outcome.time_to_detect_s = soonest(&mut attacks().map(|found| found.detected_s));
        outcome.time_to_mitigate_s = soonest(&mut attacks().filter_map(|found| found.mitigated_s));
        outcome.detected = outcome.time_to_detect_s.is_some();
        outcome.incidents = incidents;
        outcome.seed_like = self.by_source.iter().map(|(_, count)| *count).collect();
        outcome
    }
}
