//! Crowds with connections of their own: customers who come all at once, and machines that keep the server busy.

use super::policy::{Policy, names, web};
use super::{Asks, Attack, Learns, Scenario};
use crate::bots::Habit;

/// Customers of ordinary times, of each IP version, in a scenario in which many more will come.
pub const PEOPLE: u16 = 20;
/// Machines of a botnet, of each IP version.
pub const BOTS: u16 = 64;

/// No attack at all.
pub const FLASH_CROWD: Scenario = Scenario {
    name: "flash-crowd",
    about: "twenty times as many customers as usual, all real: nothing may be dropped",
    attack: Attack::Surge(20),
    pps: 0,
    policy: || Policy::of(&[web(""), names("")]),
    learns: Learns::Rates,
    expected: &[],
    asks: Asks::Stop,
};

/// Many connections that ask for nothing.
pub const SLOWLORIS: Scenario = Scenario {
    name: "slowloris",
    about: "128 machines hold nine thousand connections to the web server and never finish their requests",
    attack: Attack::Bots(Habit::Dawdle),
    pps: 0,
    policy: || Policy::of(&[web("")]),
    learns: Learns::Customers,
    expected: &["source_connections", "kept_waiting"],
    asks: Asks::Serve,
};

/// Many requests.
pub const HTTP_FLOOD: Scenario = Scenario {
    name: "http-flood",
    about: "128 machines ask for the page as fast as they can, four thousand requests at a time, each by the book",
    attack: Attack::Bots(Habit::Hammer),
    pps: 0,
    policy: || Policy::of(&[web("")]),
    learns: Learns::Customers,
    expected: &["source_connections"],
    asks: Asks::Serve,
};
