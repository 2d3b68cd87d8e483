//! The incident of new sources that open far more connections than any does: each source is held to half of what the busiest one usually opens, a
//! browser's share, and one that comes regularly to four times that (`weir_core::shares`).
//!
//! Who opens as much as customers do is not touched by it, whatever it was taken for; so it is no rule, and needs no samples of the attack. Where
//! a policy limits each source itself, that stays.

use crate::baseline::WINDOWS_PER_SECOND;
use crate::detector::openers::Openers;
use crate::detector::{CAP, Family, Score};
use crate::fusion::fuse;
use crate::incident::{Entry, Life, State};
use crate::watch::{Label, Step, lives};

/// Times what the busiest source opens that each may; those that come regularly four times that.
const ROOM: f64 = 0.5;
/// Connections per second that a source may open in any case: a browser's, which opens some at once and keeps them.
const LEAST: u64 = 2;
/// Of all, so many times what is usual must come …
const FLOODED: f64 = 2.0;
/// … and so many a second, which no service is overrun by: a new client that works through something is no flood.
const FEW: f64 = 100.0;

/// What a window says of a target's new connections.
#[derive(Clone, Copy, Debug)]
pub struct Opened {
    /// SYNs of the window, and of the second that ends with it.
    pub syns: (u64, u64),
    /// SYNs of a window that are usual.
    pub usual: f64,
    /// Handshakes that completed within the second; none where that is not seen.
    pub completed: Option<u64>,
    /// Nothing else goes on at the target.
    pub calm: bool,
    /// Sources may be held to a limit: the policy has none for each.
    pub may_limit: bool,
}

fn per_second(of_window: f64) -> f64 {
    of_window * f64::from(WINDOWS_PER_SECOND)
}

/// Who opens connections to a target, and the incident about them.
#[derive(Clone, Debug, Default)]
pub struct Opening {
    /// What is known of them.
    pub openers: Openers,
    /// The incident's number; 0 where there is none, or it has none yet.
    pub id: u64,
    entry: Entry,
    open: Option<Open>,
}

#[derive(Clone, Debug)]
struct Open {
    life: Life,
    /// Connections per second that each source may open.
    limit: Option<u64>,
}

impl Opening {
    /// Whether there is no incident.
    pub fn is_calm(&self) -> bool {
        self.open.is_none()
    }

    /// The life of the incident that is not over.
    pub fn life(&self) -> Option<&Life> {
        self.open.as_ref().map(|open| &open.life)
    }

    /// Connections per second that each source may open now.
    pub fn limit(&self) -> Option<u64> {
        let open = self.open.as_ref()?;
        open.life.release().widened(open.limit?)
    }

    /// Ends a window.
    pub fn window(&mut self, opened: &Opened, warm_up: u64) -> Vec<Step> {
        let (window, second) = opened.syns;
        self.openers.window(window);
        let above = (window as f64 - opened.usual).max(0.0);
        let mut steps = Vec::new();
        if let Some(open) = &mut self.open {
            steps.extend(lives(&mut open.life, above));
            if open.life.state == State::Ended {
                self.open = None;
            }
        } else if let Some(verdict) = self.begins(opened, warm_up) {
            let limit = opened.may_limit.then(|| (ROOM * self.openers.busiest()).ceil() as u64).map(|n| n.max(LEAST));
            let mut life = Life::new(above);
            let rates = (per_second(window as f64), per_second(opened.usual));
            steps.push(Step::Began { label: Label::Attack, verdict: fuse(verdict), rates, early: 0 });
            if let Some(per_source) = limit {
                life.answered();
                steps.push(Step::Shared { per_source, sources: self.openers.sources() });
            }
            self.open = Some(Open { life, limit });
        }
        self.openers.learn(second, opened.calm && self.open.is_none());
        steps
    }

    /// What the detectors say where it is an attack: far more connections than usual, most of which come about, and those who open them.
    fn begins(&mut self, opened: &Opened, warm_up: u64) -> Option<Vec<Score>> {
        // Not how many ask: who forges his sources could bring a limit upon others.
        let (completed, usual) = (opened.completed? as f64, per_second(opened.usual));
        let many = completed > (FLOODED * usual).max(FEW);
        // Only then is it worth a look at who they are.
        let score = if many { self.openers.judge(opened.syns.1, warm_up) } else { None };
        let proof = score.as_ref().is_some_and(|(_, sure)| *sure);
        let begins = self.entry.takes(score.is_some(), proof);
        let (score, _) = score.filter(|_| begins)?;
        let limits = if opened.may_limit { "" } else { "; nothing is done, the policy limits each source itself" };
        let evidence = format!("{completed:.0} connections/s come about, usual {usual:.0}{limits}");
        Some(vec![score, Score { detector: "rate", family: Family::Volume, value: CAP, alarm: true, evidence }])
    }
}

