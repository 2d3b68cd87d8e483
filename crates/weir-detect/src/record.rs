//! What is told of an incident: the events of its life, summed up.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::engine::Event;
use crate::fusion::Verdict;
use crate::incident::State;
use crate::signature::{Signature, Use};
use crate::sources::Sources;
use crate::vector::Vector;
use crate::watch::{Label, Step};

/// An incident. Windows are numbered as the engine's caller does.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    /// Its number.
    pub id: u64,
    /// The target; of several the first.
    pub target: u32,
    /// All targets, where it is an attack on several at once.
    pub targets: Vec<u32>,
    /// The kind of packets.
    pub vector: Vector,
    /// Attack or surge.
    pub label: Label,
    /// Where it stands.
    pub state: State,
    /// How sure the detectors were, 0 to 1.
    pub confidence: f64,
    /// The first window of it.
    pub started: u64,
    /// The window at whose end it was noticed.
    pub detected: u64,
    /// The window at whose end rules came into force.
    pub mitigated: Option<u64>,
    /// The window at whose end it was over.
    pub ended: Option<u64>,
    /// Packets per second when it was noticed.
    pub rate: f64,
    /// Packets per second that were usual.
    pub usual: f64,
    /// What each detector saw, in words.
    pub evidence: Vec<String>,
    /// The rules.
    pub signature: Signature,
    /// Packets per second that packets of no known connection were held to.
    pub strays: Option<u64>,
    /// The window at whose end SYNs began to be challenged, and that at whose end they were not any more.
    pub challenged: Option<(u64, Option<u64>)>,
    /// Who sends.
    pub sources: Sources,
    /// How often it came back.
    pub relapses: u32,
}

impl Incident {
    /// What operators call it: the protocol of a reflection, where its port tells.
    pub fn name(&self) -> Cow<'static, str> {
        let port = self.signature.rules.iter().find_map(|rule| rule.source_port());
        let name = match (self.vector, port.and_then(reflection)) {
            (Vector::UdpReflection, Some(name)) => name,
            _ => self.vector.flood(),
        };
        if self.targets.is_empty() { name.into() } else { format!("carpet bombing ({name})").into() }
    }
}

/// The reflection attack from a UDP port (IANA, and CISA's alert TA14-017A on amplification).
fn reflection(port: u16) -> Option<&'static str> {
    Some(match port {
        17 => "QOTD reflection",
        19 => "CharGEN reflection",
        53 => "DNS reflection",
        69 => "TFTP reflection",
        111 => "portmap reflection",
        123 => "NTP reflection",
        137 => "NetBIOS reflection",
        161 => "SNMP reflection",
        389 => "CLDAP reflection",
        427 => "SLP reflection",
        500 | 4500 => "ISAKMP reflection",
        520 => "RIP reflection",
        1194 => "OpenVPN reflection",
        1434 => "MSSQL reflection",
        1900 => "SSDP reflection",
        3283 => "ARD reflection",
        3389 => "RDP reflection",
        3478 => "STUN reflection",
        3702 => "WS-Discovery reflection",
        5353 => "mDNS reflection",
        5683 => "CoAP reflection",
        6881 => "BitTorrent reflection",
        11211 => "memcached reflection",
        47808 => "BACnet reflection",
        _ => return None,
    })
}

/// What the detectors that alarm saw, in words.
fn said(verdict: &Verdict) -> Vec<String> {
    let alarms = verdict.scores.iter().filter(|score| score.alarm);
    alarms.map(|score| format!("{}: {}", score.detector, score.evidence)).collect()
}

impl Incident {
    /// Something is in force.
    fn acts(&mut self, window: u64) {
        self.mitigated.get_or_insert(window);
        self.state = State::Mitigating;
    }

    fn challenged(&mut self, on: bool, window: u64) {
        if !on {
            self.challenged.iter_mut().for_each(|(_, until)| *until = Some(window));
            return;
        }
        self.acts(window);
        match &mut self.challenged {
            Some((_, until)) => *until = None,
            None => {
                self.evidence.push(CHALLENGED.to_owned());
                self.challenged = Some((window, None));
            }
        }
    }

    fn spread(&mut self, targets: Vec<u32>) {
        self.evidence.retain(|line| !line.starts_with(SPREAD));
        self.evidence.push(format!("{SPREAD}{} targets are attacked at once", targets.len()));
        self.target = targets.first().copied().unwrap_or(self.target);
        self.targets = targets;
    }

    fn ends(&mut self, window: u64) {
        self.ended = self.ended.or(Some(window));
        self.challenged.iter_mut().for_each(|(_, until)| *until = until.or(Some(window)));
    }
}

/// Rules of an incident that are told.
const RULES: usize = 8;
/// How the line of evidence begins that says how many targets are attacked.
const SPREAD: &str = "carpet: ";

/// The same of one that names a rule which was withdrawn.
const WITHDRAWN: &str = "withdrawn: ";
/// How the line about a limit begins.
const LIMITED: &str = "limit: ";

/// Why SYNs are challenged, in words.
const CHALLENGED: &str =
    "challenge: no rule tells the attack's SYNs from customers' yet, so that a source has to answer first";

/// Incidents by their numbers.
#[derive(Clone, Debug, Default)]
pub struct Incidents(BTreeMap<u64, Incident>);

