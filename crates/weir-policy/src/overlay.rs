//! Rules of incidents over a compiled policy: they come and go within milliseconds, and nothing else is compiled again for them.

use weir_abi::policy::flag;
use weir_abi::rules::SLOTS;
use weir_abi::{Limit, RuleTables, TargetPolicy};

use crate::diff::{Diff, Step};
use crate::image::TableImage;
use crate::rules::{self, Match, Mode, Reach, Rule, RuleError, tables};

/// Owners from here on are incidents' rules; those of the policy are numbered from 1 by its names, and never so many.
pub const FIRST: u32 = 1 << 31;

/// A rule that an incident asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetRule {
    /// At least [`FIRST`]; told in samples.
    pub id: u32,
    /// What it matches.
    pub matches: Match,
    /// What it does.
    pub mode: Mode,
    /// Targets whose packets it may match, by id.
    pub targets: Vec<u32>,
}

/// What a target takes of packets of no known connection while it is attacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetStrays {
    /// The target, by id.
    pub target: u32,
    /// Packets, all of the target's together.
    pub limit: Limit,
}

/// What a target takes of packets that limiting rules match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetLimit {
    /// The target, by id.
    pub target: u32,
    /// What a packet costs, in units of a target's cell.
    pub cost: u64,
}

/// New connections that a target takes of each source while it is attacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetShare {
    /// The target, by id.
    pub target: u32,
    /// SYNs of one source.
    pub limit: Limit,
}

/// Connections that each source may keep waiting while a target is attacked by that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetClosing {
    /// The target, by id.
    pub target: u32,
    /// As many times as many as it says where none usually are ([`TargetPolicy::feed_shift`]).
    pub feed_shift: u16,
}

/// All that incidents ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Rules.
    pub rules: Vec<TargetRule>,
    /// Limits for packets of no known connection.
    pub strays: Vec<TargetStrays>,
    /// Limits for what rules match that limit.
    pub limited: Vec<TargetLimit>,
    /// Limits for the new connections of each source, where policies have none of their own.
    pub shared: Vec<TargetShare>,
    /// Targets whose SYNs are to be challenged, by id, where their policies leave that to detection.
    pub challenged: Vec<u32>,
    /// Targets whose sources are not to keep many connections waiting.
    pub closed: Vec<TargetClosing>,
}

