//! What touches one address: lists, limits, and what the recent samples say of it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use ipnet::IpNet;
use weir_abi::{Addr, Reason};
use weir_api::local::{Explanation, LimitRow, ListHit, ListKind, NodeMode, Outcome, SeenRow, Verdict};
use weir_api::spec::{BlockAction, Cidr, Mode, Moment, Period};
use weir_api::to_policy::Clock;
use weir_policy::limits::Rate;
use weir_policy::model::{self, Policy, RateLimits, Scope};
use weir_policy::prefix::{Prefix, addr_from, ip_from};

use crate::decode;
use crate::engine::Now;
use crate::sampling::Recent;
use crate::view::PolicyView;

/// Collects everything that touches the address. `policy` is the one in force, with its lists.
pub fn explain(ip: IpAddr, policy: &Policy, view: &PolicyView, recent: &Recent, now: Now) -> Explanation {
    let now = Moments { wall: now.wall, clock: view.clock };
    let addr = addr_from(ip);
    let address = ip_from(addr).to_string();
    let mut lists = node_hits(addr, policy, view, &now);
    let outcome = match lists.first().map(|hit| hit.list) {
        None => Outcome::Judged,
        Some(ListKind::NeverBlock | ListKind::Allow) => Outcome::Passed,
        Some(ListKind::Deny | ListKind::Block) if view.mode == Mode::Enforce => Outcome::Dropped,
        Some(ListKind::Deny | ListKind::Block) => Outcome::WouldDrop,
    };
    let summary = summary(&address, outcome, lists.first());
    lists.extend(target_hits(addr, policy, &now));
    Explanation { summary, outcome, lists, limits: limits(view), seen: seen(addr, view, recent), address }
}

fn summary(address: &str, outcome: Outcome, first: Option<&ListHit>) -> String {
    let by = |hit: &ListHit| {
        let until = hit.expires.map(|end| format!(" until {end}")).unwrap_or_default();
        format!("{} list entry {} ({}){until}", hit.list.label(), hit.cidr, hit.rule)
    };
    match (outcome, first) {
        (Outcome::Passed, Some(hit)) => format!("packets from {address} pass: {}", by(hit)),
        (Outcome::Dropped, Some(hit)) => format!("packets from {address} are dropped: {}", by(hit)),
        (Outcome::WouldDrop, Some(hit)) => {
            format!("packets from {address} would be dropped, but the node observes: {}", by(hit))
        }
        _ => format!("{address} is on no list of the node: its packets are judged by their targets' policies"),
    }
}

/// Entries of the node's list, the deciding one first: never-block, then the longest prefix, allow before deny.
fn node_hits(addr: Addr, policy: &Policy, view: &PolicyView, now: &Moments) -> Vec<ListHit> {
    let mut hits = from_policy(addr, policy, now, |scope| scope == Scope::Node, "node");
    let time = Moment::from_system(now.wall);
    for (cidr, entry) in &view.entries {
        let live = entry.expires.is_none_or(|end| end > time);
        if live && Prefix::from(cidr.net()).contains(addr) {
            let list = if entry.action == BlockAction::Allow { ListKind::Allow } else { ListKind::Block };
            let rule = if entry.reason.is_empty() { "at run time".into() } else { entry.reason.clone() };
            let expires = entry.expires;
            hits.push(ListHit { scope: "node".into(), list, cidr: *cidr, rule, expires, decides: false });
        }
    }
    ordered(hits)
}

/// Entries of targets' own lists.
fn target_hits(addr: Addr, policy: &Policy, now: &Moments) -> Vec<ListHit> {
    let mut all = Vec::new();
    for target in &policy.targets {
        let of_target = |scope| matches!(scope, Scope::Set(set) if target.lists.contains(&set));
        if !target.lists.is_empty() {
            all.extend(ordered(from_policy(addr, policy, now, of_target, &target.name)));
        }
    }
    all
}

