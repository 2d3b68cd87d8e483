//! Detection: the kernel's counters and samples to the engine that judges them, every 100 ms, and its rules back to the kernel.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime};

use weir_abi::policy::flag;
use weir_abi::target::NODE;
use weir_abi::{Addr, Counter, Reason, Sample};
use weir_api::local::{IncidentEvent, IncidentRow, SignatureRow, SourceShare, SourcesRow, Span};
use weir_api::spec::Moment;
use weir_core::features;
use weir_core::matching::vector;
use weir_detect::engine::{Engine as Judge, Event, Row, Settings};
use weir_detect::incident::State;
use weir_detect::lay::Layer;
use weir_detect::record::{Incident, Incidents};
use weir_detect::regulars::Regulars;
use weir_detect::signature::Use;
use weir_detect::vector::Vector;
use weir_detect::watch::{Sampled, Step, proves};
use weir_policy::image::TableImage;
use weir_policy::networks::networks;
use weir_policy::overlay;
use weir_policy::prefix::ip_from;
use weir_wire::{Bytes, Packet};

use super::memory::{Memories, hour};
use super::seconds::POLL;
use super::{Engine, Now, Refusal};
use crate::cases::{BEFORE, CaseRule, Cases};
use crate::datapath::DatapathError;
use crate::decode;
use crate::forensics::Evidence;
use crate::store::Remembered;

/// How long a target is watched until its rates can be called unusual, unless said otherwise.
const LEARN: Duration = Duration::from_secs(600);
/// Incidents that are kept.
const KEPT: usize = 1000;

/// The engine and what is known of it.
pub(super) struct Detection {
    pub(super) judge: Judge,
    pub(super) memories: Memories,
    pub(super) incidents: Incidents,
    /// What the agent keeps of them.
    pub(super) cases: Cases,
    pub(super) layer: Layer,
    regulars: Regulars,
    /// The number of the last window.
    window: u64,
    start: Now,
    /// When the last window ended.
    last: Option<Instant>,
    pub(super) rows: Vec<Row>,
    /// The rows of the window before.
    pub(super) rows_before: Vec<Row>,
    /// The network of each target.
    networks: Vec<Option<u64>>,
    /// The kernel refused the rules of the last window.
    behind: bool,
    /// What each rule's slots had counted before it was there.
    pub(super) matched_before: BTreeMap<u32, u64>,
    /// When each incident was noticed, and when its rules were in the kernel.
    times: BTreeMap<u64, (SystemTime, Option<SystemTime>)>,
    /// Incidents that changed and are not in the store's hands yet.
    changed: BTreeSet<u64>,
    /// Their steps that others are to be told.
    steps: Vec<(u64, &'static str)>,
}

/// Relates the clock of samples to that of the wall.
#[derive(Clone, Copy, Debug)]
pub(super) struct SampleClock {
    /// Now, for people.
    pub wall: SystemTime,
    /// Now, in samples.
    pub ns: u64,
}

impl SampleClock {
    /// When a sample was taken.
    pub fn time(self, sample: &Sample) -> SystemTime {
        self.wall.checked_sub(Duration::from_nanos(self.ns.saturating_sub(sample.time_ns))).unwrap_or(self.wall)
    }
}

/// A sample's frame, its headers and its kind, if they can be read.
fn of_kind(sample: &Sample) -> Option<(Bytes<'_>, Packet, Vector)> {
    let packet = decode::packet(sample)?;
    let captured = usize::from(sample.captured).min(sample.bytes.len());
    let frame = Bytes::snapped(sample.bytes.get(..captured)?, sample.length as usize);
    let kind = Vector::of_slot(features::slot(&frame, &packet, sample.length));
    Some((frame, packet, kind))
}

impl Detection {
    /// `next`: the number of the first incident. `learned`: what an agent before this one learned.
    pub fn new(learn: Option<Duration>, next: u64, learned: BTreeMap<String, Remembered>, now: Now) -> Self {
        let warm_up = (learn.unwrap_or(LEARN).as_millis() / POLL.as_millis()) as u64;
        let mut judge = Judge::new(Settings { warm_up, ..Settings::default() });
        judge.number_from(next);
        Self {
            judge,
            memories: Memories::new(learned),
            incidents: Incidents::default(),
            cases: Cases::default(),
            layer: Layer::default(),
            regulars: Regulars::default(),
            window: 0,
            start: now,
            last: None,
            rows: Vec::new(),
            rows_before: Vec::new(),
            networks: Vec::new(),
            behind: false,
            matched_before: BTreeMap::new(),
            times: BTreeMap::new(),
            changed: BTreeSet::new(),
            steps: Vec::new(),
        }
    }

