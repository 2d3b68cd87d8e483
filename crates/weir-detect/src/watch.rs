//! One kind of packets of one target: what is usual, what is suspicious, and the incident, if there is one.

mod challenge;
mod harm;
mod limit;
mod memory;
mod open;
mod usual;

use weir_abi::{Addr, Reason};
use weir_policy::rules::{Match, MatchVector};

use crate::detector::shape::LEAST;
use crate::detector::strays::Said;
use crate::detector::{Family, Score, answers, hour, hygiene, kind};
use crate::engine::Settings;
use crate::even::Even;
use crate::fusion::{Verdict, fuse, level};
use crate::incident::{Entry, Life, Release, State};
use crate::reservoir::Reservoir;
use crate::shape::Shape;
use crate::signature::{Signature, Signed};
use crate::slow::Hourly;
use crate::sources::Sources;
use crate::vector::{Vector, Window};
use harm::Completions;
pub use limit::Limited;
pub use memory::Learned;
pub use open::Offered;
use open::{Dormant, Now, Open};
use usual::Usual;

/// More than usual for a challenge: so many times.
const FLOODED: f64 = 2.0;

/// A sampled packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampled {
    /// What rules see of it.
    pub packet: MatchVector,
    /// Who sent it, or says so.
    pub source: Addr,
    /// How many packets it stands for: those that pass may be sampled more often than those that are dropped.
    pub weight: u32,
    /// Its sender is known to take part ([`proves`]): a customer, whatever else comes.
    pub proven: bool,
}

/// Whether a packet that passed for this reason proves its sender: it belongs to a known connection, or its source has answered a
/// challenge.
pub const fn proves(reason: Reason) -> bool {
    matches!(reason, Reason::KnownFlow | Reason::Proven)
}

/// What an incident is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// More than usual, and nothing else is wrong with it: customers. Nothing is dropped.
    Surge,
    /// An attack.
    Attack,
}

impl Label {
    /// The word in JSON.
    pub const fn label(self) -> &'static str {
        match self {
            Label::Surge => "SURGE",
            Label::Attack => "ATTACK",
        }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// An incident began, or what was taken for a surge is an attack.
    Began {
        /// What it is.
        label: Label,
        /// What the detectors say.
        verdict: Verdict,
        /// Packets per second, and what is usual.
        rates: (f64, f64),
        /// Windows before this one that belong to it.
        early: u64,
    },
    /// These rules are to be in force; they take the place of the incident's earlier ones.
    Signed {
        /// The rules.
        signature: Signature,
        /// Who sends.
        sources: Sources,
        /// How many of the rules only count for now: a window's trial.
        trial: usize,
    },
    /// Rules that were on trial drop from now on.
    Armed,
    /// Rules are taken back for as long as the incident lasts: they hurt customers.
    Withdrawn {
        /// What they match.
        rules: Vec<Match>,
        /// What shows it, in words.
        why: String,
    },
    /// What was held back only may have rules now: a second family of detectors agrees.
    Corroborated {
        /// What the detectors say.
        verdict: Verdict,
    },
    /// Packets of no known connection are to be held to so many per second, all of the target's together.
    Held {
        /// Packets per second.
        strays: u64,
    },
    /// Packets whose sources do not come regularly are to be held to a limit, or are not any more.
    Limited {
        /// How many, and which.
        limit: Option<Limited>,
    },
    /// Each source may open so many connections per second.
    Shared {
        /// Connections per second.
        per_source: u64,
        /// Who opens them.
        sources: Sources,
    },
    /// Each source may keep a few connections waiting: what it feeds beyond them is closed, and it opens no others.
    Closes {
        /// So many at once.
        at_once: u64,
    },
    /// SYNs of sources that have proven nothing are to be challenged, or are not any more.
    Challenged {
        /// Whether they are.
        on: bool,
    },
    /// No rule tells the attack from customers; more samples are taken.
    Unsigned {
        /// Share of the attack that safe rules would have covered.
        coverage: f64,
    },
    /// It covers these targets, which are attacked together.
    Spread {
        /// The targets.
        targets: Vec<u32>,
    },
    /// It is a part of another incident.
    Joined {
        /// The other's number.
        into: u64,
    },
    /// So much of what is in force is taken back.
    Released(Release),
    /// It stands elsewhere.
    Now(State),
}