impl Incidents {
    /// Takes what happened.
    pub fn take(&mut self, event: Event) {
        let Event { incident: id, target, vector, window, step } = event;
        match step {
            Step::Began { label, verdict, rates, early } => {
                let evidence = said(&verdict);
                let earlier = self.0.get(&id).map(|incident| incident.started);
                self.0.insert(
                    id,
                    Incident {
                        id,
                        target,
                        targets: Vec::new(),
                        vector,
                        label,
                        state: State::Detecting,
                        confidence: verdict.confidence,
                        started: earlier.unwrap_or(window.saturating_sub(early)),
                        detected: window,
                        mitigated: None,
                        ended: None,
                        rate: rates.0,
                        usual: rates.1,
                        evidence,
                        signature: Signature::default(),
                        strays: None,
                        challenged: None,
                        sources: Sources::default(),
                        relapses: 0,
                    },
                );
            }
            Step::Signed { signature, sources, trial } => {
                let Some(incident) = self.0.get_mut(&id) else { return };
                if signature.rules.iter().filter(|rule| rule.may == Use::Drop).count() > trial {
                    incident.acts(window);
                }
                incident.signature = match incident.targets.is_empty() {
                    true => signature,
                    // Each of several targets has its own.
                    false => std::mem::take(&mut incident.signature).and(signature, RULES),
                };
                if sources.estimate > 0 {
                    incident.sources = sources;
                }
            }
            Step::Corroborated { verdict } => {
                let Some(incident) = self.0.get_mut(&id) else { return };
                incident.confidence = verdict.confidence;
                // What was done stays told.
                let done =
                    |line: &String| [SPREAD, CHALLENGED, WITHDRAWN, LIMITED].iter().any(|word| line.starts_with(word));
                incident.evidence.retain(done);
                incident.evidence.splice(..0, said(&verdict));
            }
            Step::Held { strays } => {
                let Some(incident) = self.0.get_mut(&id) else { return };
                incident.acts(window);
                incident.strays = Some(incident.strays.map_or(strays, |before| before.max(strays)));
            }
            Step::Armed => {
                let Some(incident) = self.0.get_mut(&id) else { return };
                incident.acts(window);
            }
            Step::Withdrawn { rules, why } => {
                let Some(incident) = self.0.get_mut(&id) else { return };
                incident.signature.rules.retain(|rule| !rules.contains(&rule.matches));
                incident.evidence.extend(rules.iter().map(|rule| format!("{WITHDRAWN}{rule}: {why}")));
            }
            Step::Limited { limit } => {
                let Some(incident) = self.0.get_mut(&id) else { return };
                incident.acts(window);
                incident.evidence.retain(|line| !line.starts_with(LIMITED));
                incident.evidence.push(match limit {
                    Some(limit) => {
                        let (packets, what) = (limit.packets, limit.told());
                        format!("{LIMITED}{packets} packets/s that match {what}, of sources that do not come regularly")
                    }
                    None => format!("{LIMITED}none any more: rules match nearly everything"),
                });
            }
            Step::Shared { per_source, sources } => {
                let Some(incident) = self.0.get_mut(&id) else { return };
                incident.acts(window);
                incident.sources = sources;
                incident.evidence.push(format!("{LIMITED}{per_source} new connections/s of each source, four times as many of one that comes regularly"));
            }
            Step::Closes { at_once } => {
                let Some(incident) = self.0.get_mut(&id) else { return };
                incident.acts(window);
                incident
                    .evidence
                    .push(format!("{LIMITED}{at_once} connections at once that each source keeps waiting"));
            }
            Step::Challenged { on } => {
                let Some(incident) = self.0.get_mut(&id) else { return };
                incident.challenged(on, window);
            }
            Step::Spread { targets } => {
                let Some(incident) = self.0.get_mut(&id) else { return };
                incident.spread(targets);
            }
            Step::Joined { into } => {
                let Some(part) = self.0.remove(&id) else { return };
                let Some(whole) = self.0.get_mut(&into) else { return };
                whole.started = whole.started.min(part.started);
                whole.signature = std::mem::take(&mut whole.signature).and(part.signature, RULES);
                whole.mitigated = whole.mitigated.or(part.mitigated);
            }
            Step::Unsigned { .. } | Step::Released(_) => {}
            Step::Now(state) => {
                let Some(incident) = self.0.get_mut(&id) else { return };
                if incident.state == State::Watching && matches!(state, State::Detecting | State::Mitigating) {
                    incident.relapses += 1;
                }
                incident.state = state;
                if state == State::Ended {
                    incident.ends(window);
                }
            }
        }
    }

    /// A target is gone, and with it what went on about it.
    pub fn gone(&mut self, target: u32, window: u64) {
        let open = |incident: &&mut Incident| incident.state != State::Ended;
        for incident in self.0.values_mut().filter(open) {
            incident.targets.retain(|other| *other != target);
            if incident.target != target {
                continue;
            }
            if let Some(other) = incident.targets.first() {
                incident.target = *other;
                continue;
            }
            incident.state = State::Ended;
            incident.ends(window);
        }
    }

    /// Forgets the oldest that are over, until so many are left.
    pub fn keep(&mut self, most: usize) {
        let over = self.0.values().filter(|incident| incident.state == State::Ended).map(|incident| incident.id);
        let surplus = self.0.len().saturating_sub(most);
        let gone = over.take(surplus).collect::<Vec<_>>();
        gone.iter().for_each(|id| drop(self.0.remove(id)));
    }

    /// Whether there was none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Incident> {
        self.0.values()
    }

    /// One of them.
    pub fn get(&self, id: u64) -> Option<&Incident> {
        self.0.get(&id)
    }
}
