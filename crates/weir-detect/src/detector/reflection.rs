//! D5: answers that nobody asked for: UDP from ports of reflectors, beyond what the target's own queries explain.

use weir_abi::counters::Feature;

use super::{CAP, Family, Score};
use crate::baseline::Fast;
use crate::vector::Window;

/// Packets per window below which it says nothing.
const LEAST: u64 = 20;
/// An alarm needs this many times the usual, where there is a usual.
const TIMES: f64 = 5.0;

/// Looks at a window's answers; `usual` is the baseline of the same packets: services that ask (resolvers, clocks, VPNs) have one.
pub fn window(w: &Window, usual: &Fast) -> Score {
    let answers = w.feature(Feature::UdpReflection);
    let most = TIMES * usual.mean() + 3.0 * usual.deviation();
    let alarm = answers >= LEAST && answers as f64 > most;
    let value = if alarm { CAP } else { (answers as f64 / most.max(LEAST as f64)).min(1.0) - 1.0 };
    let evidence = format!("{answers} UDP packets from ports of reflectors in 100 ms, usual {:.1}", usual.mean());
    Score { detector: "reflection", family: Family::Hygiene, value, alarm, evidence }
}

#[cfg(test)]
mod tests {
    //! A service that asks nobody, and a resolver.
    use super::*;
    use weir_abi::counters::{feature_slot, kind};

    fn answers(n: u64) -> Window {
        let mut w = Window::default();
        w.slots[usize::from(feature_slot(kind::UDP_REFLECTION, false, false))] = n;
        w
    }

    #[test]
    fn a_resolver_may_have_answers() {
        let mut resolver = Fast::default();
        (0..600).for_each(|_| resolver.learn(100.0));
        assert!(!window(&answers(300), &resolver).alarm);
        assert!(window(&answers(1000), &resolver).alarm);
        let silent = Fast::default();
        assert!(window(&answers(50), &silent).alarm);
        assert!(!window(&answers(5), &silent).alarm);
    }
}