#[cfg(test)]
mod tests {
    //! A flood, its limit and the end of both; a crowd; forged sources; a policy that limits already.
    use super::*;
    use weir_abi::Addr;

    const WARM_UP: u64 = 100;

    struct Service {
        opening: Opening,
        at: u64,
        may_limit: bool,
        seen: bool,
    }

    fn name(step: &Step) -> String {
        match step {
            Step::Began { label, verdict, .. } => format!("{} {}", label.label(), verdict.families.len()),
            Step::Shared { per_source, sources } if !sources.scattered && !sources.top.is_empty() => {
                format!("shared {per_source}")
            }
            Step::Now(state) => state.label().to_owned(),
            Step::Released(release) => format!("released {}", release.label()),
            other => panic!("{other:?}"),
        }
    }

    impl Service {
        /// So many windows in which 100 customers open `customers` connections, and as many new sources `others`, of which so many complete.
        fn run(&mut self, windows: u64, [customers, others, completed]: [u64; 3], calm: bool) -> Vec<(u64, String)> {
            let mut told = Vec::new();
            for at in 0..windows {
                for n in 0..customers {
                    self.opening.openers.sample(Addr::v4((self.at * customers + n) as u32 % 100), 1);
                }
                let sources = if customers == 0 { 1 } else { 100 };
                for n in 0..others.min(50) {
                    let by_chance = (self.at * 50 + n).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
                    self.opening
                        .openers
                        .sample(Addr::v4((1 << 20) + by_chance as u32 % sources), (others as u32).div_ceil(50));
                }
                self.at += 1;
                let syns = customers + others;
                let completed = self.seen.then_some(10 * completed);
                let usual = if customers == 0 { 0.1 } else { 14.0 };
                let opened = Opened { syns: (syns, 10 * syns), usual, completed, calm, may_limit: self.may_limit };
                told.extend(self.opening.window(&opened, WARM_UP).iter().map(|step| (at, name(step))));
            }
            told
        }
    }

    /// After a minute in which each customer opened a bit more than one connection a second.
    fn calm() -> Service {
        let mut service = Service { opening: Opening::default(), at: 0, may_limit: true, seen: true };
        assert_eq!(service.run(600, [14, 0, 14], true), []);
        service
    }

    fn is(told: &[(u64, String)], expected: &[(u64, &str)]) {
        let told = told.iter().map(|(at, what)| (*at, what.as_str())).collect::<Vec<_>>();
        assert_eq!(told, expected);
    }

    #[test]
    fn a_flood_of_connections_is_limited_and_the_limit_goes_in_steps() {
        let mut service = calm();
        let told = service.run(50, [14, 300, 200], false);
        is(&told, &[(told[0].0, "ATTACK 2"), (told[0].0, "shared 2")]);
        assert!(told[0].0 < 10 && !service.opening.is_calm());
        assert_eq!(service.opening.limit(), Some(2));
        is(&service.run(310, [14, 0, 14], false), &[(9, "Watching"), (299, "released part")]);
        assert_eq!(service.opening.limit(), Some(4));
        // Who comes back meets the narrow one.
        is(&service.run(1, [14, 300, 200], false), &[(0, "Mitigating")]);
        assert_eq!(service.opening.limit(), Some(2));
        let told = service.run(900, [14, 0, 14], false);
        let told = told.iter().map(|(_, what)| what.as_str()).collect::<Vec<_>>();
        assert_eq!(told, ["Watching", "released part", "released most", "released all", "Ended"]);
        assert!(service.opening.is_calm() && service.opening.limit().is_none() && service.opening.life().is_none());
    }

    #[test]
    fn no_connections_no_flood_of_them() {
        let forged = calm().run(100, [14, 300, 14], false);
        is(&forged, &[]);
        let mut blind = calm();
        blind.seen = false;
        is(&blind.run(100, [14, 300, 200], false), &[]);
        // Nor is a client that opens sixty a second where nobody else opens any.
        let mut job = calm();
        is(&job.run(100, [0, 6, 6], false), &[]);
        // And more customers than usual are none.
        let crowd = calm().run(100, [300, 0, 300], false);
        is(&crowd, &[]);
    }

    #[test]
    fn where_the_policy_limits_each_source_it_is_told_and_nothing_else_is_done() {
        let mut service = calm();
        service.may_limit = false;
        let told = service.run(50, [14, 300, 200], false);
        is(&told, &[(told[0].0, "ATTACK 2")]);
        assert_eq!(service.opening.limit(), None);
        is(&service.run(400, [14, 0, 14], false), &[(9, "Watching"), (299, "Ended")]);
    }
}
