//! Challenged SYNs on both sides: who is asked, what is sent back to the last bit, who is proven, and what comes again.

use std::collections::BTreeSet;

use weir_abi::challenge::{PROVEN_UNITS, reply};
use weir_abi::flow::AGE_MASK;
use weir_abi::limit::TARGET_UNIT_SHIFT;
use weir_abi::policy::flag as policy_flag;
use weir_abi::{Limit, Reason};
use weir_sim::parity::Hook;

use crate::kernel::takes;
use crate::traffic::packet::{Pair, flag, from, tagged};
use crate::traffic::rich::{self, SERVICES, policy};
use crate::traffic::rng::Rng;
use crate::{alike, both, long};

/// Where the TCP header begins behind the link header.
fn tcp_at(frame: &[u8]) -> usize {
    if frame[12..14] == [0x86, 0xdd] { 54 } else { 34 }
}

fn word(frame: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([frame[at], frame[at + 1], frame[at + 2], frame[at + 3]])
}

/// As a sender leaves the checksum to hardware: the sum of the pseudo header, not complemented.
fn unfinished(mut frame: Vec<u8>) -> Vec<u8> {
    let at = tcp_at(&frame);
    let addresses = if at == 54 { 22..54 } else { 26..34 };
    let length = (frame.len() - at) as u32;
    let sum: u32 = frame[addresses].chunks(2).map(|c| u32::from(u16::from_be_bytes([c[0], c[1]]))).sum();
    let sum = sum + 6 + length;
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    frame[at + 16..at + 18].copy_from_slice(&(sum as u16).to_be_bytes());
    frame
}

#[test]
fn challenges_and_what_comes_of_them() {
    let rounds = if long() { 60_000 } else { 6_000 };
    let Some(mut parity) = both("challenges_and_what_comes_of_them", 41, &weir_policy::TableImage::empty()) else {
        return;
    };
    let hz = weir_datapath::clock::tick_hz();
    let mut image = rich::image(&policy(parity.tick()), hz, parity.tick(), None);
    let cost = 1u64 << TARGET_UNIT_SHIFT;
    for policy in image.policies.iter_mut().skip(1) {
        policy.flags |= policy_flag::CHALLENGE;
        policy.retries = Limit { cost, window: 4 * cost };
    }
    parity.apply(&image).unwrap_or_else(|e| panic!("{e}"));
    // Short enough for a test, long enough for its ticks.
    parity.configure(|c| (c.reply, c.retry_least, c.retry_most) = (reply::TRANSMIT, 2, 40));
    let mut rng = Rng(11);
    let services: Vec<_> = SERVICES.iter().filter(|(_, _, proto)| *proto == 6).collect();
    let mut replied = BTreeSet::new();
    for number in 0..rounds {
        if number % 1000 == 500 {
            let path = [reply::STACK, reply::NONE, reply::PROBE, reply::TRANSMIT][(number / 1000) as usize % 4];
            parity.configure(|c| c.reply = path);
        }
        if number % 400 == 0 {
            // As after half an hour and more.
            let old = PROVEN_UNITS - 2 + rng.below(5) as u32;
            parity.meddle(|state| {
                state.proven.iter_mut().flatten().filter(|mark| **mark != 0).for_each(|mark| {
                    *mark = *mark & !AGE_MASK | mark.wrapping_sub(old) & AGE_MASK;
                });
            });
        }
        let (service, port, _) = *services[rng.below(services.len() as u64) as usize];
        let host = rng.below(40);
        let client = if service.contains(':') { format!("2a00:{host}::1") } else { format!("10.77.{host}.9") };
        let pair: Pair = from(&client, service);
        let remote = 4000 + rng.below(4) as u16;
        let numbers = (rng.below(3) as u32, 0);
        let mut syn = pair.segment((remote, port), flag::SYN, numbers, b"");
        let hook = if number % 3 == 0 { Hook::Tcx } else { Hook::Xdp };
        match rng.below(12) {
            0 => syn = unfinished(syn),
            // A test run at tcx keeps the tag in the frame, as XDP does.
            1 => syn = tagged(0x8100, 7, &syn),
            2 => syn = pair.segment((remote, port), flag::SYN, numbers, b"early data"),
            3 => syn = pair.segment((remote, port), flag::SYN | flag::RST, numbers, b""),
            _ => {}
        }
        if !takes(hook, &syn) {
            continue;
        }
        let Some(reply) = parity.packet(hook, &syn).unwrap_or_else(|e| panic!("{e}")) else { continue };
        if reply[12..14] == [0x81, 0x00] {
            replied.insert("tagged");
            continue;
        }
        replied.insert(if tcp_at(&reply) == 54 { "IPv6" } else { "IPv4" });
        // It is seen on its way out where it takes the stack.
        parity.packet(Hook::Egress, &reply).unwrap_or_else(|e| panic!("{e}"));
        let ack = word(&reply, tcp_at(&reply) + 8);
        if rng.below(3) == 0 {
            let wrong = rng.below(2) as u32;
            let rst = pair.segment((remote, port), flag::RST, (ack ^ wrong, 0), b"");
            parity.packet(hook, &rst).unwrap_or_else(|e| panic!("{e}"));
        }
    }
    let report = parity.finish();
    alike(&report);
    assert_eq!(replied, BTreeSet::from(["IPv4", "IPv6", "tagged"]));
    let reasons = [
        Reason::Challenged,
        Reason::ChallengeAnswer,
        Reason::Proven,
        Reason::ChallengeRetry,
        Reason::TransmittedAnswer,
    ];
    for reason in reasons {
        assert!(report.reasons.keys().any(|(r, _)| *r == reason), "{reason:?}: {:?}", report.reasons);
    }
}
