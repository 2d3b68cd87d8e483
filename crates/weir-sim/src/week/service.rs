//! One service: who comes, what they send, and which of it the host takes part in.

use std::collections::VecDeque;

use weir_abi::counters::{fact, feature_slot, kind, syn_fact, syn_slot};
use weir_detect::watch::Sampled;

use super::arrivals::{Arrivals, Hours, Level};
use super::chance::Chance;
use super::customers::{Customers, Kind};
use super::life::{Life, Now};
use super::sent::Sent;
use super::visitors::Visitors;
use super::waits::Waits;

/// What a service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A web site: short connections.
    Web,
    /// An API: connections that are used for long.
    Api,
    /// A name server.
    Dns,
    /// A game: datagrams of those who play.
    Game,
    /// A host that is known by its address, serves some customers, and asks name servers itself.
    Host,
}

impl Role {
    /// All of them.
    pub const ALL: [Role; 5] = [Role::Web, Role::Api, Role::Dns, Role::Game, Role::Host];

    /// The word in reports.
    pub const fn label(self) -> &'static str {
        match self {
            Role::Web => "web",
            Role::Api => "api",
            Role::Dns => "dns",
            Role::Game => "game",
            Role::Host => "host",
        }
    }

    /// Segments that a customer sends in a connection, beside its first and last ones.
    const fn segments(self) -> f64 {
        match self {
            Role::Web => 9.0,
            Role::Api => 40.0,
            Role::Host => 15.0,
            Role::Dns | Role::Game => 0.0,
        }
    }

    const fn port(self) -> u16 {
        match self {
            Role::Web | Role::Api => 443,
            Role::Dns => 53,
            Role::Game => 27_015,
            Role::Host => 22,
        }
    }
}

/// Windows from a SYN to the segment that completes its handshake.
const ROUND_TRIP: usize = 2;
/// Of the connections that are open, the share that a window sees end.
const ENDS: f64 = 0.1;
/// SYNs of scanners that any address gets, per window.
const SCANS: f64 = 0.02;
/// Segments that come when their connection is gone already, per connection.
const LATE: f64 = 0.03;

/// A service.
#[derive(Clone, Debug)]
pub struct Service {
    /// What it is.
    pub role: Role,
    arrivals: Arrivals,
    hours: Hours,
    life: Life,
    /// Who comes.
    pub customers: Customers,
    chance: Chance,
    visitors: Visitors,
    waits: Waits,
    /// The share of handshakes that are completed within a tenth of a second.
    prompt: f64,
    /// Prompt handshakes that are under way, and the others, the oldest first.
    prompt_ones: u64,
    opening: VecDeque<u64>,
    /// Connections that are open.
    open: f64,
    /// Questions whose answers are on their way.
    asked: u64,
}

impl Service {
    /// A service at a level, with its hours and its life.
    pub fn new(role: Role, level: Level, hours: Hours, life: Life, seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let arrivals = Arrivals::new(level, &mut chance);
        let customers = Customers { port: role.port(), released: 0.0, region: seed % 64 };
        let prompt = 0.2 + 0.6 * chance.share();
        Self {
            role,
            arrivals,
            hours,
            life,
            customers,
            visitors: Visitors::new(role, customers.region, seed),
            waits: Waits::default(),
            prompt,
            prompt_ones: 0,
            opening: VecDeque::from([0; ROUND_TRIP]),
            chance,
            open: 0.0,
            asked: 0,
        }
    }

    /// What customers send in a window.
    pub fn window(&mut self, number: u64, sent: &mut Sent) {
        if number.is_multiple_of(super::WINDOWS_PER_HOUR) {
            self.life.forget_before(number);
        }
        let now = self.life.at(number);
        let times = now.times * self.hours.at(number);
        self.customers.released = now.released;
        let arrived = self.arrivals.window(times, &mut self.chance);
        match self.role {
            Role::Dns => self.send(sent, feature_slot(kind::UDP, true, false), arrived, false, Kind::Query),
            Role::Game => {
                let small = self.chance.of(arrived, 0.3);
                self.send(sent, feature_slot(kind::UDP, true, false), small, false, Kind::Datagram);
                self.send(sent, feature_slot(kind::UDP, false, false), arrived - small, false, Kind::Datagram);
            }
            Role::Web | Role::Api => self.connections(&now, arrived, sent),
            Role::Host => {
                self.connections(&now, arrived, sent);
                self.asks(arrived, sent);
            }
        }
        let pings = self.chance.poisson(SCANS * times);
        self.send(sent, feature_slot(kind::ICMP, true, false), pings, false, Kind::Ping);
        let scans = self.chance.poisson(SCANS);
        self.send(sent, syn_slot(syn_fact::NO_OPTIONS), scans, false, Kind::Scan);
    }