    /// Takes what the kernel sampled.
    pub fn samples(&mut self, samples: &[Sample], clock: SampleClock) {
        // What a target's list denies is no part of what is to be judged.
        let judged = |sample: &&Sample| sample.reason != Reason::DenyScoped as u8 && u32::from(sample.target) != NODE;
        for sample in samples.iter().filter(judged) {
            let Some((frame, packet, kind)) = of_kind(sample) else { continue };
            let target = u32::from(sample.target);
            self.cases.sampled(target, kind, (clock.time(sample), *sample));
            self.regulars.see(self.window, target, kind, decode::source(&packet));
            self.judge.sample(target, kind, || Sampled {
                packet: vector(&frame, &packet),
                source: decode::source(&packet),
                weight: sample.weight,
                proven: Reason::from_number(sample.reason).is_some_and(proves),
            });
        }
    }

    /// The rules of incidents over a policy that was compiled anew. `before`: what its targets' numbers stood for.
    pub fn over(&mut self, image: &mut TableImage, before: &[String], tick_hz: u32, now: Now) {
        let window = self.number(now);
        for (id, name) in (0u32..).zip(before) {
            if !name.is_empty() && image.names.target(id) != Some(name.as_str()) {
                self.memories.gone(id, name, &self.judge, now);
                self.judge.forget(id);
                let open = self.open().filter(|incident| incident.target == id).map(|incident| incident.id);
                let open = open.collect::<Vec<_>>();
                self.steps.extend(open.iter().map(|incident| (*incident, step(&Step::Now(State::Ended)))));
                self.changed.extend(open);
                self.regulars.forget(id);
                self.incidents.gone(id, window);
                self.cases.gone(id, now.wall);
            }
        }
        self.memories.came(image, &mut self.judge, now);
        self.networks = networks(image);
        let Self { judge, layer, cases, .. } = self;
        let asked = layer.ruled(judge, tick_hz, |incident, matches| cases.said(incident, matches));
        if !asked.is_empty() {
            overlay::overlay(image, asked).diff.apply(image);
        }
    }

    fn open(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.iter().filter(|incident| incident.state != State::Ended)
    }

    fn number(&self, now: Now) -> u64 {
        (now.steady.saturating_duration_since(self.start.steady).as_millis() / POLL.as_millis()) as u64
    }

    /// When the last window ended.
    pub(super) fn last(&self) -> SystemTime {
        let since = self.last.map_or(Duration::ZERO, |last| last.saturating_duration_since(self.start.steady));
        self.start.wall + since
    }

