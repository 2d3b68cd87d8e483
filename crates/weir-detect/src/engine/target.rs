//! One target: what was seen of it, the watches over its kinds of packets, and what is watched of its connections.

use std::collections::VecDeque;

use weir_abi::{FEATURE_SLOTS, Feature};

use super::hours::Hours;
use super::opening::{Opened, Opening};
use super::waiting::Waiting;
use super::{About, Row, Settings};
use crate::baseline::{Fast, WINDOWS_PER_SECOND};
use crate::detector::handshake::Handshakes;
use crate::detector::harm::Service;
use crate::detector::strays::Strays;
use crate::reservoir::{MOST, Reservoir};
use crate::vector::{Vector, Window};
use crate::watch::{Offered, Seen, Step, Watch};

/// Windows for which a question waits for its answer: ten seconds.
const ASKED_WINDOWS: usize = 10 * WINDOWS_PER_SECOND as usize;

/// Calm windows after which it is known what it sends: three seconds.
const KNOWS: u64 = 3 * WINDOWS_PER_SECOND as u64;

/// The target.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) before: Option<[u64; FEATURE_SLOTS]>,
    /// The windows of the last second, and their sum.
    pub(super) second: (VecDeque<Window>, Window),
    pub(super) watches: [Watch; Vector::ALL.len()],
    /// Questions of the last ten seconds, by window, and their sum.
    pub(super) asked: (VecDeque<u64>, u64),
    pub(super) handshakes: Handshakes,
    pub(super) strays: Strays,
    /// Packets that it sends.
    pub(super) sends: Fast,
    pub(super) hours: Hours,
    pub(super) service: Service,
    pub(super) waiting: Waiting,
    pub(super) opening: Opening,
    pub(super) benign: Reservoir,
    /// The network that it shares with others.
    pub(super) network: Option<u64>,
    /// Whether its SYNs may be challenged.
    pub(super) challenge: bool,
}

impl Target {
    pub(super) fn new(settings: &Settings, id: u32) -> Self {
        Self {
            before: None,
            second: Default::default(),
            asked: Default::default(),
            handshakes: Handshakes::default(),
            strays: Strays::default(),
            sends: Fast::default(),
            hours: Hours::default(),
            service: Service::default(),
            waiting: Waiting::default(),
            opening: Opening::default(),
            watches: Vector::ALL.map(|vector| Watch::new(vector, settings.window_samples)),
            benign: Reservoir::new(MOST, settings.seed ^ u64::from(id)),
            network: None,
            challenge: false,
        }
    }

    /// Ends a window.
    pub(super) fn window(
        &mut self,
        window: Window,
        about: &About<'_>,
        offered: &[Offered],
        settings: &Settings,
    ) -> Vec<(Vector, Step)> {
        let second = self.last_second(window);
        let asked = about.seen.then(|| self.last_asked(&window));
        // Handshakes that are refused to a source fail by Weir's own doing.
        let refused = self.opening.limit().is_some() || self.waiting.closing().is_some();
        let handshakes = about.seen.then(|| self.handshakes.window(&window, about.challenged || refused)).flatten();
        let handshakes = handshakes.filter(|score| !(refused && score.alarm));
        let soon = if about.seen && !refused { self.handshakes.fails_soon() } else { None };
        // Of several targets each has its own.
        let strays = if about.seen && about.together.is_none() { self.strays.window(&window) } else { None };
        let harm = about.suffers.map(|told| self.service.window(&told)).unwrap_or_default();
        let sent = about.seen.then(|| window.feature(Feature::Sent) as f64);
        let knows = self.sends.windows() >= KNOWS;
        let answers = sent.filter(|_| knows).map(|sent| (sent - self.sends.mean()).max(0.0));
        let completed = about.seen.then(|| window.feature(Feature::Completed));
        let watches = || Vector::ALL.into_iter().zip(&self.watches);
        let rules = watches().flat_map(|(vector, watch)| watch.rules().map(move |(rule, drops)| (vector, rule, drops)));
        let dropping = rules.filter(|(.., drops)| *drops).map(|(vector, rule, _)| (vector, rule.matches.clone()));
        let dropping = dropping.collect::<Vec<_>>();
        let mut steps = Vec::new();
        for (vector, watch) in Vector::ALL.into_iter().zip(&mut self.watches) {
            let crowd = about.together.map(|together| together.of(vector));
            let seen = Seen {
                vector,
                window: &window,
                second: &second,
                asked,
                handshakes: handshakes.as_ref(),
                soon: soon.as_ref().filter(|_| vector == Vector::Syn),
                strays: strays.as_ref(),
                hourly: self.hours.usual(vector),
                harm: &harm,
                challenge: about.challenge && vector == Vector::Syn,
                answers,
                completed: completed.filter(|_| vector.connects()),
                offered,
                dropping: &dropping,
                crowd: crowd.as_ref(),
            };
            steps.extend(watch.window(seen, &mut self.benign, settings).into_iter().map(|step| (vector, step)));
        }
        if self.watches.iter().all(Watch::is_calm) {
            sent.into_iter().for_each(|sent| self.sends.learn(sent));
        }
        steps
    }

