//! What can be tried: a flood, the policy that Weir is given against it, and the reasons that Weir should give.
//!
//! A scenario is data. The floods are what real tools send (spoofed SYNs, reflected answers, echo requests …), the policies
//! what an operator would write for the lab's shop: one web server and one name server behind one address.

mod frames;
mod policy;
mod table;

pub use policy::Policy;
pub use table::ALL;

use std::time::Duration;

use anyhow::{Result, bail};
use weir_datapath::traffic::{Flood, Stream};

/// One scenario.
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// For people, in one line.
    pub about: &'static str,
    /// The flood's kinds of packets; none in a scenario without an attack.
    pub streams: fn() -> Vec<Stream>,
    /// Packets a second that overwhelm an unprotected node of two cores.
    pub pps: u64,
    /// What Weir is told.
    pub policy: fn() -> Policy,
    /// Customers are alone with Weir for as long as an act lasts before the flood begins: connections must have been seen.
    pub learns: bool,
    /// Reasons that Weir should drop for; every other reason is a finding.
    pub expected: &'static [&'static str],
}

impl Scenario {
    /// Finds one by its name.
    pub fn named(name: &str) -> Result<&'static Scenario> {
        match ALL.iter().find(|scenario| scenario.name == name) {
            Some(scenario) => Ok(scenario),
            None => bail!(
                "there is no scenario `{name}`; there are {}",
                ALL.each_ref().map(|scenario| scenario.name).join(", ")
            ),
        }
    }

    /// Its flood at a rate, for so long at most; `None` where there is no attack.
    pub fn flood(&self, pps: u64, time: Duration) -> Option<Flood> {
        let streams = (self.streams)();
        let packets = (pps as f64 * time.as_secs_f64()) as u64;
        (!streams.is_empty()).then_some(Flood { streams, pps, packets, time })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_and_unlike_each_other() {
        for scenario in &ALL {
            assert_eq!(Scenario::named(scenario.name).expect("itself").about, scenario.about);
            assert_eq!(ALL.iter().filter(|other| other.name == scenario.name).count(), 1);
            assert_eq!(scenario.flood(1, Duration::from_secs(1)).is_none(), scenario.expected.is_empty());
        }
        assert!(Scenario::named("rain").is_err());
    }
}