impl Asked {
    /// Whether they ask for nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What becomes of an image under rules of incidents.
#[derive(Clone, Debug)]
pub struct Overlay {
    /// The steps: at most three, none where nothing changes.
    pub diff: Diff,
    /// Rules that found no room or cannot match, by their place; the others are in force.
    pub errors: Vec<(usize, RuleError)>,
    /// The conjunctions of each rule, as bits.
    pub slots: Vec<u64>,
}

/// The change that puts these rules and limits, and no others of incidents, over the image. Rules that stay keep their slots and counters.
pub fn overlay(image: &TableImage, asked: &Asked) -> Overlay {
    let Asked { rules: wanted, strays, limited, shared, challenged, closed } = asked;
    let own = slots_of(&image.rules, |owner| owner < FIRST);
    let as_rules = wanted.iter().map(|rule| Rule {
        id: rule.id,
        matches: rule.matches.clone(),
        mode: rule.mode,
        reach: Reach::All,
    });
    let built = rules::build_beside(&as_rules.collect::<Vec<_>>(), Some(&image.rules), own);
    let mut next = tables::empty();
    let kept = built.slots.iter().fold(0, |all, slots| all | slots);
    copy(&image.rules, own, &mut next);
    copy(&built.tables, kept, &mut next);
    let mut policies = image.policies.clone();
    for (id, policy) in (0u32..).zip(&mut policies) {
        policy.rules &= own;
        policy.strangers = Limit::default();
        policy.matched = 0;
        policy.flags &= !flag::CLOSE;
        policy.feed_shift = 0;
        if policy.has(flag::SHARED) {
            policy.source.syns = Limit::default();
            policy.flags &= !flag::SHARED;
        }
        // Only where detection is asked: the flag that says so is never with the one that challenges always.
        if policy.has(flag::CHALLENGE_AUTO) {
            let on = if challenged.contains(&id) { flag::CHALLENGE } else { 0 };
            policy.flags = policy.flags & !flag::CHALLENGE | on;
        }
    }
    for held in strays {
        if let Some(policy) = policies.get_mut(held.target as usize) {
            policy.strangers = held.limit;
        }
    }
    for held in limited {
        if let Some(policy) = policies.get_mut(held.target as usize) {
            policy.matched = held.cost;
        }
    }
    for share in shared {
        if let Some(policy) = policies.get_mut(share.target as usize).filter(|policy| may_share(policy)) {
            policy.source.syns = share.limit;
            policy.flags |= flag::SHARED;
        }
    }
    for closing in closed {
        if let Some(policy) = policies.get_mut(closing.target as usize) {
            policy.flags |= flag::CLOSE;
            policy.feed_shift = closing.feed_shift;
        }
    }
    for (rule, slots) in wanted.iter().zip(&built.slots) {
        for target in &rule.targets {
            if let Some(policy) = policies.get_mut(*target as usize) {
                policy.rules |= slots;
            }
        }
    }
    let mut steps = Vec::new();
    // Between the steps a new rule is in the tables and nobody's, or an old one is somebody's and gone: both pass. A slot that
    // gets another rule while someone still asks for the old one would not: there it is given up first.
    let moved = moved(&image.rules, &next);
    let mut between = image.policies.clone();
    between.iter_mut().for_each(|policy| policy.rules &= !moved);
    if between != image.policies {
        steps.push(Step::Policies(between.clone()));
    }
    if next != image.rules {
        steps.push(Step::Rules(next));
    }
    if policies != between {
        steps.push(Step::Policies(policies));
    }
    Overlay { diff: Diff { steps, torn: Vec::new() }, errors: built.errors, slots: built.slots }
}

/// Whether incidents may limit the new connections of a target's sources: its policy does not, or it is an incident's limit that is there.
pub fn may_share(policy: &TargetPolicy) -> bool {
    policy.source.syns.cost == 0 || policy.has(flag::SHARED)
}

/// Slots in use whose owner is of a kind.
fn slots_of(tables: &RuleTables, is: impl Fn(u32) -> bool) -> u64 {
    let used = tables::used(tables);
    let owners = tables.owner.iter().enumerate().filter(|(slot, owner)| used >> slot & 1 != 0 && is(**owner));
    owners.fold(0, |bits, (slot, _)| bits | 1 << slot)
}

/// Slots that hold something in both, and not the same.
fn moved(old: &RuleTables, new: &RuleTables) -> u64 {
    let both = tables::used(old) & tables::used(new);
    let owner = |t: &RuleTables, slot: usize| t.owner.get(slot).copied();
    let differs =
        |slot: &usize| tables::read(old, *slot) != tables::read(new, *slot) || owner(old, *slot) != owner(new, *slot);
    (0..SLOTS).filter(|slot| both >> slot & 1 != 0).filter(differs).fold(0, |bits, slot| bits | 1 << slot)
}

fn copy(from: &RuleTables, slots: u64, to: &mut RuleTables) {
    for (slot, owner) in from.owner.iter().enumerate().filter(|(slot, _)| slots >> slot & 1 != 0) {
        if let Some(conjunction) = tables::read(from, slot) {
            tables::write(to, slot, &conjunction, *owner);
        }
    }
    to.live |= from.live & slots;
    to.enforce |= from.enforce & slots;
    to.insist |= from.insist & slots;
    to.limit |= from.limit & slots;
    to.known |= from.known & slots;
}

#[cfg(test)]
mod tests {
    //! They come, stay, go, and leave the policy's own rules alone.
    use super::*;
    use crate::model::{Endpoint, Policy, Target};
    use crate::{CompileOptions, compile};

    fn image(own: &[&str]) -> TableImage {
        let mut policy = Policy::default();
        let endpoint = Endpoint { addr: [192, 0, 2, 1].into(), port: 443, proto: 6 };
        policy.targets.push(Target { endpoints: vec![endpoint], ..Target::new("shop") });
        for text in own {
            let id = policy.names.intern(text);
            policy.rules.push(Rule { id, matches: text.parse().unwrap(), mode: Mode::Enforce, reach: Reach::All });
        }
        compile(&policy, &CompileOptions::new(250, 0), None).unwrap().image
    }

