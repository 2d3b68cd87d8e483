//! Generated packets by the ten thousand, or by the million, under a policy that asks for everything and changes.

use weir_sim::parity::{Hook, Report};

use crate::kernel::{longest, takes};
use crate::traffic::generate::Generator;
use crate::traffic::rich::{image, variants};
use crate::traffic::rng::Rng;
use crate::{alike, both, golden, long};

pub fn seeds() -> Vec<Vec<u8>> {
    golden::all().into_iter().map(|(_, frame)| frame).collect()
}

/// Sends packets to one hook while the policy changes now and then.
fn run(test: &str, hook: Hook, packets: u64) -> Option<Report> {
    let seed = 0x5eed + packets;
    let hz = weir_datapath::clock::tick_hz();
    let mut parity = both(test, seed, &weir_policy::TableImage::empty())?;
    let mut generator = Generator::new(seed, longest(hook), seeds());
    let mut rng = Rng(seed ^ 1);
    let mut in_force = weir_policy::TableImage::empty();
    let mut sent = 0;
    while sent < packets {
        // Timed entries run from the moment of the change; most end before the next one.
        if sent % 5_000 == 0 {
            let policies = variants(parity.tick());
            // Every other time the full policy.
            let at = if sent % 10_000 == 0 { 0 } else { rng.below(policies.len() as u64) as usize };
            in_force = image(&policies[at], hz, parity.tick(), Some(&in_force));
            parity.apply(&in_force).unwrap_or_else(|e| panic!("{e}"));
        }
        let frame = generator.next();
        if takes(hook, &frame) {
            parity.packet(hook, &frame).unwrap_or_else(|e| panic!("{e}"));
            sent += 1;
        }
    }
    Some(parity.finish())
}

#[test]
fn generated_packets_at_xdp() {
    let packets = if long() { 1_000_000 } else { 50_000 };
    let Some(report) = run("generated_packets_at_xdp", Hook::Xdp, packets) else { return };
    alike(&report);
    assert_eq!(report.packets, packets);
    // Every outcome that packets of 14 bytes and more can have, but for a few that only time or chance bring about.
    assert!(report.reasons.len() > 80, "the generator covers less than it did: {:?}", report.reasons);
}

#[test]
fn generated_packets_at_tcx() {
    let packets = if long() { 250_000 } else { 20_000 };
    let Some(report) = run("generated_packets_at_tcx", Hook::Tcx, packets) else { return };
    alike(&report);
    assert_eq!(report.packets, packets);
}
