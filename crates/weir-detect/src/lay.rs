//! From signatures to rules over a policy: each rule of each open incident, with a number that it keeps. Incidents of several
//! targets that came to the same rule share it: rules are few.

use weir_policy::limits::{self, Cell, Rate, Unit};
use weir_policy::overlay::{FIRST, TargetRule, TargetStrays};
use weir_policy::rules::Mode;

use crate::engine::Engine;
use crate::signature::Use;

/// The rules of incidents, as they were laid last.
#[derive(Clone, Debug, Default)]
pub struct Layer {
    laid: Vec<TargetRule>,
    named: u32,
}

impl Layer {
    /// The rules that are to be in force now. Rules that may only limit count what they match: no limit by rule exists.
    pub fn rules(&mut self, engine: &Engine) -> &[TargetRule] {
        let mut wanted: Vec<TargetRule> = Vec::new();
        for (target, _, signature) in engine.signatures() {
            for signed in &signature.rules {
                let mode = match signed.may {
                    Use::Drop => Mode::Enforce,
                    Use::Limit => Mode::Shadow,
                };
                let same = |rule: &TargetRule| rule.mode == mode && rule.matches == signed.matches;
                if let Some(shared) = wanted.iter_mut().find(|rule| same(rule)) {
                    if !shared.targets.contains(&target) {
                        shared.targets.push(target);
                    }
                    continue;
                }
                let id = match self.laid.iter().find(|rule| same(rule)) {
                    Some(laid) => laid.id,
                    None => {
                        self.named = self.named.wrapping_add(1) & (FIRST - 1);
                        FIRST | self.named
                    }
                };
                wanted.push(TargetRule { id, matches: signed.matches.clone(), mode, targets: vec![target] });
            }
        }
        self.laid = wanted;
        &self.laid
    }

    /// What targets are to take of packets of no known connection.
    pub fn strays(engine: &Engine, tick_hz: u32) -> Vec<TargetStrays> {
        let limit = |per_second| {
            let rate = Rate::per_second(per_second, per_second);
            // A rate of this size and a burst of a second can always be counted.
            limits::compile(&rate, Cell::Target, Unit::Packets, tick_hz).ok().map(|compiled| compiled.limit)
        };
        engine.held().filter_map(|(target, strays)| Some(TargetStrays { target, limit: limit(strays)? })).collect()
    }

    /// Those that were laid last.
    pub fn laid(&self) -> &[TargetRule] {
        &self.laid
    }
}
