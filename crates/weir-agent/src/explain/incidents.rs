//! Incidents that concern an address: as one of those that send most, as what is attacked, or by a rule that its packets met.

use std::net::IpAddr;

use weir_api::local::{IncidentHit, IncidentRow, RuleHit, SeenRow};
use weir_policy::prefix::{addr_from, ip_from};

use super::Known;
use crate::view::PolicyView;

/// Incidents that are shown at most.
const SHOWN: usize = 50;

/// Those that concern the address, the newest first. `seen`: what recent samples say of it.
pub(super) fn of(ip: IpAddr, view: &PolicyView, known: &Known<'_>, seen: &[SeenRow]) -> Vec<IncidentHit> {
    let attacked: Vec<&str> = attacked(ip, view).collect();
    let is_attacked =
        |row: &IncidentRow| row.targets.iter().chain([&row.target]).any(|t| attacked.contains(&t.as_str()));
    let hits = known.incidents.iter().filter_map(|row| hit(ip, row, is_attacked(row), seen));
    hits.take(SHOWN).collect()
}

/// Targets that are reached at the address.
fn attacked(ip: IpAddr, view: &PolicyView) -> impl Iterator<Item = &str> {
    let at = move |target: &&weir_policy::model::Target| {
        target.endpoints.iter().any(|endpoint| ip_from(addr_from(endpoint.addr)) == ip)
    };
    view.policy.targets.iter().filter(at).map(|target| target.name.as_str())
}

fn hit(ip: IpAddr, row: &IncidentRow, attacked: bool, seen: &[SeenRow]) -> Option<IncidentHit> {
    let top = row.sources.top.iter().find(|top| top.source.parse() == Ok(ip));
    let met = |id: &str| seen.iter().filter(|row| row.rule.as_deref() == Some(id)).map(|row| row.samples).sum::<u64>();
    let rules = row.signatures.iter().map(|rule| RuleHit {
        id: rule.id.clone(),
        rule: rule.rule.clone(),
        in_force: rule.in_force,
        samples: met(&rule.id),
    });
    let rules: Vec<RuleHit> = rules.filter(|rule| attacked || rule.samples > 0).collect();
    if !attacked && top.is_none() && rules.is_empty() {
        return None;
    }
    Some(IncidentHit {
        incident: row.id,
        target: row.target.clone(),
        vector: row.vector.clone(),
        state: row.state.clone(),
        attacked,
        share: top.map(|top| top.share),
        rules,
    })
}