impl Step {
    /// Whether what is to be in force changes with it.
    pub fn changes_tables(&self) -> bool {
        use Step::{Began, Corroborated, Joined, Spread, Unsigned};
        !matches!(self, Began { .. } | Corroborated { .. } | Unsigned { .. } | Spread { .. } | Joined { .. })
    }
}

/// A window more of an incident's life, of so much above the usual; what happens in it.
pub fn lives(life: &mut Life, above: f64) -> Option<Step> {
    let released = life.release();
    if life.window(above) {
        return Some(Step::Now(life.state));
    }
    (life.release() != released).then(|| Step::Released(life.release()))
}

/// What came within a window.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The kind of packets.
    pub vector: Vector,
    /// The target's counters of the window.
    pub window: &'a Window,
    /// Those of the second that ends with it: slow attacks show there.
    pub second: &'a Window,
    /// Questions that the target asked within the last ten seconds, none if nobody counts them.
    pub asked: Option<u64>,
    /// What the target's handshakes say, where they say something.
    pub handshakes: Option<&'a Score>,
    /// What those of the last window say that others would have ended by now: enough for a challenge, and for nothing else.
    pub soon: Option<&'a Score>,
    /// What its packets of unknown connections say.
    pub strays: Option<&'a Said>,
    /// What is usual of this kind at this hour of the week, where that is known.
    pub hourly: Option<Hourly>,
    /// What the service suffers, by the kind of packets that it speaks of.
    pub harm: &'a [(Vector, Score)],
    /// Whether SYNs may be challenged.
    pub challenge: bool,
    /// What the target sends more than usual, where that is seen.
    pub answers: Option<f64>,
    /// Handshakes that completed, where they are seen and where this kind of packets has a part in them.
    pub completed: Option<u64>,
    /// Rules that are in force elsewhere.
    pub offered: &'a [Offered],
    /// Rules of the target that drop: those against another kind may match packets of this one as well.
    pub dropping: &'a [(Vector, Match)],
    /// It is a window of several targets together.
    pub crowd: Option<&'a Crowd>,
}

/// What is known of a window of several targets.
#[derive(Clone, Debug)]
pub struct Crowd {
    /// What there is more than usual is spread over them: only then it is an attack on all.
    pub spread: bool,
    /// What their packets look like, against what each usually gets.
    pub shape: Option<Score>,
    /// Some of them are attacked by themselves and not in it: what is left teaches nothing.
    pub others: bool,
}

impl Seen<'_> {
    /// Whether a rule against another kind of packets drops one of this kind.
    fn is_dropped(&self, sampled: &Sampled) -> bool {
        self.dropping.iter().any(|(of, rule)| *of != self.vector && rule.holds(&sampled.packet))
    }

    /// What is left of a window's packets without those that rules against other kinds drop: an attack that is answered is not told once more for each kind
    /// of packets that its tool happens to send. Nothing is known where none was sampled: what is dropped seldom is.
    fn left(&self, count: u64, samples: &mut Vec<Sampled>) -> Option<u64> {
        if count == 0 || self.dropping.iter().all(|(of, _)| *of == self.vector) {
            return Some(count);
        }
        let weight = |samples: &[Sampled]| samples.iter().map(|sampled| u64::from(sampled.weight)).sum::<u64>();
        let all = weight(samples);
        samples.retain(|sampled| !self.is_dropped(sampled));
        (all > 0).then(|| (count as f64 * weight(samples) as f64 / all as f64) as u64)
    }

    /// What strays say of this kind of packets, of which so many came. They are of several kinds; a flood of one is not blamed on another.
    fn strays_of(&self, count: u64) -> Option<&Said> {
        let of_kind = matches!(self.vector, Vector::Tcp | Vector::RstFin);
        self.strays.filter(|said| of_kind && (!said.score.alarm || count.saturating_mul(4) >= said.strays))
    }
}

