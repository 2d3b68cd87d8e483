//! What touches one address: lists, limits, incidents, and what the recent samples say of it.

mod incidents;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use ipnet::IpNet;
use weir_abi::{Addr, Reason};
use weir_api::local::{Explanation, IncidentRow, LimitRow, ListHit, ListKind, NodeMode, Outcome, SeenRow, Verdict};
use weir_api::spec::{Cidr, Mode, Moment, Period};
use weir_policy::explain::{Cover, Index};
use weir_policy::limits::Rate;
use weir_policy::model::{self, NameTable, RateLimits, Scope};
use weir_policy::prefix::{Prefix, addr_from, ip_from};

use crate::decode;
use crate::engine::Now;
use crate::sampling::Recent;
use crate::view::PolicyView;

/// The lists in force and the names behind their numbers.
pub struct Lists<'a> {
    /// All entries.
    pub index: &'a Index,
    /// Names.
    pub names: &'a NameTable,
}

/// The incidents that are remembered.
pub struct Known<'a> {
    /// As readers see them, the newest first.
    pub incidents: &'a [IncidentRow],
    /// What incidents' rules are called, by the number in samples.
    pub rules: &'a BTreeMap<u32, RuleName>,
}

/// What an incident's rule is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleName {
    /// The incident.
    pub incident: u64,
    /// Its name, such as `7.3`.
    pub id: String,
    /// What it matches.
    pub text: String,
}

/// Collects everything that touches the address.
pub fn explain(
    ip: IpAddr,
    lists: &Lists<'_>,
    view: &PolicyView,
    known: &Known<'_>,
    recent: &Recent,
    now: Now,
) -> Explanation {
    let addr = addr_from(ip);
    let address = ip_from(addr).to_string();
    let ask = Ask { addr, lists, view, wall: now.wall };
    let mut hits = ask.hits(&[Scope::Node], "node");
    let outcome = match hits.first().map(|hit| hit.list) {
        None => Outcome::Judged,
        Some(ListKind::NeverBlock | ListKind::Allow) => Outcome::Passed,
        Some(ListKind::Deny | ListKind::Block) if view.mode == Mode::Enforce => Outcome::Dropped,
        Some(ListKind::Deny | ListKind::Block) => Outcome::WouldDrop,
    };
    let summary = summary(&address, outcome, hits.first());
    for target in view.policy.targets.iter().filter(|t| !t.lists.is_empty()) {
        let sets: Vec<Scope> = target.lists.iter().map(|set| Scope::Set(*set)).collect();
        hits.extend(ask.hits(&sets, &target.name));
    }
    let seen = seen(addr, view, known, recent);
    let incidents = incidents::of(ip_from(addr), view, known, &seen);
    Explanation { summary, outcome, lists: hits, limits: limits(view), incidents, seen, address }
}

/// One question.
struct Ask<'a> {
    addr: Addr,
    lists: &'a Lists<'a>,
    view: &'a PolicyView,
    wall: SystemTime,
}

impl Ask<'_> {
    /// The entries of these scopes that hold the address, the deciding one first.
    fn hits(&self, scopes: &[Scope], shown: &str) -> Vec<ListHit> {
        let ticks = self.view.clock.tick(Moment::from_system(self.wall));
        let Some(found) = self.lists.index.explain(scopes, self.addr, ticks) else { return Vec::new() };
        let mut hits: Vec<ListHit> =
            std::iter::once(&found.decides).chain(&found.covered_by).map(|cover| self.hit(cover, shown)).collect();
        hits[0].decides = true;
        hits
    }

    fn hit(&self, cover: &Cover, scope: &str) -> ListHit {
        let cidr = cidr(cover.prefix);
        let runtime = self.view.entries.iter().find(|(c, _)| *c == cidr).map(|(_, entry)| entry);
        let name = self.lists.names.show(cover.rule);
        // A runtime entry's rule is named after its prefix; whoever asks wants to know why.
        let rule = match runtime {
            Some(entry) if name == format!("block {cidr}") || name == format!("allow {cidr}") => {
                if entry.reason.is_empty() { "at run time".to_owned() } else { entry.reason.clone() }
            }
            _ => name.clone(),
        };
        let list = match cover.verdict {
            model::Verdict::NeverBlock => ListKind::NeverBlock,
            model::Verdict::Allow => ListKind::Allow,
            model::Verdict::Deny if cover.expires.is_some() || name.to_lowercase().starts_with("block ") => {
                ListKind::Block
            }
            model::Verdict::Deny => ListKind::Deny,
        };
        let expires = cover.expires.map(|tick| self.of_tick(tick));
        ListHit { scope: scope.to_owned(), list, cidr, rule, expires, decides: false }
    }

    /// The wall-clock time of a kernel tick.
    fn of_tick(&self, tick: u64) -> Moment {
        let clock = self.view.clock;
        let hz = u64::from(clock.hz.max(1));
        let span = |ticks: u64| Duration::from_millis(ticks.saturating_mul(1000) / hz);
        let at = match tick.checked_sub(clock.ticks) {
            Some(ahead) => clock.now.checked_add(span(ahead)),
            None => clock.now.checked_sub(span(clock.ticks - tick)),
        };
        Moment::from_system(at.unwrap_or(self.wall))
    }
}

fn cidr(prefix: Prefix) -> Cidr {
    let ip = ip_from(prefix.addr());
    IpNet::new(ip, prefix.written_len()).map_or(Cidr::from(ip), Cidr::from)
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
fn seen(addr: Addr, view: &PolicyView, known: &Known<'_>, recent: &Recent) -> Vec<SeenRow> {
    let mut rows: BTreeMap<(u16, u8, u8, Option<&str>), SeenRow> = BTreeMap::new();
    for (time, sample) in recent.iter() {
        if decode::packet(sample).map(|p| decode::source(&p)) != Some(addr) {
            continue;
        }
        let rule = known.rules.get(&sample.rule).map(|rule| rule.id.as_str());
        let row = rows.entry((sample.target, sample.reason, sample.verdict, rule)).or_insert_with(|| SeenRow {
            target: view.target_name(sample.target.into()),
            reason: decode::reason(sample),
            text: Reason::from_number(sample.reason).map(|r| r.text().to_owned()).unwrap_or_default(),
            verdict: decode::verdict(sample),
            rule: rule.map(str::to_owned),
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
