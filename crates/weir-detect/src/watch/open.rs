//! An incident that is open, and the rules of one that is over, which wake when it comes back.

mod asleep;

use std::collections::VecDeque;

use weir_policy::rules::{Match, MatchVector};

use super::challenge::Challenge;
use super::harm::Harm;
use super::limit::{self, Limited};
use super::{Label, Sampled, Step, lives};
use crate::baseline::{Fast, WINDOWS_PER_SECOND};
use crate::detector::hygiene::{self, likelihood_ratio};
use crate::detector::{CAP, Family, Score};
use crate::engine::Settings;
use crate::fusion::Verdict;
use crate::incident::{Life, Release, State};
use crate::signature::{self, Signature, Signed, Use, of_improper, synthesize};
use crate::sources::Sources;
use crate::vector::Vector;
pub use asleep::Asleep;

/// Samples that are enough when an attack is too slow for more.
const FEW: usize = 16;
/// Of answers that nobody asked for.
const FEWEST: usize = 4;
/// Windows after which few samples are enough.
const PATIENCE: u32 = 3;
/// After so many attempts a second passes before each.
const EAGER: u32 = 5;
/// Windows in a row in which so much is not matched that the attack must have changed.
const CHANGED: u32 = 3;
/// Of the onset: what is not matched, if the attack has changed.
const UNMATCHED: f64 = 0.1;
/// Windows for which rules sleep: a day.
const SLEEP: u64 = 24 * 3600 * WINDOWS_PER_SECOND as u64;
/// Of the onset: what must match for rules to wake.
const WAKES: f64 = 0.1;

/// Rules that match so few benign packets, by the bound, drop without a trial.
const SURE: f64 = 5e-5;
/// Of the onset: what must be there for an attack not to have fallen.
const LASTS: f64 = 0.5;

/// What comes now, and what is usual.
pub struct Now<'a> {
    /// Packets of the window.
    pub count: f64,
    /// Packets of the second that ends with it.
    pub second: u64,
    /// Their baseline.
    pub usual: &'a Fast,
    /// Handshakes of the last second, where they are seen.
    pub completed: Option<u64>,
    /// The kind of packets.
    pub vector: Vector,
    /// Rules that are in force elsewhere.
    pub offered: &'a [Offered],
}

/// Rules that are in force elsewhere: an attack on several targets needs them once.
#[derive(Clone, Debug)]
pub struct Offered {
    /// The kind of packets that they are for.
    pub vector: Vector,
    /// The rules.
    pub signature: Signature,
    /// How many targets have them.
    pub targets: usize,
}

/// Targets that must have rules before others may have them whose own benign packets are too few to prove anything.
const SHARED: usize = 3;

/// An open incident.
#[derive(Clone, Debug)]
pub struct Open {
    pub id: u64,
    pub label: Label,
    pub life: Life,
    pub signature: Option<Signature>,
    /// What the target's strays are held to, packets per second.
    held: Option<u64>,
    /// What is held to a limit.
    limited: Option<Limited>,
    challenge: Challenge,
    /// What was seen is enough for rules that drop.
    pub may_drop: bool,
    /// All packets of this kind are what no customer gets.
    pub hygiene: bool,
    /// Some packets of this kind are.
    pub improper: bool,
    /// Rules that only count yet.
    trial: Vec<Match>,
    /// Rules that hurt customers.
    rejected: Vec<Match>,
    /// Some kept connections from coming about: others would, as far as anyone knows.
    strict: bool,
    harm: Harm,
    /// The newest samples; once there is a signature, of what it does not match.
    samples: VecDeque<Sampled>,
    /// Samples since the last attempt.
    fresh: usize,
    attempts: u32,
    windows: u32,
    /// Of the last window's samples, the share that no rule matches.
    unmatched: f64,
    escaped: u32,
}