/// The watch.
#[derive(Clone, Debug)]
pub struct Watch {
    usual: Usual,
    entry: Entry,
    crowded: Entry,
    strayed: Entry,
    contained: Entry,
    completions: Completions,
    /// The last window was.
    suspicious: bool,
    /// Samples of the window that runs.
    now: Even<Sampled>,
    open: Option<Open>,
    dormant: Option<Dormant>,
    /// Something was suspected since [`Self::was_calm`] was asked.
    disturbed: bool,
}

impl Watch {
    /// A watch over a kind of packets that knows nothing; `samples` of a window are kept at most.
    pub fn new(vector: Vector, samples: usize) -> Self {
        Self {
            usual: Usual::new(vector),
            entry: Entry::default(),
            crowded: Entry::default(),
            strayed: Entry::default(),
            contained: Entry::default(),
            completions: Completions::default(),
            suspicious: false,
            now: Even::new(samples),
            open: None,
            dormant: None,
            disturbed: false,
        }
    }

    /// Whether the next packet is worth a look; one that is not must be told by [`Self::pass`].
    pub fn wants(&self) -> bool {
        self.now.wants()
    }

    /// A packet that nobody looked at.
    pub fn pass(&mut self) {
        self.now.pass();
    }

    /// Takes a sample.
    pub fn sample(&mut self, sampled: Sampled) {
        self.now.add(sampled);
    }

    /// Gives the open incident its number.
    pub fn name(&mut self, id: u64) {
        if let Some(open) = &mut self.open {
            open.id = id;
        }
    }

    /// The open incident's number, 0 where there is none.
    pub fn named(&self) -> u64 {
        self.open.as_ref().map_or(0, |open| open.id)
    }

    /// Where an open attack stands, and for how many windows it has been there.
    pub fn attack(&self) -> Option<(State, u64)> {
        let open = self.open.as_ref().filter(|open| open.label == Label::Attack)?;
        Some((open.life.state, open.life.age()))
    }

    /// Whether nothing goes on, and the last window was no cause for doubt.
    pub fn is_calm(&self) -> bool {
        self.open.is_none() && !self.suspicious
    }

    /// Packets of a window that are usual.
    pub fn usual(&self) -> f64 {
        self.usual.packets.mean()
    }

    /// What packets usually look like.
    pub fn shape(&self) -> Option<&Shape> {
        self.usual.shapes.usual()
    }

    fn acting(&self) -> Option<&Open> {
        self.open.as_ref().filter(|open| open.life.state != State::Ended)
    }

    /// What is matched now.
    pub fn signature(&self) -> Option<&Signature> {
        self.acting()?.signature.as_ref()
    }

    /// Its rules, and whether each drops; one that does not counts.
    pub fn rules(&self) -> impl Iterator<Item = (&Signed, bool)> {
        self.acting().into_iter().flat_map(Open::rules)
    }

    /// The life of the incident that is not over.
    pub fn life(&self) -> Option<&Life> {
        self.acting().map(|open| &open.life)
    }

    /// The incident whose rules wake when the attack returns, and in how many windows they are forgotten.
    pub fn sleeping(&self) -> Option<(u64, u64)> {
        self.dormant.as_ref().map(|dormant| (dormant.id, dormant.left()))
    }

    /// What the target's strays are held to, packets per second.
    pub fn held(&self) -> Option<u64> {
        self.acting()?.held()
    }

    /// What packets are held to whose sources do not come regularly.
    pub fn limited(&self) -> Option<Limited> {
        self.acting()?.limited()
    }

