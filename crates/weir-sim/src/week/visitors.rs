//! Who opens connections: browsers that come, look, and open several at once, many customers behind one address, clients that keep coming, machines
//! that do a job; and who tries again where nothing came about.

use std::collections::VecDeque;

use weir_abi::Addr;

use super::chance::{Chance, mixed};
use super::life::Now;
use super::service::Role;

/// A browser's further connections: so many windows after the first one, so many at once, for so large a share of visits.
const FURTHER: [(usize, u64, f64); 5] = [(1, 5, 0.12), (2, 5, 0.12), (3, 3, 0.12), (4, 2, 0.12), (5, 1, 0.12)];
/// Windows after which a connection that did not come about is tried again, and the share of those who try.
const AGAIN: usize = 10;
const TRY_AGAIN: f64 = 0.6;
/// Of a hundred visits to a web site, those from behind a few shared addresses, and those of regular customers.
const SHARED: u64 = 8;
const REGULAR: u64 = 32;
/// Shared addresses, regular customers of a web site, clients of an API, those who log in to a host.
const SHARES: u64 = 4;
const REGULARS: u64 = 3000;
const CLIENTS: u64 = 200;
const USERS: u64 = 50;
/// Connections that a job's machine opens in a minute, as often as that.
const JOB_WINDOWS: u64 = 10;
/// Connections that a partner's machine opens in a window, at most, and its share of what others do.
const PARTNER: f64 = 3.0;
const PARTNERS_SHARE: f64 = 0.2;

/// Whose visits they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Customers,
    /// Those whom the news have brought: hardly any of them was there before.
    Crowd,
    /// One of so many machines with a job.
    Job(u64),
    Partner(u64),
}

/// Visits with numbers that follow each other, each of which opens so many connections now.
#[derive(Clone, Copy, Debug)]
struct Visits {
    first: u64,
    visits: u64,
    each: u64,
    whose: Whose,
}

/// Who opens the connections of a service.
#[derive(Clone, Debug)]
pub(super) struct Visitors {
    role: Role,
    seed: u64,
    region: u64,
    next: u64,
    /// The visits of this window, in the order of their SYNs.
    now: Vec<Visits>,
    /// Those that come back, by window.
    due: VecDeque<Vec<Visits>>,
}

impl Visitors {
    pub fn new(role: Role, region: u64, seed: u64) -> Self {
        let due = (0..=AGAIN).map(|_| Vec::new()).collect();
        Self { role, seed, region, next: 0, now: Vec::new(), due }
    }

    /// A window in which customers open so many connections, of which all together are opened: what a partner does comes on top.
    pub fn window(&mut self, arrived: u64, now: &Now, chance: &mut Chance) -> u64 {
        self.now.clear();
        let mut left = self.come_back(arrived);
        let job = chance.of(left, now.job);
        self.come(job, Whose::Job((arrived * JOB_WINDOWS).max(1)));
        left -= job;
        let crowd = chance.of(left, now.crowd);
        for (visits, whose) in [(crowd, Whose::Crowd), (left - crowd, Whose::Customers)] {
            let first = self.come(visits, whose);
            if self.role == Role::Web {
                self.go_on(first, visits, whose, chance);
            }
            if now.completes == 0.0 {
                let visits = chance.of(visits, TRY_AGAIN);
                self.due[AGAIN - 1].push(Visits { first, visits, each: 1, whose });
            }
        }
        let Some(partner) = now.partner else { return arrived };
        let more = chance.poisson((arrived as f64 * PARTNERS_SHARE).min(PARTNER));
        self.come(more, Whose::Partner(partner));
        arrived + more
    }

    /// Those who come back, as many as there is room for; how many others come. The rest come in the next window, unless nobody does any more.
    fn come_back(&mut self, arrived: u64) -> u64 {
        let mut left = arrived;
        let back = self.due.pop_front().unwrap_or_default();
        self.due.push_back(Vec::new());
        for group in back {
            let visits = group.visits.min(left / group.each);
            left -= visits * group.each;
            self.now.push(Visits { visits, ..group });
            if visits < group.visits && arrived > 0 {
                let rest = Visits { first: group.first + visits, visits: group.visits - visits, ..group };
                self.due[0].push(rest);
            }
        }
        left
    }

    /// So many visits begin; the number of the first one.
    fn come(&mut self, visits: u64, whose: Whose) -> u64 {
        let first = self.next;
        self.now.push(Visits { first, visits, each: 1, whose });
        self.next += visits;
        first
    }

    /// Browsers open their further connections.
    fn go_on(&mut self, first: u64, visits: u64, whose: Whose, chance: &mut Chance) {
        let mut at = first;
        for (after, each, share) in FURTHER {
            let some = chance.of(visits, share).min(first + visits - at);
            self.due[after - 1].push(Visits { first: at, visits: some, each, whose });
            at += some;
        }
    }