impl Open {
    pub fn new(id: u64, label: Label, above: f64) -> Self {
        Self {
            id,
            label,
            life: Life::new(above),
            signature: None,
            held: None,
            limited: None,
            challenge: Challenge::default(),
            may_drop: false,
            hygiene: false,
            improper: false,
            trial: Vec::new(),
            rejected: Vec::new(),
            strict: false,
            harm: Harm::default(),
            samples: VecDeque::new(),
            fresh: 0,
            attempts: 0,
            windows: 0,
            unmatched: 1.0,
            escaped: 0,
        }
    }

    /// Whether what comes is what no customer gets, or some of it is what no customer sends.
    pub fn proven(&mut self, vector: Vector, verdict: &Verdict) {
        let hygiene = verdict.families.contains(&Family::Hygiene);
        (self.hygiene, self.improper) = (hygiene && vector != Vector::Syn, hygiene && vector == Vector::Syn);
    }

    /// A window more of its life: packets of the vector above the usual.
    pub fn lives(&mut self, above: f64) -> Vec<Step> {
        let challenged = self.is_challenged();
        let mut steps: Vec<_> = lives(&mut self.life, above).into_iter().collect();
        if self.life.state != State::Ended && self.is_challenged() != challenged {
            steps.push(Step::Challenged { on: !challenged });
        }
        steps
    }

    /// Its rules, and whether each drops.
    pub fn rules(&self) -> impl Iterator<Item = (&Signed, bool)> {
        let rules = self.signature.as_ref().map_or(&[][..], |signature| &signature.rules);
        let dropping = self.life.release().dropping(rules.len());
        rules
            .iter()
            .enumerate()
            .map(move |(i, rule)| (rule, i < dropping && rule.may == Use::Drop && !self.trial.contains(&rule.matches)))
    }

    /// What the target's strays are held to now.
    pub fn held(&self) -> Option<u64> {
        self.life.release().widened(self.held?)
    }

    /// Whether its SYNs are challenged now.
    pub fn is_challenged(&self) -> bool {
        self.challenge.is_on() && self.life.release() == Release::None
    }

    /// Whether strays are held, however wide.
    pub fn holds(&self) -> bool {
        self.held.is_some()
    }

    /// Holds the target's strays to so many per second.
    pub fn hold(&mut self, strays: u64) {
        self.held = Some(strays);
        self.life.answered();
    }

    /// What is held to a limit now.
    pub fn limited(&self) -> Option<Limited> {
        let limited = self.limited.as_ref()?;
        Some(Limited { packets: self.life.release().widened(limited.packets)?, matches: limited.matches.clone() })
    }

    /// Holds to what is harmless what rules match that may not drop, and the whole kind of packets where much is matched by none; no longer where
    /// rules drop nearly everything.
    pub fn limit(&mut self, now: &Now<'_>) -> Option<Step> {
        if !limit::answers(now.vector) {
            return None;
        }
        let signature = self.signature.as_ref();
        let (dropped, escapes) = (signature.is_some_and(|signature| self.acts(signature)), self.escapes(now));
        let rules = signature.iter().flat_map(|signature| &signature.rules).filter(|rule| rule.may == Use::Limit);
        let rules = rules.map(|rule| rule.matches.clone()).collect::<Vec<_>>();
        if dropped && !escapes && rules.is_empty() {
            return self.limited.take().map(|_| Step::Limited { limit: None });
        }
        // Answers that nobody asked for need no look: their ports are enough, and few packets tell those.
        let unasked = self.hygiene && limit::is_answer(now.vector);
        let looked = self.attempts > 0 || signature.is_some() || unasked;
        let harmless = limit::harmless(now.usual);
        // A burst that the limit would let pass needs none: names are called out in every office, too, and nobody asked.
        let needed = now.second > harmless && escapes;
        if !looked || self.limited.is_none() && !needed {
            return None;
        }
        let samples = self.samples.iter().map(|sampled| &sampled.packet);
        let left = samples.filter(|packet| !rules.iter().any(|rule| rule.holds(packet))).collect::<Vec<_>>();
        let few = if unasked { FEWEST } else { FEW };
        let much = left.len() >= few && left.len() as f64 >= UNMATCHED * self.samples.len() as f64;
        let before = self.limited.as_ref().map_or(&[][..], |limited| &limited.matches);
        let matches = limit::matches(now.vector, rules, if much { &left } else { &[] }, before);
        if matches == before {
            return None;
        }
        let packets = self.limited.as_ref().map_or(harmless, |limited| limited.packets);
        self.limited = Some(Limited { packets, matches }).filter(|limited| !limited.matches.is_empty());
        self.life.answered();
        Some(Step::Limited { limit: self.limited.clone() })
    }