    /// Whether the target's SYNs are challenged.
    pub fn challenged(&self) -> bool {
        self.acting().is_some_and(Open::is_challenged)
    }

    /// Ends a window.
    pub fn window(&mut self, seen: Seen<'_>, benign: &mut Reservoir, settings: &Settings) -> Vec<Step> {
        let count = seen.window.packets(seen.vector);
        self.bury();
        self.completions.window(seen.completed);
        if count == 0 && self.open.is_none() && self.usual.is_quiet() && self.now.is_empty() {
            self.usual.silent();
            return Vec::new();
        }
        let mut samples = self.now.take();
        let left = if self.open.is_none() { seen.left(count, &mut samples) } else { Some(count) };
        let Some(count) = left else { return Vec::new() };
        let verdict = self.judge(seen, count, &samples, benign.seen(), settings);
        let volume = verdict.families.contains(&Family::Volume);
        let crowded = self.crowded.takes(volume, false);
        let sure = self.entry.window(&verdict);
        // Enough to hold strangers back, which touches no connection; too little to write rules.
        let said = seen.strays_of(count).filter(|said| said.score.alarm);
        let strayed = self.strayed.takes(said.is_some() && verdict.confidence >= level::CONTAIN, false);
        // Enough for a challenge, which drops nobody who can answer: connections fail, and it is not the service that is down.
        let many = count as f64 > FLOODED * self.usual.packets.mean() && self.usual.packets.z(count as f64) > 3.0;
        let told =
            verdict.confidence >= level::CONTAIN && verdict.families.iter().any(|family| *family != Family::Volume);
        let soon = seen.soon.filter(|_| many && volume);
        let contained = seen.challenge && (many && told && !verdict.customers || soon.is_some());
        let contained = self.contained.takes(contained, soon.is_some() || verdict.families.len() >= 2);
        let spread = seen.crowd.is_none_or(|crowd| crowd.spread);
        let contained = contained && spread;
        let may_drop = sure && verdict.corroborated() && spread;
        let suspicious = !verdict.families.is_empty() || verdict.confidence >= level::SUSPECT;
        self.disturbed |= suspicious;
        let above = (count as f64 - self.usual.packets.mean()).max(0.0);
        let whole = seen.crowd.is_none_or(|crowd| !crowd.others);
        self.suspicious = suspicious;
        let mut steps = Vec::new();

        let attacked = self.open.as_ref().is_some_and(|open| open.label == Label::Attack);
        let label = if (may_drop || strayed || contained) && !attacked {
            Some(Label::Attack)
        } else if crowded && self.open.is_none() {
            Some(Label::Surge)
        } else {
            None
        };
        if let Some(label) = label {
            let id = self.named();
            let rates = (self.usual.per_second(count as f64), self.usual.per_second(self.usual.packets.mean()));
            let early = self.usual.early();
            let mut open = Open::new(id, label, above);
            open.may_drop = may_drop;
            open.proven(seen.vector, &verdict);
            if label == Label::Attack {
                open.collect(self.usual.recent_suspects(), settings);
                // Only for the attack that they were written against.
                if self
                    .dormant
                    .as_ref()
                    .and_then(|dormant| dormant.recognise(&samples, count as f64))
                    .is_some_and(|s| s.alarm)
                {
                    open.wake(self.dormant.take());
                }
            }
            self.open = Some(open);
            let mut verdict = verdict.clone();
            verdict.scores.extend(soon.filter(|_| contained).cloned());
            steps.push(Step::Began { label, verdict, rates, early });
        } else if let Some(open) = &mut self.open {
            steps.extend(open.lives(above));
        }

        match &mut self.open {
            Some(open) if open.label == Label::Attack => {
                // Connections go on, whatever the flood looks like, and rules need no more than that to be looked for in peace.
                if !open.holds()
                    && let Some(said) = said
                {
                    open.hold(said.harmless);
                    steps.push(Step::Held { strays: said.harmless });
                }
                open.collect(samples, settings);
                let completed = self.completions.second();
                let now = Now {
                    count: count as f64,
                    second: seen.second.packets(seen.vector),
                    usual: &self.usual.packets,
                    completed,
                    vector: seen.vector,
                    offered: seen.offered,
                };
                if may_drop && !open.may_drop {
                    open.may_drop = true;
                    open.proven(seen.vector, &verdict);
                    steps.push(Step::Corroborated { verdict });
                }
                if open.may_drop {
                    steps.extend(open.review(&now));
                    steps.extend(open.answer(&now, benign.packets(), settings));
                    // A group's packets are several targets': each holds its own.
                    if seen.crowd.is_none() {
                        steps.extend(open.limit(&now));
                    }
                }
                if seen.challenge {
                    steps.extend(open.challenge(&now));
                }
            }
            // A crowd's level becomes the usual one within minutes; what it looks like is not learned before it is over.
            Some(_) if whole => self.usual.crowd(count, samples),
            None if !suspicious && whole => self.usual.learn(count, samples, benign),
            _ => self.usual.hold(count, samples),
        }
        steps
    }

