//! Both directions of a few connections, in any order: handshakes, guesses, data, questions, silence, full lines.

use weir_abi::counters::fact;
use weir_abi::flow::{AGE_MASK, SLOW_UNITS};
use weir_abi::limit::TARGET_UNIT_SHIFT;
use weir_abi::{FEATURE_SLOTS, Limit, Reason};
use weir_sim::parity::{Hook, Parity};

use crate::kernel::{LoadedKernel, takes};
use crate::traffic::packet::{Pair, flag, from};
use crate::traffic::rich::{self, SERVICES, policy};
use crate::traffic::rng::Rng;
use crate::{alike, both, long};

/// What the two ends may say: flags, and whether with payload.
const SAYINGS: [(u8, bool); 9] = [
    (flag::SYN, false),
    (flag::SYN | flag::ACK, false),
    (flag::ACK, false),
    (flag::ACK, false),
    (flag::ACK | flag::PSH, true),
    (flag::ACK | flag::FIN, false),
    (flag::ACK | flag::FIN | flag::PSH, true),
    (flag::RST, false),
    (flag::RST | flag::ACK, false),
];

fn one<T: Copy>(rng: &mut Rng, all: &[T]) -> T {
    all[rng.below(all.len() as u64) as usize]
}

/// A frame of one of few connections, and whether the host sends it.
fn next(rng: &mut Rng) -> (bool, Vec<u8>) {
    let (service, port, proto) = one(rng, &SERVICES);
    let hosts = if service.contains(':') { ["2a00:1::1", "fd00:9::1"] } else { ["10.2.2.2", "172.17.0.1"] };
    let pair: Pair = from(one(rng, &hosts), service);
    let outward = rng.below(2) == 0;
    let remote = 4000 + rng.below(12) as u16;
    if proto == 17 || rng.below(8) == 0 {
        let (near, far) = (one(rng, &[port, 40_000, 123]), one(rng, &[53, 123, 9999]));
        let frame = if outward { pair.back().udp(near, far, b"q") } else { pair.udp(far, near, b"a") };
        return (outward, frame);
    }
    let (flags, payload) = one(rng, &SAYINGS);
    let payload = vec![b'd'; if payload { one(rng, &[4, 4, 128, 129, 1200, 1201]) } else { 0 }];
    // Numbers that fit now and then.
    let numbers = (100 + rng.below(2) as u32, 100 + rng.below(3) as u32);
    let frame = if outward {
        pair.back().segment((port, remote), flags, numbers, &payload)
    } else {
        pair.segment((remote, port), flags, numbers, &payload)
    };
    (outward, frame)
}

/// A connection of each service in which a client asks; and what it says after a while of silence: a little more, an answer, and a question that it
/// does not wait for.
fn slow() -> [Vec<(bool, Vec<u8>)>; 2] {
    let mut both = [Vec::new(), Vec::new()];
    for (service, port, _) in SERVICES.into_iter().filter(|(.., proto)| *proto == 6) {
        let pair = from(if service.contains(':') { "2a00:1::1" } else { "10.2.2.2" }, service);
        let says = |flags, numbers, payload: &[u8]| (false, pair.segment((5000, port), flags, numbers, payload));
        let hears = |flags, payload: &[u8]| (true, pair.back().segment((port, 5000), flags, (100, 2), payload));
        let (data, rest) = (flag::ACK | flag::PSH, (1, 101));
        both[0].extend([
            says(flag::SYN, (0, 0), b""),
            hears(flag::SYN | flag::ACK, b""),
            says(flag::ACK, rest, b""),
            says(data, rest, b"GET /"),
        ]);
        both[1].extend([
            says(data, rest, b"X: y"),
            hears(data, b"page"),
            says(data, rest, b"GET /"),
            says(flag::RST, rest, b""),
        ]);
    }
    both
}

fn play(parity: &mut Parity<LoadedKernel>, frames: Vec<(bool, Vec<u8>)>) {
    for (outward, frame) in frames {
        let hook = if outward { Hook::Egress } else { Hook::Xdp };
        parity.packet(hook, &frame).unwrap_or_else(|e| panic!("{e}"));
    }
}

#[test]
fn connections_of_both_directions() {
    let packets = if long() { 200_000 } else { 20_000 };
    let Some(mut parity) = both("connections_of_both_directions", 31, &weir_policy::TableImage::empty()) else {
        return;
    };
    let hz = weir_datapath::clock::tick_hz();
    let mut image = rich::image(&policy(parity.tick()), hz, parity.tick(), None);
    let cost = 1u64 << TARGET_UNIT_SHIFT;
    for policy in image.policies.iter_mut().skip(1).step_by(2) {
        policy.strangers = Limit { cost, window: 4 * cost };
    }
    parity.apply(&image).unwrap_or_else(|e| panic!("{e}"));
    let mut rng = Rng(7);
    for number in 0..packets {
        let (outward, frame) = next(&mut rng);
        let hook = match (outward, number % 3) {
            (true, _) => Hook::Egress,
            (false, 0) => Hook::Tcx,
            (false, _) => Hook::Xdp,
        };
        if takes(hook, &frame) {
            parity.packet(hook, &frame).unwrap_or_else(|e| panic!("{e}"));
        }
        if number % 250 == 0 {
            let [before, after] = slow();
            play(&mut parity, before);
            // As after a while of silence, whatever the time is.
            let older = |mark: &mut u32| *mark = *mark & !AGE_MASK | mark.wrapping_sub(SLOW_UNITS) & AGE_MASK;
            parity.meddle(|state| state.flows.iter_mut().flatten().filter(|mark| **mark != 0).for_each(older));
            play(&mut parity, after);
        }
        if number == packets / 2 {
            parity.configure(|c| c.connections = 0);
        }
        if number == packets * 3 / 4 {
            parity.configure(|c| c.connections = 1);
        }
    }
    let mut features = Vec::new();
    parity.meddle(|state| features.clone_from(&state.features));
    for fact in [fact::COMPLETED, fact::WAIT_BEGUN, fact::WAIT_ENDED, fact::WAIT_FED] {
        let seen: u64 = features.iter().skip(fact.into()).step_by(FEATURE_SLOTS).sum();
        println!("slot {fact}: {seen}");
        assert!(seen >= 10, "slot {fact} was counted {seen} times");
    }
    let report = parity.finish();
    alike(&report);
    for reason in [Reason::KnownFlow, Reason::Strangers] {
        assert!(report.reasons.keys().any(|(r, _)| *r == reason), "{reason:?}: {:?}", report.reasons);
    }
}
