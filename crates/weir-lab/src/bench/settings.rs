//! What Weir is asked to do in each measurement: one protected service and more or less of the pipeline.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::{Context, Result, anyhow};
use weir_abi::config::node_flag;
use weir_abi::{RuleTables, TargetKey, TargetPolicy};
use weir_datapath::clock;
use weir_policy::limits::Rate;
use weir_policy::model::{Endpoint, Policy, RateLimits, Target};
use weir_policy::rules::{Mode, Reach, Rule};
use weir_policy::{CompileOptions, TableImage, compile};

/// The protected service.
pub const SERVICE_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 9, 1));
/// The same in IPv6.
pub const SERVICE_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd77, 9, 0, 0, 0, 0, 0, 1));
/// Its TCP port.
pub const WEB: u16 = 80;
/// Its UDP port.
pub const DNS: u16 = 53;

/// The per-source limit of all floods.
pub const SOURCE_LIMIT: Rate = Rate::per_second(2000, 4000);
/// Low enough that nearly all that the source limit lets through is dropped, after everything else was done to it: what
/// passes would cost the stack behind it, and the bench would measure that.
const TARGET_TINY: Rate = Rate::per_second(1000, 1000);
/// High enough for a test run's millions of packets in a row.
const SOURCE_AMPLE: Rate = Rate::per_second(100_000, 25_000_000);
const TARGET_AMPLE: Rate = Rate::per_second(1_000_000, 1_000_000_000);

/// What the bench's rules look at last.
#[derive(Debug, Clone, Copy)]
pub enum Last {
    /// The last byte of a SYN's window, after protocol, ports and flags.
    Window,
    /// The layout of a SYN's options, after the IP header.
    Layout,
    /// The eighth byte of a segment's payload, after everything else.
    Payload,
}

/// How much of the pipeline runs. The default is all of it, with limits that a flood exceeds.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The node's deny list is looked at.
    pub lists: bool,
    /// There is a target; without it nothing below happens.
    pub target: bool,
    /// Safe hygiene filters, bogon filter and fragment tracking.
    pub hygiene: bool,
    /// A limit of packets per source.
    pub source: Option<Rate>,
    /// A limit of packets for the target.
    pub per_target: Option<Rate>,
    /// 64 live rules that do not match.
    pub rules: bool,
    /// What rules look at last.
    pub last: Last,
}

impl Setting {
    /// Everything; floods end at the limits.
    pub const FLOOD: Setting = Setting {
        lists: true,
        target: true,
        hygiene: true,
        source: Some(SOURCE_LIMIT),
        per_target: Some(TARGET_TINY),
        rules: true,
        last: Last::Window,
    };

    /// Everything; packets pass.
    pub const PASS: Setting = Setting { source: Some(SOURCE_AMPLE), per_target: Some(TARGET_AMPLE), ..Setting::FLOOD };

    /// Only parsing.
    pub const NOTHING: Setting = Setting {
        lists: false,
        target: false,
        hygiene: false,
        source: None,
        per_target: None,
        rules: false,
        last: Last::Window,
    };
}

/// A setting as the tables have it, apart from the lists.
#[derive(Debug, Clone)]
pub struct Compiled {
    /// Flags of the node, those of the lists apart.
    pub flags: u32,
    /// Destinations.
    pub targets: Vec<(TargetKey, u32)>,
    /// Policies by target.
    pub policies: Vec<TargetPolicy>,
    /// Rules.
    pub rules: Box<RuleTables>,
}

impl Setting {
    /// Compiles it.
    pub fn compile(&self) -> Result<Compiled> {
        let mut policy = Policy { enforce_node: true, ..Policy::default() };
        let mut target = Target::new("bench/service");
        let endpoint = |addr, port, proto| Endpoint { addr, port, proto };
        target.endpoints =
            [SERVICE_V4, SERVICE_V6].iter().flat_map(|&ip| [endpoint(ip, WEB, 6), endpoint(ip, DNS, 17)]).collect();
        target.enforce = true;
        target.hygiene.tcp_flags = self.hygiene;
        target.hygiene.land = self.hygiene;
        target.hygiene.port_zero = self.hygiene;
        target.hygiene.bogons = self.hygiene;
        target.per_source = RateLimits { packets: self.source, ..RateLimits::default() };
        target.per_target = RateLimits { packets: self.per_target, ..RateLimits::default() };
        policy.targets.push(target);
        for i in 0..64 {
            let id = policy.names.intern(&format!("bench rule {i}"));
            let matches = rule(i, self.last).parse().with_context(|| rule(i, self.last))?;
            policy.rules.push(Rule { id, matches, mode: Mode::Enforce, reach: Reach::All });
        }
        let options = CompileOptions::new(clock::tick_hz(), 1);
        let TableImage { node_flags, targets, mut policies, rules, .. } =
            compile(&policy, &options, None).map_err(|errors| anyhow!("the bench's policy: {errors}"))?.image;
        if !self.rules {
            policies.iter_mut().for_each(|policy| policy.rules = 0);
        }
        let flags = if self.target { node_flags } else { node_flags & !node_flag::TARGETS };
        Ok(Compiled { flags, targets, policies, rules })
    }
}

/// Half of the rules name another service's traffic and are out after the first bytes; the other half agree with the bench's
/// packets in all but what they look at last.
fn rule(i: usize, last: Last) -> String {
    match (i % 2, last) {
        (0, _) => format!("udp and dport {} and ttl ~64", 20_000 + i),
        (_, Last::Window) => format!("tcp and dport {WEB} and flags = syn and window {}", 64_000 + i),
        (_, Last::Layout) => format!("tcp and dport {WEB} and flags = syn and ttl 64 and layout {}", 100 + i),
        (_, Last::Payload) => {
            let head = format!("tcp and dport {WEB} and flags = ack and ttl 64 and payload");
            format!("{head} and payload = 0x00000000000000{:02x}", 100 + i)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_compile() {
        for setting in [
            Setting::FLOOD,
            Setting::PASS,
            Setting::NOTHING,
            Setting { last: Last::Layout, ..Setting::FLOOD },
            Setting { last: Last::Payload, ..Setting::FLOOD },
        ] {
            let compiled = setting.compile().expect("a policy");
            assert_eq!(compiled.rules.live, u64::MAX, "{setting:?}");
            let service = compiled.policies.last().expect("a target");
            assert_eq!(service.rules, if setting.rules { u64::MAX } else { 0 });
        }
    }
}
