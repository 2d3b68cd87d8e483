//! What can be tried: an attack, the policy that Weir is given against it, and the reasons that Weir should give.
//!
//! A scenario is data. The floods are what real tools send (spoofed SYNs, reflected answers, echo requests …), the policies
//! what an operator would write for the lab's shop: one web server and one name server behind one address.

mod connectionless;
mod crowds;
mod evasive;
mod frames;
mod policy;
mod table;

pub use policy::Policy;
pub use table::ALL;

use std::time::Duration;

use anyhow::{Result, bail};
use weir_datapath::traffic::{Flood, Stream};

use crate::bots::Habit;
use crate::customers::Load;
use crate::flood::Phase;
use crate::run::judge::BY_ITSELF;
use crate::topology::Shape;

/// Pulses of a pulse wave.
const PULSES: u32 = 6;
/// The length of one, and of the quiet after it.
const PULSE: Duration = Duration::from_secs(1);
const REST: Duration = Duration::from_secs(1);
/// Steps of a growing flood, and the length of one.
const STEPS: u32 = 12;
const STEP: Duration = Duration::from_secs(1);
/// By how much it grows from one to the next.
const GROWTH: f64 = 2.0;
/// From this rate on a flood is meant to overwhelm a node that nobody protects.
const OVERWHELMING: u64 = 100_000;

/// What comes.
#[derive(Debug, Clone, Copy)]
pub enum Attack {
    /// Customers alone.
    None,
    /// A steady flood of these kinds of packets.
    Flood(fn() -> Vec<Stream>),
    /// Pulses with quiet between them; each is of the next kind, and after the last kind the first comes back.
    Pulses(fn() -> Vec<Vec<Stream>>),
    /// A flood that begins as a trickle and doubles from second to second.
    Growing(fn() -> Vec<Stream>),
    /// Machines with connections of their own.
    Bots(Habit),
    /// No attack: so many times as many customers as usual.
    Surge(u32),
}

/// What Weir gets to know before the attack, while customers are alone with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Learns {
    /// Nothing: the attack comes first.
    Nothing,
    /// Connections: that they come about, and are seen to.
    Connections,
    /// Rates as well: it may call unusual what is more than in the few seconds that it saw (`weir run --learn`).
    Rates,
    /// Customers as well: who comes again after ten seconds comes regularly.
    Customers,
}

/// What is asked of Weir.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// To stop the attack, and to keep the service as it was.
    Stop,
    /// To keep the service as it was. What attackers do meanwhile is bounded: their packets are as good as customers'.
    Serve,
    /// To do no harm. No filter of packets can stop this attack, or Weir cannot yet; what it does about it is told, not judged.
    NoHarm,
}

impl Asks {
    /// Whether the service is to be kept as it was.
    pub fn serves(self) -> bool {
        self != Asks::NoHarm
    }

    /// The word in reports.
    pub fn label(self) -> &'static str {
        match self {
            Asks::Stop => "stop",
            Asks::Serve => "serve",
            Asks::NoHarm => "no_harm",
        }
    }
}