    /// What new rules match need not be limited with all the rest, once they are more than counted.
    fn limit_anew(&mut self) {
        self.limited.iter_mut().for_each(|limited| limited.matches.clear());
    }

    /// Challenges its SYNs where rules leave much of them, and no longer where they do not.
    pub fn challenge(&mut self, now: &Now<'_>) -> Option<Step> {
        let on = self.challenge.window(self.escapes(now), self.signature.is_some())?;
        self.life.answered();
        Some(Step::Challenged { on })
    }

    /// What no rule matches, of so many packets.
    fn amiss(&self, count: f64) -> f64 {
        if self.signature.is_some() { count * self.unmatched } else { count }
    }

    /// Whether that is much of the attack.
    fn escapes(&self, now: &Now<'_>) -> bool {
        let amiss = self.amiss(now.count);
        amiss - now.usual.mean() > UNMATCHED * self.life.onset && now.usual.z(amiss) > 5.0
    }

    /// Looks at what the rules did in a window: those that hurt customers go, those on trial that do not begin to drop.
    pub fn review(&mut self, now: &Now<'_>) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.life.release() != Release::None {
            return steps;
        }
        if let Some((rules, why)) = self.harmful(now) {
            self.withdraw(&rules);
            steps.push(Step::Withdrawn { rules, why });
        }
        if !self.trial.is_empty() {
            self.trial.clear();
            self.limit_anew();
            self.drops(now.completed);
            steps.push(Step::Armed);
        }
        steps
    }

    /// The rules that hurt customers, and what shows it.
    fn harmful(&mut self, now: &Now<'_>) -> Option<(Vec<Match>, String)> {
        let lasts = now.count - now.usual.mean() > LASTS * self.life.onset;
        let alone = lasts && !self.escapes(now) && !self.challenge.is_on();
        let fallen = self.harm.window(now.completed, alone);
        let signature = self.signature.as_ref()?;
        let dropping = || signature.rules.iter().filter(|rule| rule.may == Use::Drop);
        let name =
            |rules: Vec<&Signed>, why: String| Some((rules.iter().map(|rule| rule.matches.clone()).collect(), why));
        if let Some((rule, why)) = dropping().find_map(|r| Some((r, self.harm.of(|packet| r.matches.holds(packet))?))) {
            return name(vec![rule], why);
        }
        // Each may be harmless alone.
        if let Some(why) = self.harm.of(|packet| signature.drops(packet)) {
            return name(dropping().collect(), why);
        }
        // What no customer's system sends cannot be what keeps customers out.
        let rules = dropping().filter(|rule| !rule.is_improper()).collect::<Vec<_>>();
        let fallen = fallen.filter(|_| !rules.is_empty())?;
        self.strict = true;
        name(rules, fallen)
    }

    /// Whether a rule may not be, in this incident.
    fn refuses(&self, rule: &Signed) -> bool {
        let hurts = || rule.may == Use::Drop && self.harm.of(|packet| rule.matches.holds(packet)).is_some();
        self.rejected.contains(&rule.matches) || self.strict && !rule.is_improper() || hurts()
    }

    fn withdraw(&mut self, rules: &[Match]) {
        self.rejected.extend_from_slice(rules);
        self.trial.retain(|rule| !rules.contains(rule));
        if let Some(signature) = &mut self.signature {
            signature.rules.retain(|rule| !rules.contains(&rule.matches));
            if signature.rules.is_empty() {
                self.signature = None;
            }
        }
        self.harm.begins(None);
    }

    fn drops(&mut self, completed: Option<u64>) {
        self.life.answered();
        self.harm.begins(completed);
    }

    /// Takes samples of the attack.
    pub fn collect(&mut self, samples: Vec<Sampled>, settings: &Settings) {
        let weight = |samples: &mut dyn Iterator<Item = &Sampled>| samples.map(|s| u64::from(s.weight)).sum::<u64>();
        let all = weight(&mut samples.iter());
        let signature = self.signature.as_ref();
        self.harm.take(samples.iter());
        let left = |s: &Sampled| signature.is_none_or(|sig| !sig.drops(&s.packet));
        let unmatched = weight(&mut samples.iter().filter(|s| left(s)));
        let before = self.samples.len();
        // Customers are no part of the attack.
        self.samples.extend(samples.into_iter().filter(|s| left(s) && !s.proven));
        self.fresh += self.samples.len() - before;
        self.unmatched = if all == 0 { 0.0 } else { unmatched as f64 / all as f64 };
        while self.samples.len() > settings.samples {
            self.samples.pop_front();
        }
    }

    /// Takes over the rules of an incident that was over.
    pub fn wake(&mut self, dormant: Option<Dormant>) {
        if let Some(dormant) = dormant {
            self.life.relapse_of(&dormant.life);
            self.signature = Some(dormant.signature);
        }
    }

    /// What is left of it for the next time.
    pub fn sleep(self) -> Option<Dormant> {
        Some(Dormant { id: self.id, signature: self.signature?, life: self.life, age: 0 })
    }

    /// Writes rules when it is time.
    pub fn answer(&mut self, now: &Now<'_>, benign: &[MatchVector], settings: &Settings) -> Option<Step> {
        self.windows += 1;
        if self.windows == 1
            && let Some(signature) = self.signature.clone()
        {
            // They were in force before.
            self.drops(now.completed);
            return Some(self.signed(signature));
        }
        let amiss = self.amiss(now.count);
        let above = (amiss - now.usual.mean()).max(0.0);
        if self.signature.is_some() {
            self.escaped = if self.escapes(now) { self.escaped + 1 } else { 0 };
            if self.escaped == 0 {
                self.samples.clear();
                self.fresh = 0;
            }
            if self.escaped < CHANGED {
                return None;
            }
        }
        if !self.is_time(settings) || above == 0.0 {
            return None;
        }
        self.attempts += 1;
        self.fresh = 0;
        let packets = self.samples.iter().map(|sampled| sampled.packet).collect::<Vec<_>>();
        let offered = now.offered.iter().filter(|offered| offered.vector == now.vector);
        let mut offered =
            offered.filter_map(|one| self.adopts(one, &packets, benign, above / amiss, &settings.signature));
        let mut signature =
            offered.next().unwrap_or_else(|| synthesize(&packets, benign, above / amiss, &settings.signature));
        if signature.rules.iter().any(|rule| self.refuses(rule)) {
            let accept = settings.signature.accept * above / amiss;
            signature = signature.without(|rule| self.refuses(rule), &packets, accept);
        }
        if !signature.accepted && self.improper {
            // It is a small part of what comes, and can be told from all the rest.
            let own = of_improper(&packets, benign, &settings.signature);
            signature = if own.rules.iter().any(|rule| self.refuses(rule)) { signature } else { own };
        }
        if !signature.accepted {
            return (self.attempts == 1).then_some(Step::Unsigned { coverage: signature.coverage });
        }
        if let Some(before) = &self.signature {
            signature = before.clone().and(signature, settings.signature.rules);
            signature.collateral = signature.harm(benign);
            // Old and new rules may be harmless apart and not together: the old ones stay alone.
            if signature.collateral > settings.signature.drop_below {
                return None;
            }
        }
        self.escaped = 0;
        self.tries(&signature);
        if self.acts(&signature) {
            self.drops(now.completed);
        }
        let step = self.signed(signature.clone());
        self.signature = Some(signature);
        if self.trial.is_empty() {
            self.limit_anew();
        }
        self.samples.clear();
        Some(step)
    }

    /// Rules from elsewhere, if they match this attack as well as own ones would have to and harm nobody here.
    fn adopts(
        &self,
        offered: &Offered,
        attack: &[MatchVector],
        benign: &[MatchVector],
        share: f64,
        settings: &signature::Settings,
    ) -> Option<Signature> {
        let refused = |rule: &Signed| rule.may != Use::Drop || self.refuses(rule);
        let mut signature = offered.signature.clone().without(refused, attack, settings.accept * share);
        let harm = signature.harm(benign);
        let shared = offered.targets >= SHARED && signature.fits(benign, settings.drop_below);
        if harm <= settings.drop_below {
            signature.collateral = harm;
        } else if !shared {
            return None;
        }
        signature.accepted.then_some(signature)
    }

    /// Rules that were not there before count for a window before they drop, but for those that are sure.
    fn tries(&mut self, signature: &Signature) {
        let was = |rule: &&Signed| self.signature.iter().any(|old| old.rules.iter().any(|r| r.matches == rule.matches));
        let new = signature.rules.iter().filter(|rule| rule.may == Use::Drop && !was(rule));
        let unsure = new.filter(|rule| rule.collateral > SURE && !rule.is_improper() && !self.hygiene);
        self.trial = unsure.map(|rule| rule.matches.clone()).collect();
    }

    /// Whether any rule drops.
    fn acts(&self, signature: &Signature) -> bool {
        signature.rules.iter().any(|rule| rule.may == Use::Drop && !self.trial.contains(&rule.matches))
    }

    fn is_time(&self, settings: &Settings) -> bool {
        let needed = if self.windows >= PATIENCE { FEW } else { settings.enough };
        let rested = self.attempts < EAGER || self.windows.is_multiple_of(WINDOWS_PER_SECOND);
        self.samples.len() >= needed && self.fresh >= needed && rested
    }

    fn signed(&self, signature: Signature) -> Step {
        let sources = Sources::of(self.samples.iter().map(|sampled| sampled.source));
        Step::Signed { signature, sources, trial: self.trial.len() }
    }
}