    /// Who opens a window's connection with this number.
    pub fn source(&self, mut syn: u64) -> Addr {
        for group in &self.now {
            let all = group.visits * group.each;
            if syn < all {
                return self.address(group.first + syn / group.each, group.whose);
            }
            syn -= all;
        }
        // Nobody opens more than a window has.
        self.address(self.next, Whose::Customers)
    }

    fn address(&self, visit: u64, whose: Whose) -> Addr {
        let chance = mixed(self.seed ^ visit);
        let (kind, rest) = (chance % 100, chance >> 8);
        // The first are more of them than the last.
        let one_of = |all: u64| {
            let share = (rest >> 8) as f64 / (u64::MAX >> 16) as f64;
            (all as f64 * share.powi(3)) as u64
        };
        let reserved = |network: u64, host: u64| at(self.region, 4000 + network + host / 250, host % 250);
        match (whose, self.role) {
            (Whose::Job(machines), _) => reserved(20, rest % machines.min(15_000)),
            (Whose::Partner(number), _) => reserved(10, number % 250),
            (Whose::Customers, Role::Web) if kind < SHARED => reserved(0, rest % SHARES),
            (Whose::Customers, Role::Web) if kind < SHARED + REGULAR => self.person(mixed(rest % REGULARS)),
            (Whose::Customers, Role::Api) if kind >= 3 => self.person(mixed(one_of(CLIENTS))),
            (Whose::Customers, Role::Host) if kind >= 10 => self.person(mixed(one_of(USERS))),
            _ => self.person(chance),
        }
    }

    /// Customers live in some thousands of networks, a few of which are large.
    fn person(&self, chance: u64) -> Addr {
        at(self.region, (chance & 63) * (chance >> 6 & 63), (chance >> 12) % 250)
    }
}

/// An address by region, network and number.
pub(super) fn at(region: u64, network: u64, host: u64) -> Addr {
    Addr { hi: 0, lo: 0xffff_0000_0000 | (0x0a00_0000 + (region << 20) + (network << 8) + host) }
}

#[cfg(test)]
mod tests {
    //! How many connections come from whom.
    use std::collections::BTreeMap;

    use super::super::life::Life;
    use super::*;

    /// The sources of so many windows with so many connections in each, and how many each opened in all and in its busiest window.
    fn opened(role: Role, windows: u64, arrived: u64, now: &Now) -> BTreeMap<Addr, (u64, u64)> {
        let (mut visitors, mut chance) = (Visitors::new(role, 3, 1), Chance::new(2));
        let mut all = BTreeMap::<Addr, (u64, u64)>::new();
        for _ in 0..windows {
            let mut window = BTreeMap::<Addr, u64>::new();
            let syns = visitors.window(arrived, now, &mut chance);
            (0..syns).for_each(|syn| *window.entry(visitors.source(syn)).or_default() += 1);
            assert_eq!(window.values().sum::<u64>(), syns);
            for (source, n) in window {
                let (sum, most) = all.entry(source).or_default();
                (*sum, *most) = (*sum + n, n.max(*most));
            }
        }
        all
    }

    fn now() -> Now {
        Life::default().at(0)
    }

    #[test]
    fn browsers_open_several_and_people_behind_one_address_many() {
        let all = opened(Role::Web, 1000, 30, &now());
        let mut most = all.values().map(|(sum, _)| *sum).collect::<Vec<_>>();
        most.sort_unstable();
        assert!(most.len() > 3000 && most[most.len() / 2] <= 6, "{} sources", most.len());
        // 2 % of 30,000 each.
        assert!((400..800).contains(&most[most.len() - 4]), "{:?}", &most[most.len() - 6..]);
        assert!(all.values().any(|(_, most)| *most >= 5));
    }

    #[test]
    fn an_apis_clients_are_few() {
        let all = opened(Role::Api, 1000, 30, &now());
        let most = all.values().map(|(sum, _)| *sum).max();
        assert!(all.len() < 1300 && most > Some(3000), "{}, {most:?}", all.len());
    }

    #[test]
    fn a_jobs_machines_a_partners_one_and_a_crowd_of_strangers() {
        let job = opened(Role::Api, 10, 30, &Now { job: 1.0, ..now() });
        assert!((150..=300).contains(&job.len()), "{}", job.len());
        let partner = opened(Role::Api, 1000, 30, &Now { partner: Some(1), ..now() });
        let one = partner.get(&at(3, 4010, 1)).unwrap();
        assert!((2700..3300).contains(&one.0), "three in a window: {one:?}");
        let crowd = opened(Role::Web, 100, 300, &Now { crowd: 1.0, ..now() });
        assert!(crowd.values().all(|(sum, _)| *sum < 100), "none of them is behind a shared address");
    }

    #[test]
    fn what_did_not_come_about_is_tried_again() {
        let fails = opened(Role::Api, 12, 30, &Now { completes: 0.0, crowd: 1.0, ..now() });
        let again = fails.values().filter(|(sum, _)| *sum > 1).count();
        assert!(again >= 20, "{again}");
    }
}
