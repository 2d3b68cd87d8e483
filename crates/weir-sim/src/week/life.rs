//! What happens to a service within weeks, apart from day and night: crowds, hourly jobs, restarts, lost networks, releases. None of
//! it is an attack, and most of it looks like one to somebody.

use super::chance::Chance;
use super::{WINDOWS_PER_DAY, WINDOWS_PER_HOUR, WINDOWS_PER_MINUTE};

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum What {
    /// News: so many times the usual, risen over so many windows, held for so many, and gone as it came.
    Crowd {
        /// Times the usual.
        times: f64,
        /// Windows of its rise, and of its fall.
        rises: u64,
        /// Windows of its height.
        holds: u64,
    },
    /// A job of the customers' that starts at once: so many times the usual for so many windows.
    Job {
        /// Times the usual.
        times: f64,
        /// Windows.
        lasts: u64,
    },
    /// The service starts anew: its connections are gone, for so many windows none comes about, and customers try again and again.
    Restart {
        /// Windows.
        lasts: u64,
    },
    /// The network is gone for so many windows, and then everybody is back at once.
    Lost {
        /// Windows.
        lasts: u64,
        /// Times the usual that come back.
        herd: f64,
    },
    /// It answers nothing for so many windows: a database is gone, memory is being collected.
    Stuck {
        /// Windows.
        lasts: u64,
    },
    /// A machine that nobody knew opens connections one after the other for so many windows.
    Partner {
        /// Which.
        number: u64,
        /// Windows.
        lasts: u64,
    },
    /// A release brings so large a share of customers on another system, within an hour.
    Release {
        /// Share of them.
        share: f64,
    },
}

/// Something, and when.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Happening {
    /// The window in which it begins.
    pub begins: u64,
    /// What.
    pub what: What,
}

/// What a service is going through.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Now {
    /// Times the usual that arrive.
    pub times: f64,
    /// The share of connections that come about.
    pub completes: f64,
    /// Windows since its connections were lost, if they were lost lately.
    pub lost: Option<u64>,
    /// Share of customers that the newest release has brought.
    pub released: f64,
    /// Share of those who come whom the news have brought, and that a job's machines are.
    pub crowd: f64,
    /// See [`Self::crowd`].
    pub job: f64,
    /// What handshakes that usually are prompt have left of that.
    pub prompt: f64,
    /// Nothing is answered.
    pub stuck: bool,
    /// A machine that opens connections beside customers.
    pub partner: Option<u64>,
}

/// Share of connections that come about on a good day: some customers leave within a round trip.
const COMPLETES: f64 = 0.985;
/// The herd after a lost network is gone after so many windows.
const HERD: u64 = 300;
/// Customers notice within so many windows that their connections are lost.
const NOTICED: u64 = 3;

impl Happening {
    fn change(&self, now: &mut Now, window: u64) {
        let Some(since) = window.checked_sub(self.begins) else { return };
        match self.what {
            What::Crowd { times, rises, holds } => {
                let falls = (2 * rises + holds).saturating_sub(since);
                let height = since.min(rises).min(falls) as f64 / rises.max(1) as f64;
                let many = times.powf(height);
                now.times *= many;
                now.crowd = now.crowd.max(1.0 - 1.0 / many.max(1.0));
                // They live farther away.
                now.prompt *= many.powf(-0.3).min(1.0);
            }
            What::Job { times, lasts } if since < lasts => {
                now.times *= times;
                now.job = 1.0 - 1.0 / times.max(1.0);
            }
            What::Stuck { lasts } => now.stuck |= since < lasts,
            What::Partner { number, lasts } if since < lasts => now.partner = Some(number),
            What::Restart { lasts } => {
                if since < NOTICED {
                    now.lost = Some(since);
                }
                if since < lasts {
                    now.completes = 0.0;
                    now.times *= 1.6;
                }
            }
            What::Lost { lasts, herd } => {
                if since < lasts {
                    now.times = 0.0;
                } else if since < lasts + HERD {
                    let left = 1.0 - (since - lasts) as f64 / HERD as f64;
                    now.times *= 1.0 + (herd - 1.0) * left;
                    // A listener's queue overflows at first.
                    now.completes *= 1.0 - 0.3 * left;
                    now.prompt *= 1.0 - 0.7 * left;
                }
            }
            What::Release { share } => {
                now.released = share * (since as f64 / WINDOWS_PER_HOUR as f64).min(1.0);
            }
            What::Job { .. } | What::Partner { .. } => {}
        }
    }
}

/// A service's week, or more.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Life(pub Vec<Happening>);

