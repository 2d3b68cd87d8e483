//! The rules there are, the policy's and incidents', as people see them.

use std::time::SystemTime;

use weir_abi::Counter;
use weir_abi::policy::feed::AT_ONCE;
use weir_abi::policy::flag;
use weir_api::local::{RuleAction, RuleRow, Standing};
use weir_api::spec::Moment;
use weir_detect::incident::{Life, Release, State};
use weir_detect::lay::Word;
use weir_detect::record::Incident;
use weir_detect::signature::Use;
use weir_policy::image::TableImage;
use weir_policy::rules::{Mode, Reach};

use super::detect::{Detection, matched};
use super::seconds::POLL;
use super::{Engine, PolicyView};
use crate::cases::{Case, CaseRule};
use crate::datapath::DatapathError;

impl Engine {
    /// All rules: those of the policy, then those of incidents, the newest incident first.
    pub(super) fn rule_rows(&mut self) -> Result<Vec<RuleRow>, DatapathError> {
        self.count_rules()?;
        let (image, policy) = (self.datapath.image(), self.view.policy());
        let mut rows = Vec::new();
        if !policy.policy.rules.is_empty() {
            let counters = &self.view.traffic().rules;
            rows.extend(policy.policy.rules.iter().map(|rule| of_policy(rule, image, &policy, counters)));
        }
        let detection = &self.detection;
        let mut incidents: Vec<&Incident> = detection.incidents.iter().collect();
        incidents.reverse();
        for incident in incidents {
            let Some(case) = detection.cases.get(incident.id) else { continue };
            rows.extend(detection.rules_of(incident, case, image));
        }
        Ok(rows)
    }
}

impl Detection {
    /// The rules of one incident.
    fn rules_of(&self, incident: &Incident, case: &Case, image: &TableImage) -> Vec<RuleRow> {
        let policy = |target: u32| image.policies.get(target as usize);
        let enforces = case.tolls.targets().any(|target| policy(target).is_some_and(|p| p.has(flag::ENFORCE)));
        let name = |target: u32| image.names.target(target).map_or_else(|| format!("#{target}"), str::to_owned);
        let all = match incident.targets.as_slice() {
            [] => vec![incident.target],
            several => several.to_vec(),
        };
        let written = |rule: &&CaseRule| incident.signature.rules.iter().any(|s| s.matches == rule.signed.matches);
        let row = |id: String, rule: String, stands: Stands, since: SystemTime| RuleRow {
            id,
            incident: Some(incident.id),
            rule,
            targets: all.iter().map(|target| name(*target)).collect(),
            action: stands.action,
            standing: stands.standing,
            why: stands.why.to_owned(),
            since: Some(Moment::from_system(since)),
            ends: stands.ends,
            ends_at: stands.ends_at.map(Moment::from_system),
            ruling: None,
            matched_packets: None,
            coverage: None,
            collateral: None,
        };
        let of_rule = |rule: &CaseRule, stands: Stands| RuleRow {
            ruling: rule.ruling,
            matched_packets: rule.matched(),
            coverage: Some(rule.signed.coverage),
            collateral: Some(rule.signed.collateral),
            ..row(rule.name(incident.id), rule.text.clone(), stands, rule.since)
        };
        if let Some(life) = self.judge.life(incident.id).filter(|_| case.open) {
            let end = self.end(life);
            let limiting: Vec<_> = self.judge.limiting(incident.id).map(|(_, limited)| limited).collect();
            let rules = case.rules.iter().filter(written).map(|rule| {
                let laid = self.judge.rules_of_incidents().filter(|(_, of, ..)| *of == incident.id);
                let laid = laid.filter(|(_, _, signed, _)| signed.matches == rule.signed.matches);
                let (targets, drops): (Vec<u32>, Vec<bool>) = laid.map(|(target, .., drops)| (target, drops)).unzip();
                let asked = (!drops.is_empty()).then(|| drops.contains(&true));
                let limits = limiting.iter().any(|limited| limited.matches.contains(&rule.signed.matches));
                let mut row = of_rule(rule, stands(rule, enforces, asked, limits, life, &end));
                if !targets.is_empty() {
                    row.targets = targets.into_iter().map(name).collect();
                }
                row
            });
            // Of several targets each has its own limit: the widest is told. Wide ones are gone before the incident is over.
            let limit = |name: &str, text: String| {
                let (action, standing, why) = if enforces {
                    (RuleAction::Limit, Standing::InForce, "the target enforces")
                } else {
                    (RuleAction::Count, Standing::Waiting, OBSERVES)
                };
                let stands = Stands { action, standing, why, ends: end.0.clone(), ends_at: end.1 };
                row(format!("{}.{name}", incident.id), text, stands, case.since)
            };
            let strays = self.judge.holding(incident.id).map(|(_, strays)| strays).max();
            let strays =
                strays.map(|n| limit(LIMITS[0], format!("packets of no known connection, over {n} per second")));
            let others = limiting.iter().max_by_key(|limited| limited.packets).map(|limited| {
                let (n, what) = (limited.packets, limited.told());
                limit(LIMITS[1], format!("{what}, of sources that do not come regularly, over {n} per second"))
            });
            let shares = self.judge.shared().filter(|(_, of, _)| *of == incident.id).map(|(.., share)| share).max();
            let shares = shares.map(|n| {
                limit(
                    LIMITS[2],
                    format!(
                        "new connections of one source, over {n} per second, or four times that if it comes regularly"
                    ),
                )
            });
            let closes = self.judge.closing().find(|(_, of, _)| *of == incident.id).map(|(.., shift)| {
                let n = AT_ONCE << shift;
                limit(LIMITS[3], format!("connections that one source keeps waiting, over {n} at once"))
            });
            return rules.chain(strays).chain(others).chain(shares).chain(closes).collect();
        }
        let Some(left) = self.judge.sleeping(incident.id) else { return Vec::new() };
        let rules = case.rules.iter().filter(written).map(|rule| {
            of_rule(
                rule,
                Stands {
                    action: action(rule, enforces, rule.signed.may == Use::Drop),
                    standing: Standing::Sleeping,
                    why: "its incident is over: it wakes when the same attack returns",
                    ends: "it is forgotten a day after its incident ended".to_owned(),
                    ends_at: Some(self.last() + windows(left)),
                },
            )
        });
        rules.collect()
    }