    fn time(&self, window: u64) -> SystemTime {
        self.start.wall + POLL * u32::try_from(window).unwrap_or(u32::MAX)
    }
}

impl Engine {
    /// Ends a window.
    pub(super) fn detect(&mut self, now: Now) -> Result<(), DatapathError> {
        let since = self.detection.last.map(|last| now.steady.saturating_duration_since(last));
        // The counters are read once per window, however often samples are fetched.
        if since.is_some_and(|since| since < POLL * 9 / 10) {
            return Ok(());
        }
        self.detection.last = Some(now.steady);
        self.read_rows();
        let detection = &mut self.detection;
        // Late, as under a flood that takes every core: what came is spread over the windows that it came in.
        let lasted = since.map_or(1, |since| (since.as_millis() + POLL.as_millis() / 2) / POLL.as_millis()) as u64;
        let (number, began) = (detection.number(now), Instant::now());
        detection.judge.hour(hour(now.wall));
        let events = detection.judge.windows(number, lasted, &detection.rows);
        let changed = detection.judge.changed();
        detection.peaks(lasted);
        detection.window = number;
        let judge = &detection.judge;
        let regulars = detection.regulars.window(number, |target| judge.is_calm(target));
        // Whatever becomes of it, the window's events are not lost.
        let noted = self.datapath.note_regulars(&regulars);
        if events.is_empty() && !changed && !detection.behind && detection.changed.is_empty() {
            self.keep_learned(now);
            self.store.hand_over();
            return noted;
        }
        let mut read = noted;
        if events.iter().any(|event| event.step == Step::Now(State::Ended)) {
            // What its rules matched is read for the last time before they are withdrawn.
            read = read.and(self.datapath.counters().and_then(|counts| self.tally(&counts)));
        } else if changed {
            read = read.and(self.count_rules());
        }
        let laid = if changed || self.detection.behind { self.lay() } else { Ok(()) };
        self.detection.behind = laid.is_err();
        let wall = now.wall + began.elapsed();
        // Not before the answer is in force: an attack waits for nothing that takes time.
        let counts = self.datapath.counters();
        let mut began_now = Vec::new();
        for event in events {
            tell(&event, self.datapath.image());
            if !matches!(event.step, Step::Joined { .. }) {
                self.detection.times.entry(event.incident).or_insert((wall, None));
            }
            self.detection.changed.insert(event.incident);
            self.detection.steps.push((event.incident, step(&event.step)));
            self.detection.enter(&event, wall, counts.as_deref().unwrap_or_default());
            began_now.extend(matches!(event.step, Step::Began { .. }).then_some(event.incident));
            self.detection.incidents.take(event);
        }
        // Its targets are told after it is.
        began_now.into_iter().for_each(|incident| self.gather(incident, now));
        read = read.and(counts.and_then(|counts| self.tally(&counts)));
        self.detection.incidents.keep(KEPT);
        let Detection { incidents: known, cases, times, changed, .. } = &mut self.detection;
        times.retain(|id, times| {
            // An answer counts from when it is in the kernel, which may be later than it was written.
            if laid.is_ok() && known.get(*id).is_some_and(|incident| incident.mitigated.is_some()) {
                if times.1.is_none() {
                    times.1 = Some(wall);
                    changed.insert(*id);
                }
                cases.answered(*id, wall);
            }
            known.get(*id).is_some()
        });
        cases.keep(|id| known.get(id).is_some());
        let shown = self.show_incidents();
        self.keep_changed();
        self.tell_others(wall);
        read.and(shown).and(laid)
    }

    /// Gives an incident the packets that came before it was noticed, as far as the last samples go back.
    fn gather(&mut self, id: u64, now: Now) {
        let Some(started) = self.detection.incidents.get(id).map(|incident| incident.started) else { return };
        let Some(case) = self.detection.cases.get(id) else { return };
        let began = self.detection.time(started.saturating_sub(1));
        let clock = SampleClock { wall: now.wall, ns: self.datapath.now_ns() };
        let (mut before, mut own) = (Vec::new(), Vec::new());
        for (_, sample) in self.view.recent().iter().filter(|(_, sample)| case.tolls.has(u32::from(sample.target))) {
            let at = clock.time(sample);
            let part = if at < began { &mut before } else { &mut own };
            if (at >= began || part.len() < BEFORE) && of_kind(sample).is_some_and(|(_, _, kind)| kind == case.vector) {
                part.push((at, *sample));
            }
        }
        before.reverse();
        own.reverse();
        self.detection.cases.gathered(id, before, own);
    }

