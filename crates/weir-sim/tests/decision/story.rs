//! A node that is told packets one by one, with what must become of each. After each one every counter, every feature slot
//! and every rule counter is compared with what the story has told so far: nothing else may have moved.

use std::collections::BTreeMap;

use weir_abi::counters::FACTS;
use weir_abi::{Counter, Feature, Limit, Reason, Verdict};
use weir_policy::model::Policy;
use weir_policy::{CompileOptions, Diff, TableImage, compile};
use weir_sim::env::{SimEnv, Sizes};
use weir_wire::Bytes;

/// Ticks per second.
pub const HZ: u32 = 250;
/// When stories begin.
pub const NOW: u64 = 1_000_000;
/// The name of what belongs to no target.
pub const NODE: &str = "node";

/// A node under a policy.
pub struct Story {
    pub env: SimEnv,
    tick: u64,
    counters: BTreeMap<(u32, bool, Reason), Counter>,
    features: BTreeMap<u32, u64>,
    rules: BTreeMap<u32, Counter>,
    /// Which rule a slot belongs to, or did: what was counted stays counted.
    owners: BTreeMap<usize, u32>,
    /// The rule that the next packets match.
    matching: Option<u32>,
}

impl Story {
    /// Compiles the policy and begins at tick [`NOW`].
    #[track_caller]
    pub fn of(policy: &Policy) -> Self {
        Self::with(policy, &Sizes::default())
    }

    /// The same with tables of these sizes.
    #[track_caller]
    pub fn with(policy: &Policy, sizes: &Sizes) -> Self {
        let env = SimEnv::new(tables(policy, NOW, None), sizes).unwrap();
        env.set_tick(NOW);
        let (counters, features, rules) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut story = Self { env, tick: NOW, counters, features, rules, owners: BTreeMap::new(), matching: None };
        story.learn_owners();
        story
    }

    /// Another policy from now on.
    #[track_caller]
    pub fn change(&mut self, policy: &Policy) {
        let next = tables(policy, self.tick, Some(self.env.image()));
        self.env.apply(next).unwrap();
        self.learn_owners();
    }

    /// Changes the tables by steps.
    pub fn lay(&mut self, diff: Diff) {
        self.env.change(diff);
        self.learn_owners();
    }

    /// Limits what a target takes of packets of no known flow.
    #[track_caller]
    pub fn limit_strangers(&mut self, owner: &str, cost: u64, window: u64) {
        let mut image = self.env.image().clone();
        image.policies[self.id(owner) as usize].strangers = Limit { cost, window };
        self.env.apply(image).unwrap();
    }

    fn learn_owners(&mut self) {
        let owners = self.env.image().rules.owner;
        self.owners.extend(owners.into_iter().enumerate().filter(|(_, owner)| *owner != 0));
    }

    /// Time passes.
    pub fn wait(&mut self, ticks: u64) {
        self.tick += ticks;
        self.env.set_tick(self.tick);
    }

    /// The packet passes, for this reason.
    #[track_caller]
    pub fn passes(&mut self, frame: &[u8], owner: &str, reason: Reason) {
        assert!(!reason.drops(), "{reason:?} is a drop");
        self.packet(frame, owner, reason, Verdict::Pass);
    }

    /// The packet is dropped, for this reason.
    #[track_caller]
    pub fn drops(&mut self, frame: &[u8], owner: &str, reason: Reason) {
        self.packet(frame, owner, reason, Verdict::Drop);
    }

    /// The packet passes because its owner only observes.
    #[track_caller]
    pub fn would_drop(&mut self, frame: &[u8], owner: &str, reason: Reason) {
        self.packet(frame, owner, reason, Verdict::WouldDrop);
    }

    /// From now on packets match the rule with this identity; `None`: no rule.
    pub fn matching(&mut self, rule: Option<u32>) {
        self.matching = rule;
    }

    /// The packet is the target's: it has a feature slot.
    pub fn feature(&self, owner: &str, feature: Feature) -> u64 {
        feature.sum(&self.env.features(self.id(owner)))
    }

    /// The host sends a packet, as this target.
    #[track_caller]
    pub fn sends(&mut self, frame: &[u8], owner: &str) {
        assert_eq!(self.name(self.env.learn(&Bytes::new(frame))), owner);
        self.check();
    }

    #[track_caller]
    fn packet(&mut self, frame: &[u8], owner: &str, reason: Reason, verdict: Verdict) {
        let outcome = self.env.simulate(&Bytes::new(frame));
        let target = self.id(owner);
        let said = (outcome.reason(), outcome.verdict(), self.name(outcome.target).to_owned());
        assert_eq!(said, (reason, verdict, owner.to_owned()));
        add(self.counters.entry((target, verdict == Verdict::WouldDrop, reason)).or_default(), frame);
        if target != 0 {
            // What its list denies counts for nobody.
            let target = if reason == Reason::DenyScoped { 0 } else { target };
            *self.features.entry(target).or_default() += 1;
        }
        if let Some(rule) = self.matching {
            add(self.rules.entry(rule).or_default(), frame);
            assert_eq!(outcome.rule, if matches!(reason, Reason::Rule | Reason::RuleLimit) { rule } else { 0 });
        }
        self.check();
    }

    /// Compares all that was counted with all that was told.
    #[track_caller]
    fn check(&self) {
        let counted: BTreeMap<_, _> =
            self.env.counters().into_iter().map(|c| ((c.target, c.would, c.reason), c.counter)).collect();
        assert_eq!(counted, self.counters, "counters");
        let packets = |target| self.env.features(target).iter().take(FACTS.into()).sum::<u64>();
        let features: BTreeMap<_, _> =
            (0..self.env.config().targets).map(|t| (t, packets(t))).filter(|(_, n)| *n != 0).collect();
        assert_eq!(features, self.features, "each packet of a target has one feature slot of {FACTS}");
        // A rule may take more than one slot.
        let mut rules: BTreeMap<u32, Counter> = BTreeMap::new();
        for (slot, counter) in self.env.rule_counters().iter().enumerate().filter(|(_, c)| c.packets != 0) {
            let sum = rules.entry(self.owners[&slot]).or_default();
            sum.packets += counter.packets;
            sum.bytes += counter.bytes;
        }
        assert_eq!(rules, self.rules, "rules");
    }

    #[track_caller]
    fn id(&self, name: &str) -> u32 {
        let at = self.env.image().names.targets.iter().position(|n| n == name);
        at.unwrap_or_else(|| panic!("no target {name}")) as u32
    }

    fn name(&self, target: u32) -> &str {
        self.env.image().names.target(target).unwrap_or("nobody")
    }
}

fn add(counter: &mut Counter, frame: &[u8]) {
    counter.packets += 1;
    counter.bytes += frame.len() as u64;
}

#[track_caller]
pub fn tables(policy: &Policy, now: u64, previous: Option<&TableImage>) -> TableImage {
    compile(policy, &CompileOptions::new(HZ, now), previous).unwrap_or_else(|e| panic!("{e}")).image
}
