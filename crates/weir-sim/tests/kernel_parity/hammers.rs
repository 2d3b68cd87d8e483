//! A flood of connections, on both sides: who had its share, what else it asks for, and who is barred for it.

use weir_abi::limit::{Limits, SOURCE_UNIT_SHIFT};
use weir_abi::policy::flag as policy_flag;
use weir_abi::{Limit, Reason};
use weir_sim::parity::Hook;

use crate::kernel::takes;
use crate::traffic::packet::{Pair, flag, from};
use crate::traffic::rich::{self, SERVICES, policy};
use crate::traffic::rng::Rng;
use crate::{alike, both, long};

#[test]
fn who_asks_for_more_than_its_share_is_barred() {
    let rounds = if long() { 20_000 } else { 2_000 };
    let Some(mut parity) = both("who_asks_for_more_than_its_share_is_barred", 59, &weir_policy::TableImage::empty())
    else {
        return;
    };
    let hz = weir_datapath::clock::tick_hz();
    let mut image = rich::image(&policy(parity.tick()), hz, parity.tick(), None);
    // Four in a second, and ten at once: a share is used up sooner than it grows, and there are moments enough in which more is asked for.
    let cost = (u64::from(hz) << SOURCE_UNIT_SHIFT) / 4;
    for policy in image.policies.iter_mut().skip(1) {
        policy.flags |= policy_flag::SHARED;
        // And no other limits that would be met before.
        let none = Limit { cost: 0, window: 0 };
        let none = Limits { packets: none, bytes: none, syns: none };
        (policy.source, policy.prefix, policy.target) = (none, none, none);
        policy.source.syns = Limit { cost, window: 10 * cost };
    }
    parity.apply(&image).unwrap_or_else(|e| panic!("{e}"));
    let mut rng = Rng(23);
    let services: Vec<_> = SERVICES.iter().filter(|(_, _, proto)| *proto == 6).collect();
    for number in 0..rounds {
        if number % 600 == 0 {
            // As after a while: there are shares again, and after minutes those who were barred come again.
            parity.meddle(|state| {
                state.sources.iter_mut().for_each(|line| line.fill(0));
                if number % 1800 == 0 {
                    state.proven.iter_mut().flatten().for_each(|mark| *mark = 0);
                }
            });
        }
        let (service, port, _) = *services[rng.below(services.len() as u64) as usize];
        let host = rng.below(2);
        let client = if service.contains(':') { format!("2a00:{host}::1") } else { format!("10.77.{host}.9") };
        let pair: Pair = from(&client, service);
        let ports = (4000 + rng.below(60_000) as u16, port);
        let hook = if number % 3 == 0 { Hook::Tcx } else { Hook::Xdp };
        let says = |flags, numbers, payload: &[u8]| pair.segment(ports, flags, numbers, payload);
        let mut play = |hook, frame: &[u8]| {
            if takes(hook, frame) {
                parity.packet(hook, frame).unwrap_or_else(|e| panic!("{e}"));
            }
        };
        play(hook, &says(flag::SYN, (0, 0), b""));
        play(Hook::Egress, &pair.back().segment((port, ports.0), flag::SYN | flag::ACK, (100, 2), b""));
        play(hook, &says(flag::ACK, (1, 101), b""));
        play(hook, &says(flag::ACK | flag::PSH, (1, 101), b"GET /"));
    }
    let report = parity.finish();
    alike(&report);
    for reason in [Reason::SourceSyns, Reason::Barred] {
        let seen: u64 = report.reasons.iter().filter(|((r, _), _)| *r == reason).map(|(_, n)| *n).sum();
        println!("{reason:?}: {seen}");
        assert!(seen >= 10, "{reason:?}: {:?}", report.reasons);
    }
}