/// One scenario.
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// For people, in one line.
    pub about: &'static str,
    /// What comes.
    pub attack: Attack,
    /// Packets a second that overwhelm an unprotected node of two cores; 0 where no flood comes.
    pub pps: u64,
    /// What Weir is told.
    pub policy: fn() -> Policy,
    /// Customers are alone with Weir for as long as an act lasts before the attack begins.
    pub learns: Learns,
    /// Reasons that Weir should drop for; every other reason is a finding.
    pub expected: &'static [&'static str],
    /// What is asked of Weir.
    pub asks: Asks,
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

    /// All kinds of packets of its floods.
    pub fn streams(&self) -> Vec<Stream> {
        match self.attack {
            Attack::Flood(streams) | Attack::Growing(streams) => streams(),
            Attack::Pulses(kinds) => kinds().into_iter().flatten().collect(),
            Attack::None | Attack::Bots(_) | Attack::Surge(_) => Vec::new(),
        }
    }

    /// All of its floods at once at a rate, for so long at most; `None` where no flood comes.
    pub fn flood(&self, pps: u64, time: Duration) -> Option<Flood> {
        let streams = self.streams();
        (!streams.is_empty()).then(|| bounded(streams, pps, time))
    }

    /// Its floods one after another. The last one of a flood that does not end by itself is held for `time`.
    pub fn train(&self, pps: u64, time: Duration) -> Vec<Phase> {
        let steady = |flood| Phase { flood, rest: Duration::ZERO };
        match self.attack {
            Attack::Flood(streams) => vec![steady(bounded(streams(), pps, time))],
            Attack::Pulses(kinds) => {
                let kinds = kinds();
                let pulse = |streams: &Vec<Stream>| Phase { flood: bounded(streams.clone(), pps, PULSE), rest: REST };
                kinds.iter().cycle().take(PULSES as usize).map(pulse).collect()
            }
            Attack::Growing(streams) => {
                let rate = |step: u32| (pps as f64 / GROWTH.powi((STEPS - step) as i32)).max(1.0) as u64;
                let step = |step: u32| steady(bounded(streams(), rate(step), STEP));
                (1..STEPS).map(step).chain([steady(bounded(streams(), pps, time))]).collect()
            }
            Attack::None | Attack::Bots(_) | Attack::Surge(_) => Vec::new(),
        }
    }

    /// How long the floods need that come one after another, of which `asked` is the time for a steady one.
    pub fn lasts(&self, asked: Duration) -> Duration {
        match self.attack {
            Attack::Pulses(_) => (PULSE + REST) * PULSES,
            Attack::Growing(_) => STEP * (STEPS - 1) + asked,
            _ => asked,
        }
    }

    /// Whether somebody attacks.
    pub fn attacks(&self) -> bool {
        !matches!(self.attack, Attack::None | Attack::Surge(_))
    }

    /// Whether anything comes but the usual customers.
    pub fn happens(&self) -> bool {
        !matches!(self.attack, Attack::None)
    }

    /// Whether nothing that Weir was told stops it, and it must notice by itself.
    pub fn is_noticed(&self) -> bool {
        let by_itself = self.expected.iter().any(|reason| BY_ITSELF.contains(reason));
        // What attackers with connections meet is no policy's limit.
        let bots = matches!(self.attack, Attack::Bots(_)) && self.asks.serves();
        (by_itself || bots) && !(self.policy)().always_challenges()
    }

    /// Whether it is a flood that must overwhelm a node that nobody protects, all the time.
    pub fn overwhelms(&self) -> bool {
        matches!(self.attack, Attack::Flood(_)) && self.pps >= OVERWHELMING
    }

    /// How many times as many customers come as usual.
    pub fn surge(&self) -> u32 {
        if let Attack::Surge(times) = self.attack { times } else { 1 }
    }

    /// What its customers ask for at ordinary times.
    pub fn load(&self) -> Load {
        match self.attack {
            // A tenth of the usual: this machine must have room for so many times as much.
            Attack::Surge(times) => Load { pages: 30, names: 20, room: times },
            _ => Load::default(),
        }
    }

    /// The lab that it needs.
    pub fn shape(&self) -> Shape {
        let shape = Shape::default();
        match self.attack {
            Attack::Surge(times) => Shape { customers: crowds::PEOPLE * times as u16, ..shape },
            Attack::Bots(_) => Shape { bots: crowds::BOTS, ..shape },
            _ => {
                let victims = self.streams().iter().map(|stream| stream.frame.destinations).max().unwrap_or(1);
                Shape { addresses: u16::try_from(victims).unwrap_or(u16::MAX), ..shape }
            }
        }
    }
}

fn bounded(streams: Vec<Stream>, pps: u64, time: Duration) -> Flood {
    let packets = (pps as f64 * time.as_secs_f64()) as u64;
    Flood { streams, pps, packets, time }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_and_unlike_each_other() {
        for scenario in &ALL {
            assert_eq!(Scenario::named(scenario.name).expect("itself").about, scenario.about);
            assert_eq!(ALL.iter().filter(|other| other.name == scenario.name).count(), 1);
            let flood = scenario.flood(1, Duration::from_secs(1));
            assert_eq!(flood.is_some(), scenario.pps > 0, "{}", scenario.name);
            // Where Weir is to stop something, there is something, and a reason for it.
            let stops = scenario.asks.serves() && scenario.attacks();
            assert_eq!(stops, !scenario.expected.is_empty(), "{}", scenario.name);
            assert!(flood.is_none_or(|flood| flood.streams.len() <= 16), "{}", scenario.name);
        }
        assert!(Scenario::named("rain").is_err());
        let noticed = |name: &str| Scenario::named(name).expect("a scenario").is_noticed();
        assert!(noticed("syn-flood-like-customers") && !noticed("syn-challenge") && !noticed("deny-list"));
    }

    #[test]
    fn trains_are_bounded_and_last_as_long_as_they_say() {
        let asked = Duration::from_secs(5);
        for scenario in ALL.iter().filter(|scenario| scenario.pps > 0) {
            let train = scenario.train(scenario.pps, asked);
            let lasts: Duration = train.iter().map(|phase| phase.flood.time + phase.rest).sum();
            assert_eq!(lasts, scenario.lasts(asked), "{}", scenario.name);
            let packets: u64 = train.iter().map(|phase| phase.flood.packets).sum();
            assert!(packets <= (scenario.pps as f64 * lasts.as_secs_f64()) as u64, "{}", scenario.name);
            assert!(train.iter().all(|phase| phase.flood.packets > 0));
        }
        let frog = Scenario::named("boiling-frog").expect("a scenario").train(512_000, asked);
        assert_eq!((frog[0].flood.pps, frog.last().map(|phase| phase.flood.pps)), (250, Some(512_000)));
    }
}
