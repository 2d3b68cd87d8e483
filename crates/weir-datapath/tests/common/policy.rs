//! Policies of the tests, and their tables.

use std::net::{Ipv4Addr, Ipv6Addr};

use weir_abi::Addr;
use weir_datapath::clock;
use weir_policy::model::{Endpoint, ListEntry, Policy, Target, Verdict};
use weir_policy::rules::{Mode, Reach, Rule};
use weir_policy::{CompileOptions, Prefix, TableImage, compile};

use super::frames::SERVICE;
use super::world::NODE;

/// Id of the one target of [`shop`].
pub const SHOP: u32 = 1;
/// A customer whom no list knows.
pub const CUSTOMER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
/// A sender on the deny list.
pub const DENIED: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 66);
/// The exception in the denied network.
pub const EXCEPTED: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 9);

/// An IPv4 prefix.
pub fn net4(address: Ipv4Addr, len: u8) -> Prefix {
    Prefix::new(Addr::v4(address.into()), 96 + len).expect("a length of an IPv4 prefix")
}

/// An IPv6 prefix.
pub fn net6(address: Ipv6Addr, len: u8) -> Prefix {
    Prefix::new(Addr::v6(address.octets()), len).expect("a length of an IPv6 prefix")
}

/// A deny-listed network with an exception; a target on the node's UDP service and all its TCP; a rule against NTP answers.
pub fn shop() -> Policy {
    let mut policy = Policy { enforce_node: true, drop_malformed: true, failsafe: Vec::new(), ..Policy::default() };
    let (bad, office, ntp) =
        (policy.names.intern("known-bad"), policy.names.intern("office"), policy.names.intern("ntp-answers"));
    policy.lists.push(ListEntry::new(net4(DENIED, 24), Verdict::Deny, bad));
    policy.lists.push(ListEntry::new(net4(EXCEPTED, 32), Verdict::Allow, office));
    let at = |port, proto| Endpoint { addr: NODE.into(), port, proto };
    let endpoints = vec![at(SERVICE, 17), at(0, 6)];
    policy.targets.push(Target { endpoints, enforce: true, ..Target::new("default/shop") });
    policy.rules.push(Rule {
        id: ntp,
        matches: "udp and sport 123".parse().expect("a rule"),
        mode: Mode::Enforce,
        reach: Reach::All,
    });
    policy
}

/// Its tables.
pub fn image(policy: &Policy) -> TableImage {
    image_after(policy, None, 0)
}

/// The tables that follow others, at a tick.
pub fn image_after(policy: &Policy, previous: Option<&TableImage>, now: u64) -> TableImage {
    compile(policy, &CompileOptions::new(clock::tick_hz(), now), previous).expect("the policy compiles").image
}
