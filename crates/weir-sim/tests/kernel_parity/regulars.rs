//! Sources that come regularly, and limiting rules over them, on both sides.

use std::cell::Cell;

use weir_abi::limit::TARGET_UNIT_SHIFT;
use weir_abi::{Addr, Reason};
use weir_core::regulars;
use weir_policy::rules::{Mode, Reach, Rule};
use weir_sim::parity::Hook;

use crate::kernel::takes;
use crate::traffic::packet::from;
use crate::traffic::rich::{self, SERVICES, policy};
use crate::traffic::rng::Rng;
use crate::{alike, both, long};

/// As the group of an address that is written with these decimal digits.
fn to_hex(n: u32) -> u32 {
    n / 10 * 16 + n % 10
}

#[test]
fn regulars_and_limits_by_rule() {
    let rounds = if long() { 100_000 } else { 10_000 };
    let Some(mut parity) = both("regulars_and_limits_by_rule", 43, &weir_policy::TableImage::empty()) else {
        return;
    };
    let hz = weir_datapath::clock::tick_hz();
    // All of the policy's conjunctions limit at one half of the time, and what they match costs sixteen ticks, sixteen of it at once.
    let image = |limits: bool, tick: u64| {
        let mut policy = policy(tick);
        let id = policy.names.intern("all-udp");
        let matches = "udp and payload = \"AAAA\"".parse().expect("a rule");
        policy.rules.truncate(8);
        policy.rules.push(Rule { id, matches, mode: Mode::Shadow, reach: Reach::All });
        let mut image = rich::image(&policy, hz, tick, None);
        for policy in image.policies.iter_mut().skip(1) {
            policy.matched = 1 << (TARGET_UNIT_SHIFT + 4);
            policy.rules = image.rules.live;
        }
        if limits {
            (image.rules.limit, image.rules.enforce) = (image.rules.live, image.rules.enforce & 0x5555);
            image.rules.limit &= !image.rules.enforce;
        }
        image
    };
    let tick = parity.tick();
    parity.apply(&image(true, tick)).unwrap_or_else(|e| panic!("{e}"));
    let held = Cell::new(None);
    parity.configure(|c| held.set(Some(*c)));
    let config = held.into_inner().expect("a configuration");
    let mut rng = Rng(17);
    let services: Vec<_> = SERVICES.iter().filter(|(_, _, proto)| *proto == 17).collect();
    for number in 0..rounds {
        if number % 2000 == 1999 {
            let tick = parity.tick();
            parity.apply(&image(number % 4000 == 3999, tick)).unwrap_or_else(|e| panic!("{e}"));
            // Half of all sources of both families come regularly, or not any more.
            parity.meddle(|state| {
                for host in (0..60).filter(|host| (host + number / 2000) % 2 == 0) {
                    let sources = [
                        Addr::v4(0x0a4d_0009 | host << 8),
                        Addr { hi: 0x2a00_0000_0000_0000 | u64::from(to_hex(host)) << 32, lo: 0 },
                    ];
                    for (target, source) in (1..4).flat_map(|target| sources.map(|source| (target, source))) {
                        let (line, mark) = regulars::place(&config, target, source);
                        let line = &mut state.regulars[line as usize];
                        line.rotate_right(1);
                        line[0] = mark << 8 | host;
                    }
                }
            });
        }
        let (service, port, _) = *services[rng.below(services.len() as u64) as usize];
        let host = rng.below(60);
        let client = if service.contains(':') { format!("2a00:{host}::1") } else { format!("10.77.{host}.9") };
        let payload: &[u8] = if rng.below(2) == 0 { b"AAAAAAAA" } else { b"question" };
        let frame = from(&client, service).udp(4000 + rng.below(4) as u16, port, payload);
        let hook = if number % 3 == 0 { Hook::Tcx } else { Hook::Xdp };
        if takes(hook, &frame) {
            parity.packet(hook, &frame).unwrap_or_else(|e| panic!("{e}"));
        }
    }
    let report = parity.finish();
    alike(&report);
    assert!(report.reasons.keys().any(|(reason, _)| *reason == Reason::RuleLimit), "{:?}", report.reasons);
}
