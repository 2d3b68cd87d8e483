//! What a watch has learned, and the last windows, which are believed only when nothing came of them.

use std::collections::VecDeque;

use super::Sampled;
use crate::baseline::{Fast, WINDOWS_PER_SECOND};
use crate::detector::newcomers::Newcomers;
use crate::detector::rate::Rate;
use crate::detector::shape::Shapes;
use crate::reservoir::Reservoir;
use crate::vector::Vector;

/// Windows that are held back: an attack that is found in its third window must not have taught anything in its first two.
const HELD: usize = 3;
/// A window of so many deviations above the mean may be an attack's beginning.
const ELEVATED: f64 = 3.0;

#[derive(Clone, Debug)]
struct Held {
    elevated: bool,
    samples: Vec<Sampled>,
}

/// What is usual.
#[derive(Clone, Debug, Default)]
pub struct Usual {
    pub packets: Fast,
    pub rate: Rate,
    pub shapes: Shapes,
    /// Where packets belong to no connection that vouches for their sources.
    pub newcomers: Option<Newcomers>,
    held: VecDeque<Held>,
}

impl Usual {
    /// Nothing is known of a kind of packets.
    pub fn new(vector: Vector) -> Self {
        Self { newcomers: (!vector.is_tcp()).then(Newcomers::default), ..Self::default() }
    }

    /// Whether a window without packets changes nothing but the mean.
    pub fn is_quiet(&self) -> bool {
        self.held.is_empty() && self.rate.is_calm() && self.newcomers.as_ref().is_none_or(Newcomers::is_calm)
    }

    /// Packets per second of a number per window.
    pub fn per_second(&self, per_window: f64) -> f64 {
        per_window * f64::from(WINDOWS_PER_SECOND)
    }

    /// Nobody sent anything.
    pub fn silent(&mut self) {
        self.packets.learn(0.0);
        self.newcomers.iter_mut().for_each(|newcomers| newcomers.learn(&[], 0));
    }

    /// Forgets what was above the usual.
    pub fn reset(&mut self) {
        self.rate.reset();
        self.newcomers.iter_mut().for_each(Newcomers::reset);
    }

    /// Learns a calm window; its samples later.
    pub fn learn(&mut self, count: u64, samples: Vec<Sampled>, benign: &mut Reservoir) {
        let elevated = self.packets.z(count as f64) > ELEVATED;
        self.packets.learn(count as f64);
        self.newcomers.iter_mut().for_each(|newcomers| newcomers.learn(&samples, count));
        self.held.push_back(Held { elevated, samples });
        while self.held.len() > HELD {
            let Some(old) = self.held.pop_front() else { break };
            self.newcomers.iter_mut().for_each(|newcomers| newcomers.meet(&old.samples));
            let packets = old.samples.iter().map(|sampled| sampled.packet).collect::<Vec<_>>();
            self.shapes.learn(&packets);
            packets.into_iter().for_each(|packet| benign.add(packet));
        }
        // Silence has nothing to hold back.
        if self.held.iter().all(|held| held.samples.is_empty()) {
            self.held.clear();
        }
    }

    /// Holds a suspicious window back, and learns nothing.
    pub fn hold(&mut self, count: u64, samples: Vec<Sampled>) {
        let elevated = self.packets.windows() == 0 || self.packets.z(count as f64) > ELEVATED;
        self.held.push_back(Held { elevated, samples });
        while self.held.len() > HELD {
            self.held.pop_front();
        }
    }

    /// Learns a crowd's level, and nothing else.
    pub fn crowd(&mut self, count: u64, samples: Vec<Sampled>) {
        self.packets.learn(count as f64);
        self.hold(count, samples);
    }

    /// How many of the last windows may have been the beginning.
    pub fn early(&self) -> u64 {
        self.held.iter().rev().take_while(|held| held.elevated).count() as u64
    }

    /// Samples of the last windows that may have been the beginning.
    pub fn suspects(&self) -> impl Iterator<Item = &Sampled> {
        self.held.iter().filter(|held| held.elevated).flat_map(|held| &held.samples)
    }

    /// Samples of the last windows that may have been the beginning; nothing of them is learned any more.
    pub fn recent_suspects(&mut self) -> Vec<Sampled> {
        self.held.drain(..).filter(|held| held.elevated).flat_map(|held| held.samples).collect()
    }
}