    fn rule(id: u32, text: &str) -> TargetRule {
        TargetRule { id: FIRST + id, matches: text.parse().unwrap(), mode: Mode::Enforce, targets: vec![1] }
    }

    fn asked(rules: Vec<TargetRule>, strays: Vec<TargetStrays>) -> Asked {
        Asked { rules, strays, ..Asked::default() }
    }

    #[test]
    fn rules_come_and_go_over_those_of_the_policy() {
        let before = image(&["udp and sport 123"]);
        let mut after = before.clone();
        let first = overlay(&after, &asked(vec![rule(1, "tcp and ttl 7"), rule(2, "udp and sport 53")], Vec::new()));
        assert!(first.errors.is_empty());
        first.diff.apply(&mut after);
        assert_eq!((after.policies[1].rules.count_ones(), after.rules.enforce.count_ones()), (3, 3));
        assert_eq!(after.policies[0].rules, before.policies[0].rules, "other targets are left alone");
        let second = overlay(&after, &asked(vec![rule(2, "udp and sport 53")], Vec::new()));
        assert_eq!(second.slots[0], first.slots[1], "what stays keeps its slot");
        second.diff.apply(&mut after);
        assert_eq!(after.rules.enforce.count_ones(), 2);
        overlay(&after, &asked(Vec::new(), Vec::new())).diff.apply(&mut after);
        assert_eq!(after, before);
        assert!(overlay(&after, &asked(Vec::new(), Vec::new())).diff.steps.is_empty());
    }

    #[test]
    fn the_policys_rules_are_never_pushed_out() {
        let ports = (1..=60).map(|port| format!("udp and sport {port}")).collect::<Vec<_>>();
        let before = image(&ports.iter().map(String::as_str).collect::<Vec<_>>());
        let wanted = (1..=10).map(|i| rule(i, &format!("tcp and ttl {i}"))).collect::<Vec<_>>();
        let laid = overlay(&before, &asked(wanted, Vec::new()));
        assert_eq!(laid.errors.len(), 6, "{:?}", laid.errors);
        let mut after = before.clone();
        laid.diff.apply(&mut after);
        assert_eq!((after.rules.live, after.rules.live & before.rules.live), (u64::MAX, before.rules.live));
        // Every slot is taken: another incident's rules get those of the first, which are given up before.
        let others = (11..=14).map(|i| TargetRule { targets: Vec::new(), ..rule(i, &format!("tcp and ttl {i}")) });
        let second = overlay(&after, &asked(others.collect(), Vec::new()));
        let [Step::Policies(between), Step::Rules(_)] = &second.diff.steps[..] else { panic!("{:?}", second.errors) };
        assert_eq!(between[1].rules, before.policies[1].rules);
        overlay(&after, &asked(Vec::new(), Vec::new())).diff.apply(&mut after);
        assert_eq!(after, before);
    }

    #[test]
    fn syns_are_challenged_where_the_policy_leaves_it_to_detection() {
        let mut before = image(&[]);
        before.policies.resize(4, before.policies[1]);
        let kinds = [0, flag::CHALLENGE_AUTO, flag::CHALLENGE, 0];
        for (policy, kind) in before.policies.iter_mut().zip(kinds) {
            policy.flags = policy.flags & !(flag::CHALLENGE | flag::CHALLENGE_AUTO) | kind;
        }
        let mut after = before.clone();
        let all = Asked { challenged: vec![1, 2, 3, 99], ..Asked::default() };
        let laid = overlay(&after, &all);
        assert_eq!(laid.diff.steps.len(), 1);
        laid.diff.apply(&mut after);
        let challenges = |image: &TableImage| image.policies.iter().map(|p| p.has(flag::CHALLENGE)).collect::<Vec<_>>();
        assert_eq!(challenges(&after), [false, true, true, false]);
        assert!(overlay(&after, &all).diff.steps.is_empty());
        overlay(&after, &Asked::default()).diff.apply(&mut after);
        assert_eq!(after, before, "what the policy asks for itself stays");
    }

