//! Attacks that try to be missed: spread over many victims, in pulses, of several kinds, slow, growing, or in customers' clothes.

use weir_datapath::traffic::{Payload, Ports, Source, Stream};

use super::frames::*;
use super::policy::{Policy, neighbours, pod, web};
use super::{Asks, Attack, Learns, Scenario};
use crate::plan::{DNS_PORT, HTTP_PORT};
use crate::server::dns;

/// Addresses that a carpet covers, in each IP version; the shop is one of them.
const VICTIMS: u16 = 32;

fn bare_syns() -> [Stream; 2] {
    [
        v4("spoofed v4", 3, Source::any_v4(), tcp(HTTP_PORT, SYN), Payload::none()),
        v6("spoofed v6", 1, Source::any_v6(), tcp(HTTP_PORT, SYN), Payload::none()),
    ]
}

fn reflected(name: &str, port: u16, size: u16) -> Stream {
    v4(name, 2, Source::any_v4(), udp(Ports::one(port), DNS_PORT), Payload::zeros(size))
}

/// One flood, spread thin.
pub const CARPET_BOMBING: Scenario = Scenario {
    name: "carpet-bombing",
    about: "SYNs and NTP answers for 64 addresses of the pods' network at once: each target sees a small part",
    attack: Attack::Flood(|| {
        let [v4, v6] = bare_syns();
        [v4, v6, reflected("NTP", 123, 440)].map(|stream| carpet(stream, VICTIMS)).to_vec()
    }),
    pps: 500_000,
    // Each address is a target of its own: no counter adds them up.
    policy: || Policy::of(&neighbours(VICTIMS)),
    learns: Learns::Connections,
    expected: &["rule"],
    asks: Asks::Stop,
};

/// On and off, and something else each time.
pub const PULSE_WAVE: Scenario = Scenario {
    name: "pulse-wave",
    about: "six pulses of a second, a second of quiet after each: SYNs, DNS answers, NTP answers, and all again",
    attack: Attack::Pulses(|| {
        vec![bare_syns().to_vec(), vec![reflected("DNS", 53, 512)], vec![reflected("NTP", 123, 440)]]
    }),
    pps: 600_000,
    policy: || Policy::of(&[pod("")]),
    learns: Learns::Connections,
    expected: &["rule"],
    asks: Asks::Stop,
};

/// Several at once.
pub const MIXED_VECTORS: Scenario = Scenario {
    name: "mixed-vectors",
    about: "SYNs, DNS and NTP answers and echo requests at once, every source forged",
    attack: Attack::Flood(|| {
        let mut streams = bare_syns().to_vec();
        streams.extend([reflected("DNS", 53, 512), reflected("NTP", 123, 440)]);
        streams.extend(pings());
        streams
    }),
    pps: 600_000,
    // Echo requests look like anybody's: that the shop serves none is for its operator to say.
    policy: || Policy::of(&[pod("  hygiene: {protocols: [TCP, UDP]}\n")]),
    learns: Learns::Connections,
    expected: &["rule", "protocol_not_served"],
    asks: Asks::Stop,
};

/// Below every threshold of volume.
pub const LOW_AND_SLOW: Scenario = Scenario {
    name: "low-and-slow",
    about: "a hundred SYNs a second, every source forged: a third of what customers send, and no volume sees it",
    attack: Attack::Flood(|| bare_syns().to_vec()),
    pps: 100,
    policy: || Policy::of(&[web("")]),
    learns: Learns::Rates,
    expected: &["rule"],
    asks: Asks::Stop,
};

/// Slow enough, its maker hopes, to pass for the new usual.
pub const BOILING_FROG: Scenario = Scenario {
    name: "boiling-frog",
    about: "questions for names that double from second to second, to teach Weir that a flood is usual",
    attack: Attack::Growing(questions),
    pps: 600_000,
    policy: || Policy::of(&[pod("")]),
    learns: Learns::Rates,
    expected: &["rule"],
    asks: Asks::Stop,
};

/// What no header tells from customers, and no challenge either: UDP has none.
pub const MIMICRY: Scenario = Scenario {
    name: "mimicry",
    about: "questions that are like customers' in every field, every source forged: no filter may be made of them",
    attack: Attack::Flood(|| {
        let question = || Payload { bytes: dns::question(0x7777), zeros: 0..=0 };
        let to_names = || udp(LINUX_PORTS, DNS_PORT);
        vec![
            as_customers_arrive(v4("spoofed v4", 1, Source::any_v4(), to_names(), question())),
            as_customers_arrive(v6("spoofed v6", 1, Source::any_v6(), to_names(), question())),
        ]
    }),
    pps: 500_000,
    policy: || Policy::of(&[pod("")]),
    learns: Learns::Rates,
    expected: &[],
    asks: Asks::NoHarm,
};
