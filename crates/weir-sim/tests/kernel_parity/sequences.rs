//! Packets that depend on those before them: limits that fill and drain, blocks that end, fragments, tables that change while
//! all that goes on, and cells as only a long time would leave them.

use weir_abi::Reason;
use weir_abi::config::node_flag;
use weir_policy::{Policy, TableImage};
use weir_sim::parity::{Hook, Parity, Report};

use crate::kernel::LoadedKernel;
use crate::traffic::generate::Generator;
use crate::traffic::packet::{Piece, flag, from, tcp, udp};
use crate::traffic::rich::{self, SERVICES, SOURCES4, SOURCES6, policy, variants};
use crate::traffic::rng::Rng;
use crate::{alike, both};

/// Both sides with policies that change.
struct Sequence {
    parity: Parity<LoadedKernel>,
    in_force: TableImage,
    hz: u32,
}

impl Sequence {
    fn begin(test: &str, seed: u64) -> Option<Self> {
        let parity = both(test, seed, &TableImage::empty())?;
        Some(Self { parity, in_force: TableImage::empty(), hz: weir_datapath::clock::tick_hz() })
    }

    /// The full policy, whose timed entries begin to run now.
    fn full(&mut self) {
        self.apply(&policy(self.parity.tick()));
    }

    fn apply(&mut self, policy: &Policy) {
        self.in_force = rich::image(policy, self.hz, self.parity.tick(), Some(&self.in_force));
        self.parity.apply(&self.in_force).unwrap_or_else(|e| panic!("{e}"));
    }

    fn send(&mut self, frame: &[u8]) {
        self.parity.packet(Hook::Xdp, frame).unwrap_or_else(|e| panic!("{e}"));
    }

    /// Sends these frames in turn until the kernel's tick is so many further.
    fn send_for(&mut self, ticks: u64, frames: &[Vec<u8>]) {
        let end = self.parity.tick() + ticks;
        for frame in frames.iter().cycle() {
            if self.parity.tick() >= end {
                return;
            }
            self.send(frame);
        }
    }

    /// Zero differences, and these outcomes among the others.
    #[track_caller]
    fn end(self, reached: &[Reason]) -> Report {
        let report = self.parity.finish();
        alike(&report);
        for reason in reached {
            let seen = report.reasons.keys().any(|(r, _)| r == reason);
            assert!(seen, "{reason:?} was not reached: {:?}", report.reasons);
        }
        report
    }
}

/// Every limit fills, refuses and drains, over a quarter of a second each.
#[test]
fn limits_across_ticks() {
    let Some(mut sequence) = Sequence::begin("limits_across_ticks", 11) else { return };
    sequence.full();
    // Four of one network, so that it reaches its limit before they reach theirs, and one whom no target's list knows.
    let senders4 = ["10.2.2.2", "10.2.2.4", "10.2.2.5", "10.2.2.6", "172.17.0.1"];
    let senders6 = ["2a00:1::1", "2a00:1:0:1::1", "2a00:1:0:2::1", "2a00:1:0:3::1", "fd00:9::1"];
    for (dst, port, proto) in SERVICES {
        let senders = if dst.contains(':') { senders6 } else { senders4 };
        let frames: Vec<_> = senders
            .iter()
            .flat_map(|src| {
                let pair = from(src, dst);
                match proto {
                    6 => vec![pair.syn(40000, port), pair.tcp(40000, port, flag::ACK, &[0; 900])],
                    _ => vec![pair.udp(40000, port, &[0; 1200])],
                }
            })
            .collect();
        sequence.send_for(60, &frames);
    }
    sequence.end(&[
        Reason::SourcePackets,
        Reason::SourceBytes,
        Reason::SourceSyns,
        Reason::PrefixPackets,
        Reason::PrefixBytes,
        Reason::PrefixSyns,
        Reason::TargetPackets,
        Reason::TargetBytes,
        Reason::TargetSyns,
    ]);
}

/// Entries of every list end one after the other while their senders go on sending.
#[test]
fn blocks_that_end() {
    let Some(mut sequence) = Sequence::begin("blocks_that_end", 12) else { return };
    sequence.full();
    let mut frames = Vec::new();
    for src in SOURCES4 {
        frames.extend(["192.0.2.1", "192.0.2.2"].map(|dst| from(src, dst).udp(40000, 53, b"who")));
    }
    for src in SOURCES6 {
        frames.extend(["2001:db8:1::1", "2001:db8:1::2"].map(|dst| from(src, dst).udp(40000, 53, b"who")));
    }
    // The last one ends after 700 ticks.
    sequence.send_for(750, &frames);
    sequence.end(&[
        Reason::Blocked,
        Reason::DenyListed,
        Reason::DenyScoped,
        Reason::AllowListed,
        Reason::AllowScoped,
        Reason::NeverBlock,
        Reason::Clean,
    ]);
}