    /// A limit for strangers' packets comes and goes with the incident, by one step each.
    #[test]
    fn strays_are_held_and_let_go() {
        let before = image(&["udp and sport 123"]);
        let mut after = before.clone();
        let held = TargetStrays { target: 1, limit: Limit { cost: 7, window: 70 } };
        let nobody = TargetStrays { target: 99, ..held };
        let laid = overlay(&after, &asked(Vec::new(), vec![held, nobody]));
        assert_eq!(laid.diff.steps.len(), 1);
        laid.diff.apply(&mut after);
        assert_eq!((after.policies[0], after.policies[1].strangers), (before.policies[0], held.limit));
        assert!(
            overlay(&after, &asked(Vec::new(), vec![held])).diff.steps.is_empty(),
            "what stays is not written again"
        );
        overlay(&after, &asked(Vec::new(), Vec::new())).diff.apply(&mut after);
        assert_eq!(after.policies, before.policies);
    }

    /// A limit for each source comes and goes, and one of the policy's own stays as it is.
    #[test]
    fn sources_share_where_the_policy_does_not_say_how_much() {
        let mut before = image(&["udp and sport 123"]);
        let mut after = before.clone();
        let asked = Asked {
            shared: vec![
                TargetShare { target: 1, limit: Limit { cost: 7, window: 70 } },
                TargetShare { target: 99, limit: Limit::default() },
            ],
            ..Asked::default()
        };
        overlay(&after, &asked).diff.apply(&mut after);
        assert_eq!(
            (after.policies[1].source.syns, after.policies[0]),
            (Limit { cost: 7, window: 70 }, before.policies[0])
        );
        assert!(may_share(&after.policies[1]) && overlay(&after, &asked).diff.steps.is_empty());
        overlay(&after, &Asked::default()).diff.apply(&mut after);
        assert_eq!(after, before);
        before.policies[1].source.syns = Limit { cost: 3, window: 30 };
        assert!(!may_share(&before.policies[1]) && overlay(&before, &asked).diff.steps.is_empty());
    }

    /// What keeps a target's connections waiting is closed while an incident asks for that, and others' are left alone.
    #[test]
    fn connections_are_closed_and_let_be() {
        let before = image(&[]);
        let mut after = before.clone();
        let asked =
            Asked { closed: [1, 99].map(|target| TargetClosing { target, feed_shift: 3 }).into(), ..Asked::default() };
        let laid = overlay(&after, &asked);
        assert_eq!(laid.diff.steps.len(), 1);
        laid.diff.apply(&mut after);
        let closes = after.policies.iter().map(|policy| policy.has(flag::CLOSE)).collect::<Vec<_>>();
        assert_eq!(closes.iter().filter(|closes| **closes).count(), 1);
        assert_eq!(after.policies[1].feed_shift, 3);
        assert!(closes[1] && overlay(&after, &asked).diff.steps.is_empty());
        overlay(&after, &Asked::default()).diff.apply(&mut after);
        assert_eq!(after, before);
    }

    /// A rule that limits comes with the limit, drops nothing by itself, and both go together.
    #[test]
    fn a_rule_that_limits_comes_and_goes_with_its_limit() {
        let before = image(&["udp and sport 123"]);
        let mut after = before.clone();
        let limiting = TargetRule { mode: Mode::Limit, ..rule(1, "udp") };
        let asked = Asked { limited: vec![TargetLimit { target: 1, cost: 77 }], ..asked(vec![limiting], Vec::new()) };
        overlay(&after, &asked).diff.apply(&mut after);
        assert_eq!((after.rules.limit.count_ones(), after.rules.enforce), (1, before.rules.enforce));
        assert_eq!((after.policies[0].matched, after.policies[1].matched), (0, 77));
        assert_eq!(after.policies[1].rules & after.rules.limit, after.rules.limit);
        overlay(&after, &Asked::default()).diff.apply(&mut after);
        assert_eq!(after, before);
    }
}