    /// An incident's packets and what is needed to tell of them.
    pub fn evidence(&self, id: u64) -> Result<Evidence, Refusal> {
        let incident = self.view.incident(id);
        let unknown = || Refusal::Unknown(format!("there is no incident {id}: `weir incidents` lists those there are"));
        let incident = incident.ok_or_else(unknown)?;
        let case = self.detection.cases.get(id);
        let packets = case.map(|case| case.packets.all()).unwrap_or_default();
        if packets.is_empty() {
            let why = match case {
                Some(case) if case.packets.given_up => "they had to make room for those of later incidents",
                Some(_) => "none was sampled",
                None => "they are kept in the agent's memory, and it was started anew since",
            };
            return Err(Refusal::Unknown(format!("there are no packets of incident {id}: {why}")));
        }
        let policy = self.view.policy();
        let named = |(_, sample): &(SystemTime, Sample)| Some((sample.rule, policy.rule_name(sample.rule)?));
        let mut rules: BTreeMap<u32, String> = packets.iter().filter(|(_, s)| s.rule != 0).filter_map(named).collect();
        for (owner, name) in self.detection.cases.names() {
            let number = name.id.rsplit_once('.').map_or("", |(_, number)| number);
            rules.insert(owner, format!("rule {number} of incident {}: {}", name.incident, name.text));
        }
        let interfaces = packets.iter().map(|(_, sample)| (sample.ifindex, self.datapath.interface(sample.ifindex)));
        let interfaces = interfaces.collect();
        Ok(Evidence { incident, packets, rules, interfaces })
    }

    /// Tells others the steps of a window, with the incidents as they are after it.
    fn tell_others(&mut self, now: SystemTime) {
        let steps = std::mem::take(&mut self.detection.steps);
        if self.notifier.is_empty() || steps.is_empty() {
            return;
        }
        let rows = self.view.own_incidents();
        for (id, step) in steps {
            let Some(incident) = rows.iter().find(|row| row.id == id).cloned() else { continue };
            let (step, time, host) = (step.to_owned(), Moment::from_system(now), self.host_name.clone());
            self.notifier.tell(IncidentEvent { step, time, host, incident });
        }
    }

    /// Gives the store what changed.
    fn keep_changed(&mut self) {
        let changed = std::mem::take(&mut self.detection.changed);
        for row in self.view.own_incidents().iter().filter(|row| changed.contains(&row.id)) {
            self.store.incident(row.clone());
        }
        self.store.hand_over();
    }

    /// Keeps what is open as it is now, at the end of the agent.
    pub(super) fn keep_open(&mut self) {
        if let Err(e) = self.show_incidents() {
            tracing::warn!(error = %e, "cannot read what rules matched");
        }
        let open = self.detection.open().map(|incident| incident.id).collect::<Vec<_>>();
        self.detection.changed.extend(open);
        self.keep_changed();
    }

    /// Keeps what is open as over, at the end of everything.
    pub(super) fn end_open(&mut self, why: &str, now: Now) {
        self.keep_open();
        for row in self.view.own_incidents().iter().filter(|row| row.ended.is_none()) {
            let (state, ended) = (State::Ended.label().to_owned(), Some(Moment::from_system(now.wall)));
            self.store.incident(IncidentRow { state, ended, cut_short: Some(why.to_owned()), ..row.clone() });
        }
        self.store.hand_over();
    }

    fn read_rows(&mut self) {
        let targets = self.datapath.image().policies.len() as u32;
        let seen = self.datapath.attachments().iter().all(|attachment| attachment.blind.is_none());
        if self.detection.networks.len() != targets as usize {
            self.detection.networks = networks(self.datapath.image());
        }
        // A SYN that is challenged and not answered is a customer lost.
        let answers = self.datapath.attachments().iter().all(|attachment| attachment.mute.is_none());
        let detection = &mut self.detection;
        std::mem::swap(&mut detection.rows, &mut detection.rows_before);
        detection.rows.clear();
        for target in 1..targets {
            let slots = self.datapath.feature_slots(target);
            let network = self.detection.networks.get(target as usize).copied().flatten();
            let policy = self.datapath.image().policies.get(target as usize);
            let challenge = answers && policy.is_some_and(|policy| policy.has(flag::CHALLENGE_AUTO));
            let share = policy.is_some_and(overlay::may_share);
            self.detection.rows.push(Row { seen, challenge, share, network, ..Row::new(target, slots) });
        }
    }

