//! The answer to an attack that no rule tells from customers, where no connection and no challenge does either: what comes of its kind is held to
//! twice what is usual, and sources that come regularly are not counted (see [`crate::regulars`]).

use weir_policy::rules::Match;

use crate::baseline::{Fast, WINDOWS_PER_SECOND};
use crate::vector::Vector;

/// Deviations above the mean that hardly a calm window has (the 99th percentile of a normal distribution is at 2.3).
const BUSY: f64 = 3.0;
/// Times of that.
const ROOM: f64 = 2.0;
/// Packets per second that a target takes in any case.
const LEAST: u64 = 200;

/// The rule that matches all packets of a kind, for kinds that may be limited so. TCP has its connections and the challenge; what comes
/// from reflectors is told by its ports.
pub fn all_of(vector: Vector) -> Option<Match> {
    let text = match vector {
        Vector::Udp => "udp",
        Vector::Icmp => "protocol 1,58",
        Vector::Fragment => "fragment",
        Vector::Syn | Vector::SynAck | Vector::Tcp | Vector::RstFin | Vector::UdpReflection | Vector::Other => {
            return None;
        }
    };
    text.parse().ok()
}

/// Packets per second that are harmless.
pub fn harmless(usual: &Fast) -> u64 {
    let busy = usual.mean() + BUSY * usual.deviation();
    ((busy * ROOM * f64::from(WINDOWS_PER_SECOND)) as u64).max(LEAST)
}

#[cfg(test)]
mod tests {
    //! Kinds, and how wide.
    use super::*;

    #[test]
    fn every_kind_that_may_be_limited_has_a_rule() {
        let limited = Vector::ALL.into_iter().filter(|vector| all_of(*vector).is_some()).collect::<Vec<_>>();
        assert_eq!(limited, [Vector::Udp, Vector::Icmp, Vector::Fragment]);
    }

    #[test]
    fn twice_the_busiest_calm_windows_and_never_nothing() {
        let mut usual = Fast::default();
        assert_eq!(harmless(&usual), LEAST);
        (0..2000).for_each(|_| usual.learn(100.0));
        let per_second = harmless(&usual);
        assert!((2000..4000).contains(&per_second), "{per_second}");
    }
}
