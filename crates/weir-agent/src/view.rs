//! What readers see: the API, the metrics. Written by the engine alone, swapped whole, read without waiting.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use weir_api::local::{IncidentRow, RuleRow};
use weir_api::problem::Problem;
use weir_api::spec::{Cidr, Mode};
use weir_policy::image::Names;
use weir_policy::model::Policy;

use crate::datapath::Attachment;
use crate::entries::Entry;
use crate::explain::RuleName;
use crate::notify;
use crate::sampling::Recent;
use crate::store::{MOST_INCIDENTS, Stats};
use crate::traffic::Traffic;

/// Samples kept for readers.
const RECENT: usize = 4096;

/// Everything readers see.
#[derive(Debug)]
pub struct View {
    /// When the agent started.
    pub started: SystemTime,
    policy: ArcSwap<PolicyView>,
    traffic: ArcSwap<Traffic>,
    incidents: ArcSwap<Vec<IncidentRow>>,
    /// Incidents of agents before this one, the newest first.
    past: Vec<IncidentRow>,
    /// What became of writing them.
    pub store: Arc<Stats>,
    /// What became of telling others, by whom.
    told: OnceLock<Vec<(&'static str, Arc<notify::Stats>)>>,
    rules: ArcSwap<Vec<RuleRow>>,
    rule_names: ArcSwap<BTreeMap<u32, RuleName>>,
    packet_bytes: AtomicUsize,
    recent: Mutex<Recent>,
}

/// The policy in force and what became of the files.
#[derive(Clone, Debug)]
pub struct PolicyView {
    /// Counts the policies put in force.
    pub generation: u64,
    /// Mode of the node-wide checks.
    pub mode: Mode,
    /// Whether `--mode` overrides the policies.
    pub forced: bool,
    /// The policy directory.
    pub directory: Option<PathBuf>,
    /// Files of the policy in force.
    pub files: Vec<String>,
    /// How many objects they hold.
    pub objects: u64,
    /// When tables were put in force last.
    pub applied: Option<SystemTime>,
    /// How long that took, from parsed files to tables in the kernel.
    pub apply_time: Duration,
    /// Map elements it changed.
    pub changes: u64,
    /// Whether what lies on disk is refused and an earlier policy is in force.
    pub stale: bool,
    /// Why it is refused.
    pub errors: Vec<Problem>,
    /// What has no effect here.
    pub warnings: Vec<Problem>,
    /// The policy in force, without its lists: those may be long, and the engine keeps them.
    pub policy: Arc<Policy>,
    /// How many entries its lists have.
    pub prefixes: u64,
    /// Runtime entries, sorted.
    pub entries: Vec<(Cidr, Entry)>,
    /// Names of targets and rules in the tables.
    pub names: Arc<Names>,
    /// The match rules' slots in use, and the rule each belongs to.
    pub slots: Vec<(u32, u32)>,
    /// Relates expiry ticks to the clock of the wall.
    pub clock: weir_api::to_policy::Clock,
    /// Where the packet path is attached.
    pub attachments: Vec<Attachment>,
}

impl View {
    /// Before anything is in force.
    pub fn new(policy: PolicyView, now: SystemTime) -> Self {
        Self {
            started: now,
            policy: ArcSwap::from_pointee(policy),
            traffic: ArcSwap::from_pointee(Traffic::empty(Instant::now())),
            incidents: ArcSwap::default(),
            past: Vec::new(),
            store: Arc::default(),
            told: OnceLock::new(),
            rules: ArcSwap::default(),
            rule_names: ArcSwap::default(),
            packet_bytes: AtomicUsize::new(0),
            recent: Mutex::new(Recent::new(RECENT)),
        }
    }

    /// With what agents before this one noticed.
    #[must_use]
    pub fn remembering(self, past: Vec<IncidentRow>, store: Arc<Stats>) -> Self {
        Self { past, store, ..self }
    }

    /// The policy in force.
    pub fn policy(&self) -> Arc<PolicyView> {
        self.policy.load_full()
    }

    /// The last reading of the counters.
    pub fn traffic(&self) -> Arc<Traffic> {
        self.traffic.load_full()
    }

    /// The incidents, the newest first, those of earlier agents last.
    pub fn incidents(&self) -> Arc<Vec<IncidentRow>> {
        let own = self.incidents.load_full();
        if self.past.is_empty() {
            return own;
        }
        // Put together by who reads: the engine's thread has better things to do.
        Arc::new(own.iter().chain(&self.past).take(MOST_INCIDENTS.max(own.len())).cloned().collect())
    }

    /// One of them.
    pub fn incident(&self, id: u64) -> Option<IncidentRow> {
        let own = self.incidents.load();
        own.iter().chain(&self.past).find(|row| row.id == id).cloned()
    }

    /// Those that this agent noticed.
    pub(crate) fn own_incidents(&self) -> Arc<Vec<IncidentRow>> {
        self.incidents.load_full()
    }

    /// What became of telling others, by whom.
    pub fn told(&self) -> &[(&'static str, Arc<notify::Stats>)] {
        self.told.get().map_or(&[], Vec::as_slice)
    }

    pub(crate) fn set_told(&self, stats: Vec<(&'static str, Arc<notify::Stats>)>) {
        // Whom to tell is settled before anything happens.
        let _ = self.told.set(stats);
    }

    /// The rules of the policy and of incidents.
    pub fn rules(&self) -> Arc<Vec<RuleRow>> {
        self.rules.load_full()
    }

    /// What rules of incidents are called, by the number in samples.
    pub fn rule_names(&self) -> Arc<BTreeMap<u32, RuleName>> {
        self.rule_names.load_full()
    }

    /// Memory of the packets that incidents keep, bytes.
    pub fn packet_bytes(&self) -> usize {
        self.packet_bytes.load(Ordering::Relaxed)
    }

    /// The last samples.
    pub fn recent(&self) -> MutexGuard<'_, Recent> {
        // The ring is sound whenever the lock is free, whoever held it.
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_policy(&self, policy: PolicyView) {
        self.policy.store(Arc::new(policy));
    }

    pub(crate) fn set_incidents(&self, incidents: Vec<IncidentRow>) {
        self.incidents.store(Arc::new(incidents));
    }

    pub(crate) fn set_rule_names(&self, names: BTreeMap<u32, RuleName>) {
        self.rule_names.store(Arc::new(names));
    }

    pub(crate) fn set_packet_bytes(&self, bytes: usize) {
        self.packet_bytes.store(bytes, Ordering::Relaxed);
    }

    pub(crate) fn set_rules(&self, rules: Vec<RuleRow>) {
        self.rules.store(Arc::new(rules));
    }

    pub(crate) fn set_traffic(&self, traffic: Traffic) {
        self.traffic.store(Arc::new(traffic));
    }
}

impl PolicyView {
    /// A target's name.
    pub fn target_name(&self, id: u32) -> String {
        match self.names.target(id) {
            Some(name) => name.to_owned(),
            None if id == weir_abi::target::NODE => "node".to_owned(),
            None => format!("#{id}"),
        }
    }

    /// A rule's or list entry's name.
    pub fn rule_name(&self, id: u32) -> Option<String> {
        self.names.rule(id).map(str::to_owned)
    }

    /// Why the agent is not ready; empty when it is.
    pub fn not_ready(&self) -> Vec<String> {
        let mut why = Vec::new();
        if self.attachments.is_empty() {
            why.push("attached to no interface".to_owned());
        }
        if self.generation == 0 {
            why.push("no policy is in force yet".to_owned());
        }
        why
    }
}