/// Rules that sleep.
#[derive(Clone, Debug)]
pub struct Dormant {
    /// The incident that they are of.
    pub id: u64,
    signature: Signature,
    life: Life,
    age: u64,
}

impl Dormant {
    /// The windows after which they are forgotten.
    pub fn left(&self) -> u64 {
        SLEEP.saturating_sub(self.age)
    }

    /// A window more; whether they are forgotten.
    pub fn ages(&mut self) -> bool {
        self.age += 1;
        self.age >= SLEEP
    }

    /// Whether the attack is back: of customers hardly one packet matches.
    pub fn recognise(&self, samples: &[Sampled], count: f64) -> Option<Score> {
        let hits = samples.iter().filter(|sampled| self.signature.drops(&sampled.packet)).count();
        if hits == 0 {
            return None;
        }
        let share = hits as f64 / samples.len() as f64;
        let ratio = likelihood_ratio(hits as u64, samples.len() as u64);
        let alarm = hygiene::is_proof(ratio, hits as u64) && share * count > WAKES * self.life.onset;
        let value = if alarm { CAP } else { 0.0 };
        let evidence = format!("{hits} of {} samples fit the rules of an earlier incident", samples.len());
        Some(Score { detector: "known signature", family: Family::Hygiene, value, alarm, evidence })
    }
}