    /// An incident that was over was told with its number once more, and is gone; its rules sleep.
    fn bury(&mut self) {
        if self.open.as_ref().is_some_and(|open| open.life.state == State::Ended) {
            self.dormant = self.open.take().and_then(Open::sleep);
            self.usual.reset();
            self.entry = Entry::default();
            self.crowded = Entry::default();
            self.strayed = Entry::default();
            self.contained = Entry::default();
        }
        if let Some(dormant) = &mut self.dormant
            && dormant.ages()
        {
            self.dormant = None;
        }
    }

    fn judge(&mut self, seen: Seen<'_>, count: u64, samples: &[Sampled], benign: u64, settings: &Settings) -> Verdict {
        let mut scores: Vec<Score> = Vec::new();
        let usual = &mut self.usual;
        if usual.packets.windows() >= settings.warm_up {
            let newcomers = usual.newcomers.as_mut().filter(|_| seen.crowd.is_none());
            scores.extend(newcomers.and_then(|newcomers| newcomers.window(samples, count, &usual.packets)));
            scores.push(usual.rate.window(count, &usual.packets));
            let (vector, answers, all) = (seen.vector, seen.answers, seen.window.total());
            let came = kind::Came { vector, count, all, answers, benign, samples };
            scores.extend(kind::window(&came, &usual.packets).filter(|_| seen.crowd.is_none()));
            if let Some(hourly) = &seen.hourly {
                let volume = scores.iter_mut().filter(|score| score.family == Family::Volume);
                volume.for_each(|score| hour::doubt(score, count, hourly));
            }
        }
        match seen.vector {
            Vector::Syn => {
                scores.extend(seen.handshakes.cloned());
                let (now, second) = (hygiene::window(seen.window), hygiene::window(seen.second));
                scores.push(if second.alarm && !now.alarm { second } else { now });
            }
            Vector::Tcp | Vector::RstFin => scores.extend(seen.strays_of(count).map(|said| said.score.clone())),
            Vector::UdpReflection | Vector::SynAck => {
                scores.push(answers::window(count, &usual.packets, seen.asked));
            }
            _ => {}
        }
        scores.extend(seen.harm.iter().filter(|(of, _)| *of == seen.vector).map(|(_, score)| score.clone()));
        let mut packets = samples.iter().map(|sampled| sampled.packet).collect::<Vec<_>>();
        if packets.len() < LEAST {
            // A slow attack has a shape only together with what it sent just before.
            packets.extend(usual.suspects().map(|sampled| sampled.packet));
        }
        match seen.crowd {
            None => scores.extend(usual.shapes.window(&packets)),
            Some(crowd) => scores.extend(crowd.shape.clone()),
        }
        scores.extend(self.dormant.as_ref().and_then(|dormant| dormant.recognise(samples, count as f64)));
        fuse(scores)
    }
}