/// First, later, overlapping, repeated, tiny and stray fragments in every order, before and after the time-out.
#[test]
fn fragments_in_every_order() {
    let Some(mut sequence) = Sequence::begin("fragments_in_every_order", 13) else { return };
    sequence.full();
    let mut rng = Rng(14);
    let mut pieces = Vec::new();
    for (src, dst) in [
        ("10.2.2.2", "192.0.2.1"),
        ("2a00:1::1", "2001:db8:1::1"),
        ("10.2.2.2", "192.0.2.3"),
        ("10.2.2.2", "192.0.2.5"),
    ] {
        for (id, sport) in [(1, 40000), (2, 11211)] {
            let datagram = udp(sport, 53, &[7; 152]);
            let segment = tcp(40000, 443, flag::SYN);
            let mut piece = |proto, offset: u16, more, bytes: &[u8]| {
                pieces.push(from(src, dst).piece(Piece { id, offset, more }, proto, bytes));
            };
            piece(17, 0, true, &datagram[..80]);
            piece(17, 80, true, &datagram[80..120]);
            piece(17, 120, false, &datagram[120..]);
            piece(17, 72, true, &datagram[72..96]);
            piece(17, 96, true, &datagram[96..128]);
            piece(6, 0, true, &segment[..8]);
            piece(6, 8, false, &segment[8..]);
        }
    }
    for round in 0..300 {
        for _ in 0..40 {
            let piece = rng.pick(&pieces);
            sequence.send(&piece);
        }
        // The slots forget after one to two coarse ticks of 64.
        if round % 100 == 99 {
            sequence.send_for(130, &[from("10.2.2.2", "192.0.2.99").echo()]);
        }
    }
    sequence.end(&[
        Reason::FragmentFollows,
        Reason::FragmentFollowsDrop,
        Reason::FragmentOverlap,
        Reason::FragmentTiny,
        Reason::FragmentRefused,
        Reason::FragmentUnmatched,
        Reason::FragmentUnmatchedLimit,
    ]);
}

/// Tables change every few packets: what was charged, remembered and counted under one policy meets the next.
#[test]
fn tables_that_change_under_the_traffic() {
    let Some(mut sequence) = Sequence::begin("tables_that_change_under_the_traffic", 15) else { return };
    let mut rng = Rng(16);
    let mut generator = Generator::new(17, 1500, Vec::new());
    for _ in 0..60 {
        let policy = rng.pick(&variants(sequence.parity.tick()));
        sequence.apply(&policy);
        for _ in 0..=rng.below(200) {
            let frame = generator.next();
            if frame.len() >= 14 {
                sequence.send(&frame);
            }
        }
    }
    sequence.end(&[Reason::NoTarget, Reason::Clean]);
}

/// Lines not touched for an epoch, for two, for ever, or tidied by a CPU that is ahead; target cells before and behind now;
/// fragment slots of other times. No test can wait for the clock to wrap.
#[test]
fn cells_that_time_has_left_behind() {
    let Some(mut sequence) = Sequence::begin("cells_that_time_has_left_behind", 18) else { return };
    sequence.full();
    let mut rng = Rng(19);
    let mut generator = Generator::new(20, 1500, Vec::new());
    for _ in 0..60 {
        let tick = sequence.parity.tick();
        sequence.parity.meddle(|state| {
            for line in state.sources.iter_mut().chain(&mut state.source_prefixes) {
                line.iter_mut().for_each(|word| *word = rng.next() as u32);
                line[8] = ((tick >> 16) as u32).wrapping_add(1).wrapping_sub(rng.below(4) as u32);
                if rng.one_in(8) {
                    line.fill(0);
                }
            }
            for word in state.targets.iter_mut().flatten() {
                let near = (tick << 32).wrapping_add(rng.next() >> 20).wrapping_sub(rng.next() >> 20);
                *word = if rng.one_in(4) { rng.next() } else { near };
            }
            for slot in &mut state.fragments {
                let word = rng.below(6) as usize;
                if let Some(word) = slot.get_mut(word) {
                    *word ^= 1 << rng.below(64);
                }
            }
        });
        for _ in 0..150 {
            let frame = generator.next();
            if frame.len() >= 14 {
                sequence.send(&frame);
            }
        }
    }
    sequence.end(&[Reason::SourcePackets, Reason::Clean]);
}

/// Devices without a link header.
#[test]
fn frames_that_begin_with_ip() {
    let Some(mut sequence) = Sequence::begin("frames_that_begin_with_ip", 21) else { return };
    sequence.full();
    sequence.parity.configure(|c| c.flags |= node_flag::NO_LINK);
    let mut generator = Generator::new(22, 1500, Vec::new());
    for _ in 0..5_000 {
        let frame = generator.next();
        if let Some(packet) = frame.get(14..).filter(|p| p.len() >= 14) {
            sequence.send(packet);
        }
    }
    sequence.end(&[Reason::Clean, Reason::NotForUs, Reason::Ip4BadTotalLength]);
}