    /// Puts the open incidents' rules in force, and takes out those of incidents that are over.
    pub(super) fn lay(&mut self) -> Result<(), DatapathError> {
        let Detection { judge, layer, cases, matched_before: before, .. } = &mut self.detection;
        let asked = layer.ruled(judge, self.datapath.tick_hz(), |incident, matches| cases.said(incident, matches));
        let over = overlay::overlay(self.datapath.image(), asked);
        let rules = &asked.rules;
        for (at, error) in &over.errors {
            let rule = rules.get(*at).map(|rule| rule.matches.to_string());
            tracing::warn!(%error, rule, "a rule of an incident is not in force");
        }
        let counters = self.datapath.rule_counters()?;
        before.retain(|id, _| rules.iter().any(|rule| rule.id == *id));
        for (rule, slots) in rules.iter().zip(&over.slots) {
            before.entry(rule.id).or_insert_with(|| matched(&counters, *slots));
        }
        if !over.diff.steps.is_empty() {
            self.datapath.patch(over.diff)?;
        }
        Ok(())
    }

    /// What readers see of the incidents.
    pub(super) fn show_incidents(&mut self) -> Result<(), DatapathError> {
        let rules = self.rule_rows()?;
        self.view.set_rules(rules);
        if self.detection.incidents.is_empty() {
            return Ok(());
        }
        let image = self.datapath.image();
        let row = |incident: &Incident| self.detection.row(incident, image);
        let mut rows = self.detection.incidents.iter().map(row).collect::<Vec<_>>();
        rows.reverse();
        self.view.set_incidents(rows);
        self.view.set_packet_bytes(self.detection.cases.packet_bytes());
        self.view.set_rule_names(self.detection.cases.names());
        Ok(())
    }
}

impl Detection {
    fn row(&self, incident: &Incident, image: &TableImage) -> IncidentRow {
        let end_of = |window: u64| Moment::from_system(self.time(window));
        let (detected, mitigated) =
            self.times.get(&incident.id).copied().unwrap_or((self.time(incident.detected), None));
        let name = |target: &u32| image.names.target(*target).map_or_else(|| format!("#{target}"), str::to_owned);
        let case = self.cases.get(incident.id);
        let signature = |rule: &CaseRule| SignatureRow {
            id: rule.name(incident.id),
            rule: rule.text.clone(),
            coverage: rule.signed.coverage,
            collateral: rule.signed.collateral,
            action: if rule.signed.may == Use::Drop { "drop".to_owned() } else { "count".to_owned() },
            matched_packets: rule.matched(),
            in_force: rule.in_force,
            ruling: rule.ruling,
        };
        let share = |(source, share): &(Addr, f64)| SourceShare { source: ip_from(*source).to_string(), share: *share };
        IncidentRow {
            id: incident.id,
            target: name(&incident.target),
            targets: incident.targets.iter().map(name).collect(),
            vector: incident.name().into_owned(),
            label: incident.label.label().to_owned(),
            state: incident.state.label().to_owned(),
            started: Moment::from_system(self.time(incident.started.saturating_sub(1))),
            detected: Moment::from_system(detected),
            mitigated: mitigated.map(Moment::from_system),
            ended: incident.ended.map(end_of),
            cut_short: None,
            confidence: incident.confidence,
            packets_per_s: incident.rate,
            usual_packets_per_s: incident.usual,
            peak_packets_per_s: case.map_or(0.0, |case| case.peak).max(incident.rate),
            relapses: incident.relapses,
            evidence: incident.evidence.clone(),
            strays_packets_per_s: incident.strays,
            challenged: incident.challenged.map(|(from, until)| Span { from: end_of(from), until: until.map(end_of) }),
            signatures: case.map(|case| case.rules.iter().map(signature).collect()).unwrap_or_default(),
            sources: SourcesRow {
                estimate: incident.sources.estimate,
                spoofed: incident.sources.scattered,
                top: incident.sources.top.iter().map(share).collect(),
            },
            dropped: case.map(|case| case.tolls.rows()).unwrap_or_default(),
            known_flows: case.and_then(|case| case.tolls.known()),
            steps: case.map(|case| case.steps.rows()).unwrap_or_default(),
        }
    }
}

/// Packets that slots matched, ever.
pub(super) fn matched(counters: &[(u32, Counter)], slots: u64) -> u64 {
    let of = counters.iter().filter(|(slot, _)| slots.checked_shr(*slot).unwrap_or(0) & 1 != 0);
    of.map(|(_, counter)| counter.packets).sum()
}

/// The word for a step.
fn step(step: &Step) -> &'static str {
    match step {
        Step::Began { .. } => "began",
        Step::Signed { .. } | Step::Armed => "rules",
        Step::Withdrawn { .. } => "withdrawn",
        Step::Challenged { .. } => "challenge",
        Step::Spread { .. } => "spread",
        Step::Joined { .. } => "joined",
        Step::Released(_) => "released",
        Step::Corroborated { .. } => "corroborated",
        Step::Held { .. } | Step::Limited { .. } | Step::Shared { .. } | Step::Closes { .. } => "limit",
        Step::Unsigned { .. } => "no_rule",
        Step::Now(State::Detecting) => "detecting",
        Step::Now(State::Mitigating) => "mitigating",
        Step::Now(State::Watching) => "watching",
        Step::Now(State::Ended) => "ended",
    }
}

