//! What goes into the cases of incidents: events in words, peaks, what rules matched, what targets lost.

use std::time::SystemTime;

use weir_abi::Feature;
use weir_abi::target::NODE;
use weir_detect::baseline::WINDOWS_PER_SECOND;
use weir_detect::engine::{Event, Row};
use weir_detect::incident::{Release, State};
use weir_detect::signature::Use;
use weir_detect::vector::Window;
use weir_detect::watch::Step;

use super::Engine;
use super::detect::{Detection, matched};
use crate::cases::{Case, CaseRule, Counts, Kind, Known, Toll};
use crate::datapath::DatapathError;

impl Detection {
    /// Enters an event into its incident's case.
    pub(super) fn enter(&mut self, event: &Event, at: SystemTime, counts: &Counts) {
        let Event { incident, target, vector, step, .. } = event;
        match step {
            Step::Began { .. } => {
                let known = self.known(*target);
                self.cases.open(*incident, (*target, *vector), at, || Toll::since(*target, counts, known));
            }
            Step::Spread { targets } => {
                for target in targets {
                    let known = self.known(*target);
                    self.cases.spread(*incident, *target, || Toll::since(*target, counts, known));
                }
            }
            Step::Joined { into } => return self.cases.join(*incident, *into, at),
            _ => {}
        }
        let Some(case) = self.cases.get_mut(*incident) else { return };
        match step {
            Step::Began { label, rates, .. } => {
                case.peak = case.peak.max(rates.0);
                let text = format!("noticed as {}: {:.0} packets/s, usual {:.0}", label.label(), rates.0, rates.1);
                case.steps.add(at, Kind::State(State::Detecting), text);
            }
            Step::Corroborated { .. } => {
                case.steps.add(at, Kind::Corroborated, "a second family of detectors agrees".to_owned());
            }
            Step::Signed { signature, .. } => {
                for rule in case.wrote(signature, at) {
                    let action = if rule.signed.may == Use::Drop { "drop" } else { "count" };
                    let text = format!("rule {}: {action} {}", rule.name(*incident), rule.text);
                    case.steps.add(at, Kind::Rules, text);
                }
            }
            Step::Held { strays } => {
                let text = format!("packets of no known connection are held to {strays} per second");
                case.steps.add(at, Kind::Limit, text);
            }
            Step::Limited { limit } => {
                let text = match limit {
                    Some(limit) => {
                        let (packets, what) = (limit.packets, limit.told());
                        format!(
                            "what matches {what} is held to {packets} packets per second, but for sources that come regularly"
                        )
                    }
                    None => "nothing is limited any more".to_owned(),
                };
                case.steps.add(at, Kind::Limit, text);
            }
            Step::Shared { per_source, .. } => {
                let text = format!(
                    "each source is held to {per_source} new connections per second, one that comes regularly to four times that; who goes on asking for more opens none for a minute"
                );
                case.steps.add(at, Kind::Limit, text);
            }
            Step::Closes { at_once } => {
                let text = format!(
                    "each source may keep {at_once} connections at once waiting: when it feeds more, all that it feeds is closed, and it opens no more"
                );
                case.steps.add(at, Kind::Limit, text);
            }
            Step::Unsigned { coverage } => {
                let covered = 100.0 * coverage;
                let text = format!("no rule tells it from customers: safe ones would cover {covered:.0} % of it");
                case.steps.add(at, Kind::NoRule, text);
            }
            Step::Armed => {
                case.steps.add(at, Kind::Rules, "the rules on trial hurt no customer and drop from now on".to_owned());
            }
            Step::Withdrawn { rules, why } => {
                for rule in case.rules.iter().filter(|rule| rules.contains(&rule.signed.matches)) {
                    let text = format!("rule {} hurts customers and is withdrawn: {why}", rule.name(*incident));
                    case.steps.add(at, Kind::Withdrawn, text);
                }
            }
            Step::Challenged { on } => {
                let text = match on {
                    true => "SYNs of sources that have proven nothing are challenged",
                    false => "SYNs are not challenged any more",
                };
                case.steps.add(at, Kind::Challenge, text.to_owned());
            }
            Step::Spread { targets } => {
                case.steps.add(at, Kind::Spread, format!("{} targets are attacked at once", targets.len()));
            }
            Step::Joined { .. } => {}
            Step::Released(release) => {
                let text = match release {
                    Release::None => "all of the answer is in force again",
                    Release::Part => {
                        "half of the rules only count now, limits are twice as wide, and nothing is challenged"
                    }
                    Release::Most => "all rules only count now, and limits are four times as wide",
                    Release::All => "limits are gone; rules go on counting",
                };
                case.steps.add(at, Kind::Release, text.to_owned());
            }
            Step::Now(state) => {
                let text = match (state, case.answered) {
                    (State::Mitigating, true) => "it is back, and the answer is still there",
                    (State::Mitigating | State::Detecting, _) => "it is back",
                    (State::Watching, true) => "it is not felt any more; the answer stays",
                    (State::Watching, false) => "it is not felt any more",
                    (State::Ended, true) => "it did not come back; the answer is withdrawn",
                    (State::Ended, false) => "it did not come back",
                };
                case.steps.add(at, Kind::State(*state), text.to_owned());
                case.calm = *state == State::Watching;
                if *state == State::Ended {
                    self.cases.close(*incident);
                }
            }
        }
    }

