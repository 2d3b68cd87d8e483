//! What targets ask others: queries to ports of reflectors, and SYNs. Answers to these are no attack.

use std::collections::{HashMap, VecDeque};

use weir_abi::Addr;
use weir_abi::target::OWNER;
use weir_core::hygiene::is_reflection_port;
use weir_policy::TableImage;
use weir_wire::{Bytes, Transport};

/// Windows for which a question waits for its answer: ten seconds.
const WINDOWS: usize = 100;

/// Questions by target.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Who answers for an address as a whole.
    owners: HashMap<Addr, u32>,
    now: HashMap<u32, u64>,
    sums: HashMap<u32, u64>,
    before: VecDeque<HashMap<u32, u64>>,
}

impl Asked {
    /// Of the targets that are known by their address alone; a service that is known by its port asks nobody from there.
    pub fn new(image: &TableImage) -> Self {
        let whole = image.targets.iter().filter(|(key, _)| key.port == 0 && (key.proto == 0 || key.proto == OWNER));
        Self { owners: whole.map(|(key, id)| (key.addr, *id)).collect(), ..Self::default() }
    }

    /// Whether any target could ask.
    pub fn is_watching(&self) -> bool {
        !self.owners.is_empty()
    }

    /// Looks at a frame, whichever way it goes.
    pub fn frame(&mut self, frame: &Bytes) {
        let Some(p) = super::parsed(frame) else { return };
        let question = match p.transport {
            Transport::Udp => is_reflection_port(p.destination_port),
            Transport::Tcp => p.is_syn(),
            _ => false,
        };
        if question && let Some(target) = self.owners.get(&Addr { hi: p.ip.src.0, lo: p.ip.src.1 }) {
            *self.now.entry(*target).or_default() += 1;
        }
    }

    /// Questions of a target within the last ten seconds.
    pub fn of(&self, target: u32) -> u64 {
        let get = |map: &HashMap<u32, u64>| map.get(&target).copied().unwrap_or(0);
        get(&self.sums) + get(&self.now)
    }

    /// A window is over.
    pub fn next_window(&mut self) {
        if self.now.is_empty() && self.before.iter().all(HashMap::is_empty) {
            return;
        }
        for (target, n) in &self.now {
            *self.sums.entry(*target).or_default() += n;
        }
        self.before.push_back(std::mem::take(&mut self.now));
        if self.before.len() > WINDOWS {
            for (target, n) in self.before.pop_front().unwrap_or_default() {
                if let Some(sum) = self.sums.get_mut(&target) {
                    *sum -= n.min(*sum);
                }
            }
        }
    }
}