/// A line in the log for what happened.
fn tell(event: &Event, image: &TableImage) {
    let target = image.names.target(event.target).unwrap_or("?");
    let (incident, kind) = (event.incident, event.vector.flood());
    match &event.step {
        Step::Began { label, verdict, rates, .. } => {
            let seen = verdict.scores.iter().filter(|score| score.alarm).map(|score| score.evidence.as_str());
            let seen = seen.collect::<Vec<_>>().join("; ");
            tracing::warn!(incident, target, kind, label = label.label(), packets_per_s = rates.0, seen, "incident");
        }
        Step::Signed { signature, .. } => {
            for rule in &signature.rules {
                let (rule, action) = (rule.matches.to_string(), rule.may.label());
                tracing::warn!(incident, target, kind, action, rule, "rule of an incident");
            }
        }
        Step::Armed => {
            tracing::warn!(incident, target, kind, "the rules on trial hurt no customer and drop from now on")
        }
        Step::Withdrawn { rules, why } => {
            for rule in rules {
                let rule = rule.to_string();
                tracing::warn!(incident, target, kind, rule, why, "a rule hurts customers and is withdrawn");
            }
        }
        Step::Corroborated { verdict } => {
            let confidence = verdict.confidence;
            tracing::warn!(
                incident,
                target,
                kind,
                confidence,
                "a second family of detectors agrees: rules may be written"
            );
        }
        Step::Held { strays } => {
            tracing::warn!(
                incident,
                target,
                kind,
                packets_per_s = strays,
                "packets of no known connection are held back"
            );
        }
        Step::Limited { limit: Some(limit) } => {
            let what = limit.told();
            tracing::warn!(
                incident,
                target,
                kind,
                packets_per_s = limit.packets,
                what,
                "no rule tells this attack from customers: packets of sources that do not come regularly are limited"
            );
        }
        Step::Limited { limit: None } => {
            tracing::info!(incident, target, kind, "nothing is limited any more: rules match the attack");
        }
        Step::Shared { per_source, .. } => {
            tracing::warn!(
                incident,
                target,
                kind,
                per_source,
                "each source is held to so many new connections per second, one that comes regularly to four times that"
            );
        }
        Step::Closes { at_once } => {
            tracing::warn!(
                incident,
                target,
                kind,
                at_once,
                "sources that keep many connections waiting are held back: what they feed is closed, and they open no others"
            );
        }
        Step::Challenged { on: true } => {
            tracing::warn!(incident, target, kind, "SYNs of sources that have proven nothing are challenged");
        }
        Step::Challenged { on: false } => {
            tracing::info!(incident, target, kind, "SYNs are not challenged any more: rules match the attack");
        }
        Step::Unsigned { coverage } => {
            tracing::warn!(incident, target, kind, coverage, "no rule tells this attack from customers");
        }
        Step::Spread { targets } => {
            let targets =
                targets.iter().filter_map(|target| image.names.target(*target)).collect::<Vec<_>>().join(", ");
            tracing::warn!(incident, kind, targets, "carpet bombing: several targets are attacked at once");
        }
        Step::Joined { into } => {
            tracing::warn!(incident, target, kind, into, "it is a part of another incident: carpet bombing");
        }
        Step::Released(release) => {
            tracing::info!(
                incident,
                target,
                kind,
                released = release.label(),
                "quiet: the answer is taken back in steps"
            );
        }
        Step::Now(state) => tracing::info!(incident, target, kind, state = state.label(), "incident"),
    }
}