impl Life {
    /// So many days in which this and that happens. `hourly`: customers have a job at every full hour.
    pub fn of(days: u64, hourly: bool, chance: &mut Chance) -> Self {
        let mut all = Vec::new();
        for day in 0..days {
            // Anywhere in a day, but not within its first half hour: on the first day nothing is learned by then.
            let mut some = |chance: &mut Chance, per_day: f64, what: What| {
                if chance.is(per_day) {
                    let at = chance.between(WINDOWS_PER_HOUR / 2, WINDOWS_PER_DAY - 1);
                    all.push(Happening { begins: day * WINDOWS_PER_DAY + at, what });
                }
            };
            let times = 3.0 * 10f64.powf(chance.share());
            let (rises, holds) = (chance.between(600, 6000), chance.between(3000, 36_000));
            some(chance, 0.3, What::Crowd { times, rises, holds });
            let lasts = chance.between(50, 300);
            some(chance, 0.15, What::Restart { lasts });
            let (lasts, herd) = (chance.between(200, 6000), 2.0 + 4.0 * chance.share());
            some(chance, 0.15, What::Lost { lasts, herd });
            let share = 0.3 * chance.share();
            some(chance, 0.15, What::Release { share });
            let lasts = chance.between(10, 300);
            some(chance, 0.3, What::Stuck { lasts });
            let (number, lasts) = (chance.bits(), chance.between(600, 6000));
            some(chance, 0.15, What::Partner { number, lasts });
            if hourly {
                let lasts = chance.between(100, WINDOWS_PER_MINUTE);
                let job = |hour| Happening {
                    begins: day * WINDOWS_PER_DAY + hour * WINDOWS_PER_HOUR,
                    what: What::Job { times: 4.0, lasts },
                };
                all.extend((0..24).map(job));
            }
        }
        Self(all)
    }

    /// What goes on in a window.
    pub fn at(&self, window: u64) -> Now {
        let mut now = Now {
            times: 1.0,
            completes: COMPLETES,
            lost: None,
            released: 0.0,
            crowd: 0.0,
            job: 0.0,
            prompt: 1.0,
            stuck: false,
            partner: None,
        };
        self.0.iter().for_each(|happening| happening.change(&mut now, window));
        now
    }

    /// Forgets what is over in a window, so that long lives are not slow.
    pub fn forget_before(&mut self, window: u64) {
        self.0.retain(|happening| match happening.what {
            What::Job { lasts, .. } | What::Stuck { lasts } | What::Partner { lasts, .. } => {
                happening.begins + lasts > window
            }
            What::Crowd { rises, holds, .. } => happening.begins + 2 * rises + holds > window,
            What::Restart { lasts } => happening.begins + lasts.max(NOTICED) > window,
            What::Lost { lasts, .. } => happening.begins + lasts + HERD > window,
            What::Release { .. } => true,
        });
    }
}

#[cfg(test)]
mod tests {
    //! Each of them, before, during and after.
    use super::*;

    fn at(what: What, window: u64) -> Now {
        Life(vec![Happening { begins: 1000, what }]).at(window)
    }

    #[test]
    fn a_crowd_rises_and_falls_over_minutes() {
        let crowd = What::Crowd { times: 16.0, rises: 600, holds: 1000 };
        let times = |window| at(crowd, window).times;
        assert_eq!((times(999), times(1000), times(1300), times(1600)), (1.0, 1.0, 4.0, 16.0));
        assert_eq!((times(2600), times(2900), times(3200), times(9000)), (16.0, 4.0, 1.0, 1.0));
    }

    #[test]
    fn a_restart_loses_connections_and_makes_none_for_a_while() {
        let restart = What::Restart { lasts: 100 };
        let now = at(restart, 1001);
        assert_eq!((now.lost, now.completes), (Some(1), 0.0));
        let now = at(restart, 1050);
        assert_eq!((now.lost, now.completes), (None, 0.0));
        assert_eq!(at(restart, 1100), Life::default().at(0));
    }

    #[test]
    fn after_a_lost_network_all_come_back() {
        let lost = What::Lost { lasts: 500, herd: 5.0 };
        assert_eq!(at(lost, 1200).times, 0.0);
        let back = at(lost, 1500);
        assert!(back.times == 5.0 && back.completes < 0.75);
        assert_eq!(at(lost, 1800).times, 1.0);
    }

    #[test]
    fn a_crowd_is_of_strangers_and_from_afar_and_a_job_is_its_machines() {
        let crowd = at(What::Crowd { times: 16.0, rises: 600, holds: 1000 }, 1600);
        assert!(crowd.crowd > 0.9 && (0.4..0.5).contains(&crowd.prompt), "{crowd:?}");
        assert_eq!(at(What::Job { times: 4.0, lasts: 10 }, 1005).job, 0.75);
        let (stuck, partner) = (What::Stuck { lasts: 10 }, What::Partner { number: 7, lasts: 10 });
        assert_eq!([1009, 1010].map(|window| at(stuck, window).stuck), [true, false]);
        assert_eq!([1009, 1010].map(|window| at(partner, window).partner), [Some(7), None]);
    }

    #[test]
    fn every_week_has_something() {
        let life = Life::of(7, true, &mut Chance::new(2));
        assert!(life.0.len() > 168, "{life:?}");
        assert_eq!(life, Life::of(7, true, &mut Chance::new(2)));
    }
}
