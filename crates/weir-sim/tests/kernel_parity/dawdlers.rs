//! Connections that are kept waiting, on both sides: who feeds too many of them, what becomes of the packet to the last bit, and who opens no others.

use std::collections::BTreeSet;

use weir_abi::counters::fact;
use weir_abi::flow::{AGE_MASK, SLOW_UNITS};
use weir_abi::policy::flag as policy_flag;
use weir_abi::{FEATURE_SLOTS, Reason};
use weir_sim::parity::Hook;

use crate::kernel::takes;
use crate::traffic::packet::{Pair, flag, from, tagged};
use crate::traffic::rich::{self, SERVICES, policy};
use crate::traffic::rng::Rng;
use crate::{alike, both, long};

const SAYS: u8 = flag::ACK | flag::PSH;

#[test]
fn who_feeds_too_many_is_reset_and_refused() {
    let rounds = if long() { 20_000 } else { 2_000 };
    let Some(mut parity) = both("who_feeds_too_many_is_reset_and_refused", 53, &weir_policy::TableImage::empty())
    else {
        return;
    };
    let hz = weir_datapath::clock::tick_hz();
    let mut image = rich::image(&policy(parity.tick()), hz, parity.tick(), None);
    let mut rng = Rng(17);
    for policy in image.policies.iter_mut().skip(1) {
        policy.flags |= policy_flag::CLOSE;
        policy.feed_shift = rng.below(3) as u16;
    }
    parity.apply(&image).unwrap_or_else(|e| panic!("{e}"));
    let services: Vec<_> = SERVICES.iter().filter(|(_, _, proto)| *proto == 6).collect();
    let mut changed = BTreeSet::new();
    for number in 0..rounds {
        if number % 400 == 0 {
            // As after minutes: those who were refused come again, and what they fed is long ago.
            parity.meddle(|state| {
                state.proven.iter_mut().flatten().for_each(|mark| *mark = 0);
                state.sources.iter_mut().for_each(|line| line.fill(0));
            });
        }
        let (service, port, _) = *services[rng.below(services.len() as u64) as usize];
        let host = rng.below(2);
        let client = if service.contains(':') { format!("2a00:{host}::1") } else { format!("10.77.{host}.9") };
        let pair: Pair = from(&client, service);
        let ports = (4000 + rng.below(8) as u16, port);
        let hook = if number % 3 == 0 { Hook::Tcx } else { Hook::Xdp };
        let says = |flags, numbers, payload: &[u8]| pair.segment(ports, flags, numbers, payload);
        let hears = |flags| pair.back().segment((port, ports.0), flags, (100, 2), b"");
        let mut play = |hook, frame: &[u8]| {
            if takes(hook, frame) { parity.packet(hook, frame).unwrap_or_else(|e| panic!("{e}")) } else { None }
        };
        play(hook, &says(flag::SYN, (0, 0), b""));
        play(Hook::Egress, &hears(flag::SYN | flag::ACK));
        play(hook, &says(flag::ACK, (1, 101), b""));
        play(hook, &says(SAYS, (1, 101), b"GET /"));
        parity.meddle(|state| {
            let older = |mark: &mut u32| *mark = *mark & !AGE_MASK | mark.wrapping_sub(SLOW_UNITS) & AGE_MASK;
            state.flows.iter_mut().flatten().filter(|mark| **mark != 0).for_each(older);
        });
        let line = vec![b'x'; 1 + rng.below(130) as usize];
        let flags = [SAYS, flag::ACK, SAYS | flag::URG][rng.below(3) as usize];
        let mut frame = says(flags, (rng.below(1 << 32) as u32, 101), &line);
        if rng.below(4) == 0 {
            frame = tagged(0x8100, 7, &frame);
        }
        let reset =
            if takes(hook, &frame) { parity.packet(hook, &frame).unwrap_or_else(|e| panic!("{e}")) } else { None };
        if reset.is_some() {
            changed.insert((hook == Hook::Xdp, service.contains(':'), frame[12] == 0x81));
        }
    }
    let mut features = Vec::new();
    parity.meddle(|state| features.clone_from(&state.features));
    for fact in [fact::WAIT_FED, fact::WAIT_FED_BEYOND, fact::WAIT_ENDED, fact::DAWDLER] {
        let seen: u64 = features.iter().skip(fact.into()).step_by(FEATURE_SLOTS).sum();
        println!("slot {fact}: {seen}");
        assert!(seen >= 10, "slot {fact} was counted {seen} times");
    }
    let report = parity.finish();
    alike(&report);
    assert_eq!(changed.len(), 8, "both hooks, both families, with a tag and without: {changed:?}");
    for reason in [Reason::KeptWaiting, Reason::Dawdler] {
        assert!(report.reasons.keys().any(|(r, _)| *r == reason), "{reason:?}: {:?}", report.reasons);
    }
}