    /// What ends the answer to an incident, and when that is as things are now.
    fn end(&self, life: &Life) -> (String, Option<SystemTime>) {
        let (from, to) = (windows(life.hold()).as_secs(), windows(life.end()).as_secs());
        // What was done is taken back in steps.
        let when = if from == to { from.to_string() } else { format!("{from} to {to}") };
        let text = format!("{when} s after the attack is felt for the last time");
        (text, (life.state == State::Watching).then(|| self.last() + windows(life.left())))
    }
}

/// What stands for a number where an incident limits: strangers, sources that do not come regularly, each source's new connections, and those that it
/// keeps waiting.
pub(super) const LIMITS: [&str; 4] = ["limit", "regular", "source", "waiting"];

const OBSERVES: &str = "its target observes";

/// How a rule stands.
struct Stands {
    action: RuleAction,
    standing: Standing,
    why: &'static str,
    ends: String,
    ends_at: Option<SystemTime>,
}

fn windows(n: u64) -> std::time::Duration {
    POLL * u32::try_from(n).unwrap_or(u32::MAX)
}

/// What a rule does where it is in the tables.
fn action(rule: &CaseRule, enforces: bool, drops: bool) -> RuleAction {
    let approved = rule.said() == Some(Word::Approved);
    if approved || enforces && drops { RuleAction::Drop } else { RuleAction::Count }
}

/// How a rule of an incident that goes on stands. `asked`: whether detection lets it drop, where it is asked for at all; `limits`:
/// what it matches is held to a limit.
fn stands(
    rule: &CaseRule,
    enforces: bool,
    asked: Option<bool>,
    limits: bool,
    life: &Life,
    end: &(String, Option<SystemTime>),
) -> Stands {
    let (standing, why) = match (rule.in_force, rule.signed.may, enforces) {
        _ if rule.said() == Some(Word::Rejected) => (Standing::Rejected, "a person withdrew it"),
        _ if asked.is_none() => (Standing::Waiting, "it is in force once it was seen to match at three targets"),
        (false, ..) => (Standing::NoRoom, "the tables have no room for it: 64 conjunctions can be in force at once"),
        _ if rule.said() == Some(Word::Approved) => (Standing::InForce, "a person approved it"),
        (_, Use::Limit, true) if limits => (Standing::InForce, "too little is known of customers to drop by it"),
        (_, Use::Limit, _) => (Standing::Waiting, "too little is known of customers to drop by it"),
        (_, _, false) => (Standing::Waiting, OBSERVES),
        (_, Use::Drop, true) if asked == Some(true) => (Standing::InForce, "the target enforces"),
        _ if life.release() != Release::None => {
            (Standing::Waiting, "the attack is not felt any more, and what was done is taken back in steps")
        }
        _ => (Standing::Waiting, "it is on trial: a new rule counts for a window before it drops"),
    };
    let action = match (standing, rule.signed.may) {
        (Standing::InForce, Use::Limit) if limits && rule.said().is_none() => RuleAction::Limit,
        _ => action(rule, enforces, asked == Some(true)),
    };
    Stands { action, standing, why, ends: end.0.clone(), ends_at: end.1 }
}

/// A rule of the policy.
fn of_policy(
    rule: &weir_policy::rules::Rule,
    image: &TableImage,
    policy: &PolicyView,
    counters: &[(u32, Counter)],
) -> RuleRow {
    let slots = (0u64..).zip(&image.rules.owner).filter(|(_, owner)| **owner == rule.id);
    let slots = slots.fold(0, |bits, (slot, _)| bits | 1u64 << slot) & image.rules.live;
    let reached = policy.policy.targets.iter().filter(|target| match &rule.reach {
        Reach::All => true,
        Reach::Targets(names) => names.contains(&target.name),
    });
    let reached: Vec<_> = reached.collect();
    let enforces = reached.iter().any(|target| target.enforce);
    let (action, standing, why) = match rule.mode {
        Mode::Insist => (RuleAction::Drop, Standing::InForce, "the policy says so"),
        Mode::Enforce if enforces => (RuleAction::Drop, Standing::InForce, "the policy says so"),
        Mode::Enforce => (RuleAction::Count, Standing::Waiting, "the targets that it reaches observe"),
        Mode::Limit if enforces => (RuleAction::Limit, Standing::InForce, "the policy says so"),
        Mode::Limit => (RuleAction::Count, Standing::Waiting, "the targets that it reaches observe"),
        Mode::Shadow => (RuleAction::Count, Standing::InForce, "the policy says so"),
        Mode::Dormant => (RuleAction::Count, Standing::Sleeping, "the policy says so"),
    };
    RuleRow {
        id: policy.rule_name(rule.id).unwrap_or_else(|| format!("#{}", rule.id)),
        incident: None,
        rule: rule.matches.to_string(),
        targets: reached.iter().map(|target| target.name.clone()).collect(),
        action,
        standing,
        why: why.to_owned(),
        since: None,
        ends: "the policy".to_owned(),
        ends_at: None,
        ruling: None,
        matched_packets: Some(matched(counters, slots)),
        coverage: None,
        collateral: None,
    }
}