    fn connections(&mut self, now: &Now, arrived: u64, sent: &mut Sent) {
        let opened = self.visitors.window(arrived, now, &mut self.chance);
        let (visitors, customers, chance) = (&self.visitors, &self.customers, &mut self.chance);
        sent.numbered(syn_slot(0), opened, false, |syn| Sampled {
            source: visitors.source(syn),
            ..customers.packet(Kind::Syn, chance)
        });
        let completed = self.complete(now, opened, sent);
        // Where nothing comes about the host refuses what comes: nothing listens there.
        sent.fact(if now.completes > 0.0 { fact::SYN_ACK_SENT } else { fact::RST_SENT }, opened);

        let segments = self.chance.poisson(self.open * ENDS * self.role.segments());
        let data = self.chance.of(segments, 0.45);
        let lost = now.lost.is_some();
        // A question in two segments, mostly; who waits asks none.
        let asked = if now.stuck || lost { 0 } else { self.chance.of(data, 0.5) };
        self.waits.window(self.role, completed, asked, now, sent, &mut self.chance);
        self.send(sent, feature_slot(kind::TCP, true, false), segments - data, !lost, Kind::Ack);
        self.send(sent, feature_slot(kind::TCP, false, false), data, !lost, Kind::Data);
        let ended = self.chance.poisson(self.open * ENDS);
        let late = self.chance.of(ended, LATE);
        let resets = self.chance.of(ended, 0.15);
        self.send(sent, feature_slot(kind::FIN, true, false), ended - resets, !lost, Kind::Fin);
        self.send(sent, feature_slot(kind::RST, true, false), resets, !lost, Kind::Reset);
        self.send(sent, feature_slot(kind::RST, true, false), late, false, Kind::Reset);
        if lost {
            sent.strays(segments + ended + late);
        } else {
            sent.fact(fact::KNOWN, segments + ended);
            sent.strays(late);
        }
        self.open = (self.open + completed as f64) * (1.0 - ENDS);
        if now.lost.is_some_and(|since| since > 0) {
            self.open *= 0.3;
        }
    }

    /// Handshakes are completed: the prompt ones in the same window or the next.
    fn complete(&mut self, now: &Now, opened: u64, sent: &mut Sent) -> u64 {
        let prompt = self.chance.of(opened, self.prompt * now.prompt);
        let soon = self.chance.of(prompt, 0.5);
        let at_once = soon + std::mem::replace(&mut self.prompt_ones, prompt - soon);
        self.opening.push_back(opened - prompt);
        let late = self.opening.pop_front().unwrap_or(0);
        let [at_once, late] = [at_once, late].map(|n| self.chance.of(n, now.completes));
        sent.fact(fact::COMPLETED, at_once + late);
        sent.fact(fact::LATE, late);
        at_once + late
    }

    /// It asks name servers about its customers, and is answered in the next window.
    fn asks(&mut self, arrived: u64, sent: &mut Sent) {
        let answers = self.chance.of(self.asked, 0.99);
        let small = self.chance.of(answers, 0.2);
        self.send(sent, feature_slot(kind::UDP_REFLECTION, true, false), small, false, Kind::Answer);
        self.send(sent, feature_slot(kind::UDP_REFLECTION, false, false), answers - small, false, Kind::Answer);
        sent.fact(fact::ANSWERED, answers);
        self.asked = self.chance.of(arrived, 0.5);
        sent.fact(fact::ASKED, self.asked);
    }

    fn send(&mut self, sent: &mut Sent, slot: u8, n: u64, known: bool, kind: Kind) {
        if n > 0 {
            sent.packets(slot, n, known, || self.customers.packet(kind, &mut self.chance));
        }
    }
}