    /// Ends a window for the connections that wait; all of it, however long it lasted. Nothing is known of them where it is not `seen` what the target sends.
    pub(super) fn wait(&mut self, window: &Window, seen: bool, lasted: u64, settings: &Settings) -> Vec<Step> {
        let per_second = f64::from(WINDOWS_PER_SECOND);
        let usual = self.watches.get(Vector::Tcp as usize).map_or(0.0, Watch::usual);
        let rate = window.packets(Vector::Tcp) as f64 / lasted.max(1) as f64;
        self.waiting.window(seen.then_some(window), (rate * per_second, usual * per_second), settings.warm_up)
    }

    /// Ends a window, after its watches, for those who open connections.
    pub(super) fn opened(&mut self, window: &Window, row: &Row, settings: &Settings) -> Vec<Step> {
        let Some(syns) = self.watches.get(Vector::Syn as usize) else { return Vec::new() };
        let second = &self.second.1;
        let opened = Opened {
            syns: (window.packets(Vector::Syn), second.packets(Vector::Syn)),
            usual: syns.usual(),
            completed: row.seen.then(|| second.feature(Feature::Completed)),
            calm: self.is_calm(),
            may_limit: row.share,
        };
        self.opening.window(&opened, settings.warm_up)
    }

    /// Whether nothing goes on, and the last window was no cause for doubt.
    pub(super) fn is_calm(&self) -> bool {
        self.watches.iter().all(Watch::is_calm) && self.waiting.is_calm() && self.opening.is_calm()
    }

    /// Questions that it asked within the ten seconds that end with a window.
    pub(super) fn last_asked(&mut self, window: &Window) -> u64 {
        let now = window.feature(Feature::Asked);
        let (windows, sum) = &mut self.asked;
        if *sum == 0 && now == 0 {
            windows.clear();
            return 0;
        }
        windows.push_back(now);
        *sum += now;
        if windows.len() > ASKED_WINDOWS
            && let Some(old) = windows.pop_front()
        {
            *sum -= old;
        }
        *sum
    }

    pub(super) fn is_challenged(&self) -> bool {
        self.watches.iter().any(Watch::challenged)
    }

    /// Challenges whose answers may be in a window: as many as SYNs, those of the second before it as well.
    pub(super) fn challenges(&self, window: &Window) -> u64 {
        let before = self.second.1.packets(Vector::Syn) / u64::from(WINDOWS_PER_SECOND);
        window.packets(Vector::Syn).max(before).saturating_mul(5) / 4
    }

    /// What came within the second that ends with a window.
    pub(super) fn last_second(&mut self, window: Window) -> Window {
        let (windows, sum) = &mut self.second;
        // Silence after silence needs no memory.
        if windows.is_empty() && window.total() == 0 {
            return window;
        }
        sum.add(&window);
        windows.push_back(window);
        if windows.len() > WINDOWS_PER_SECOND as usize
            && let Some(old) = windows.pop_front()
        {
            sum.take(&old);
        }
        let sum = *sum;
        if sum.total() == 0 {
            windows.clear();
        }
        sum
    }
}