fn from_policy(
    addr: Addr,
    policy: &Policy,
    now: &Moments,
    wanted: impl Fn(Scope) -> bool,
    scope: &str,
) -> Vec<ListHit> {
    let ticks = now.clock.tick(Moment::from_system(now.wall));
    let entries = policy.lists.iter().filter(|e| e.prefix.contains(addr) && wanted(e.scope));
    entries
        .filter(|e| e.is_live(ticks))
        .map(|e| ListHit {
            scope: scope.to_owned(),
            list: match e.verdict {
                model::Verdict::NeverBlock => ListKind::NeverBlock,
                model::Verdict::Allow => ListKind::Allow,
                model::Verdict::Deny if e.expires.is_some() => ListKind::Block,
                model::Verdict::Deny => ListKind::Deny,
            },
            cidr: cidr(e.prefix),
            rule: policy.names.show(e.rule),
            expires: e.expires.map(|tick| now.of_tick(tick.get())),
            decides: false,
        })
        .collect()
}

fn ordered(mut hits: Vec<ListHit>) -> Vec<ListHit> {
    let rank = |list| match list {
        ListKind::NeverBlock => 0,
        ListKind::Allow => 1,
        ListKind::Deny | ListKind::Block => 2,
    };
    hits.sort_by_key(|hit| {
        let never = hit.list != ListKind::NeverBlock;
        (never, std::cmp::Reverse(hit.cidr.net().prefix_len()), rank(hit.list))
    });
    if let Some(first) = hits.first_mut() {
        first.decides = true;
    }
    hits
}

fn cidr(prefix: Prefix) -> Cidr {
    let ip = ip_from(prefix.addr());
    IpNet::new(ip, prefix.written_len()).map_or(Cidr::from(ip), Cidr::from)
}

/// Now, and how ticks relate to it.
struct Moments {
    wall: SystemTime,
    clock: Clock,
}

impl Moments {
    /// The wall-clock time of a kernel tick.
    fn of_tick(&self, tick: u64) -> Moment {
        let hz = u64::from(self.clock.hz.max(1));
        let span = |ticks: u64| Duration::from_millis(ticks.saturating_mul(1000) / hz);
        let at = match tick.checked_sub(self.clock.ticks) {
            Some(ahead) => self.clock.now.checked_add(span(ahead)),
            None => self.clock.now.checked_sub(span(self.clock.ticks - tick)),
        };
        Moment::from_system(at.unwrap_or(self.wall))
    }
}

/// The limits of every target: they hold for any source that no list passes.
fn limits(view: &PolicyView) -> Vec<LimitRow> {
    let mut rows = Vec::new();
    for target in &view.policy.targets {
        let mode = if target.enforce { NodeMode::Enforce } else { NodeMode::Observe };
        for (scope, limits) in
            [("per_source", target.per_source), ("per_prefix", target.per_prefix), ("per_target", target.per_target)]
        {
            for (dimension, rate) in dimensions(limits) {
                rows.push(LimitRow {
                    target: target.name.clone(),
                    mode,
                    scope: scope.to_owned(),
                    dimension: dimension.to_owned(),
                    average: rate.average,
                    burst: rate.burst,
                    period: Period::try_from(rate.period).map(|p| p.to_string()).unwrap_or_default(),
                });
            }
        }
    }
    rows
}

fn dimensions(limits: RateLimits) -> impl Iterator<Item = (&'static str, Rate)> {
    let all = [("packets", limits.packets), ("bytes", limits.bytes), ("connections", limits.connections)];
    all.into_iter().filter_map(|(name, rate)| Some((name, rate?)))
}

/// What the recent samples say of the address.
fn seen(addr: Addr, view: &PolicyView, recent: &Recent) -> Vec<SeenRow> {
    let mut rows: BTreeMap<(u16, u8, u8), SeenRow> = BTreeMap::new();
    for (time, sample) in recent.iter() {
        if decode::packet(sample).map(|p| decode::source(&p)) != Some(addr) {
            continue;
        }
        let row = rows.entry((sample.target, sample.reason, sample.verdict)).or_insert_with(|| SeenRow {
            target: view.target_name(sample.target.into()),
            reason: decode::reason(sample),
            text: Reason::from_number(sample.reason).map(|r| r.text().to_owned()).unwrap_or_default(),
            verdict: decode::verdict(sample),
            packets_estimate: 0,
            samples: 0,
            // Newest first: the first one seen is the latest.
            last: Moment::from_system(*time),
        });
        row.packets_estimate += u64::from(sample.weight);
        row.samples += 1;
    }
    let mut rows: Vec<SeenRow> = rows.into_values().collect();
    rows.sort_by_key(|row| std::cmp::Reverse((row.verdict != Verdict::Pass, row.packets_estimate)));
    rows
}