    /// Takes the window that just ended into the peaks.
    pub(super) fn peaks(&mut self, lasted: u64) {
        let Self { cases, rows, rows_before, .. } = self;
        for (_, case) in cases.open_ones() {
            let of = |rows: &[Row], target: u32| rows.iter().find(|row| row.target == target).map(|row| row.slots);
            let came = |target: u32| {
                let window = Window::since(&of(rows, target)?, &of(rows_before, target)?).of_many(lasted);
                Some(window.packets(case.vector))
            };
            let packets = case.tolls.targets().filter_map(came).sum::<u64>();
            case.peak = case.peak.max(packets as f64 * f64::from(WINDOWS_PER_SECOND));
        }
    }

    /// Packets of known connections that came for a target, ever; none where connections are not known.
    fn known(&self, target: u32) -> Option<u64> {
        let row = self.rows.iter().find(|row| row.target == target && row.seen)?;
        Some(Feature::KnownFlow.sum(&row.slots).wrapping_add(Feature::Answered.sum(&row.slots)))
    }
}

impl Engine {
    /// Takes a reading of the counters into the open cases.
    pub(super) fn tally(&mut self, counts: &Counts) -> Result<(), DatapathError> {
        let image = self.datapath.image();
        let known = |detection: &Detection, target: u32| {
            let rules = image.policies.get(target as usize).map_or(0, |policy| policy.rules);
            let came = detection.known(target)?;
            Some(Known { came, own_rules: rules & image.rules.known != 0 })
        };
        let targets =
            |(id, case): (u64, &mut Case)| case.tolls.targets().map(|target| (id, target)).collect::<Vec<_>>();
        let open: Vec<(u64, u32)> = self.detection.cases.open_ones().flat_map(targets).collect();
        for (id, target) in open {
            let known = known(&self.detection, target);
            let toll = self.detection.cases.get_mut(id).and_then(|case| case.tolls.get_mut(target));
            if let Some(toll) = toll.filter(|_| target != NODE) {
                toll.read(target, counts, known);
            }
        }
        self.count_rules()
    }

    /// Takes what incidents' rules matched into their cases.
    pub(super) fn count_rules(&mut self) -> Result<(), DatapathError> {
        let counters = self.datapath.rule_counters()?;
        let owners = &self.datapath.image().rules.owner;
        let Detection { cases, layer, matched_before, .. } = &mut self.detection;
        for (_, case) in cases.all() {
            case.rules.iter_mut().for_each(CaseRule::withdrawn);
            if !case.open {
                continue;
            }
            for rule in &mut case.rules {
                for laid in &layer.laid().rules {
                    let mine = laid.targets.iter().any(|target| case.tolls.has(*target));
                    if !mine || laid.matches != rule.signed.matches {
                        continue;
                    }
                    let slots = owners.iter().enumerate().filter(|(_, owner)| **owner == laid.id);
                    let slots = slots.fold(0, |bits, (slot, _)| bits | 1u64 << slot);
                    if slots != 0 {
                        let before = matched_before.get(&laid.id).copied().unwrap_or(0);
                        rule.counted(laid.id, matched(&counters, slots).saturating_sub(before));
                    }
                }
            }
        }
        Ok(())
    }
}
