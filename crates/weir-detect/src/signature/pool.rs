//! Terms over a fixed set of packets: each is evaluated once, and is a set of packet numbers from then on.

use weir_policy::rules::{MatchVector, Term};

use super::kinds::{KINDS, LAST_TTLS, NONE, TTLS};
use super::prior;
use crate::bits::Bits;
use crate::bound::share_upper;

/// Numbers that a term is made wider by, at most: each may cost the tables a conjunction.
const WIDEST: usize = 8;

/// A term, and whom it holds for.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The term.
    pub term: Term,
    /// What it speaks of, by its number in [`KINDS`]: a conjunction has one term of a kind.
    pub kind: usize,
    /// The numbers that it holds for, ascending.
    numbers: Vec<u64>,
    /// The attack's packets that it holds for.
    pub attack: Bits,
    /// The benign packets that it holds for.
    pub benign: Bits,
    /// What is known of it beforehand, see [`super::prior`].
    pub told: u8,
}

/// All packets' numbers of one kind.
struct Column {
    attack: Vec<u64>,
    benign: Vec<u64>,
}

/// The terms that were looked at so far.
pub struct Pool<'a> {
    attack: &'a [MatchVector],
    benign: &'a [MatchVector],
    columns: Vec<Option<Column>>,
    candidates: Vec<Candidate>,
}

impl<'a> Pool<'a> {
    /// Over an attack's packets and benign ones.
    pub fn new(attack: &'a [MatchVector], benign: &'a [MatchVector]) -> Self {
        Self { attack, benign, columns: KINDS.iter().map(|_| None).collect(), candidates: Vec::new() }
    }

    /// The attack's packets.
    pub fn attack(&self) -> usize {
        self.attack.len()
    }

    /// The benign ones.
    pub fn benign(&self) -> usize {
        self.benign.len()
    }

    /// A term that was looked at.
    pub fn get(&self, id: usize) -> Option<&Candidate> {
        self.candidates.get(id)
    }

    /// For each kind its most frequent terms among some of the attack's packets, if they hold for so many at least.
    pub fn of(&mut self, among: &Bits, least: usize, values: usize) -> Vec<usize> {
        let mut out = Vec::new();
        for kind in 0..KINDS.len() {
            let frequent = self.counted(kind, among).into_iter().take_while(|(count, _)| *count >= least.max(1));
            out.extend(frequent.take(values).map(|(_, number)| self.candidate(kind, vec![number])));
        }
        out
    }

    /// The numbers of a kind that some of the attack's packets suggest, and how many do; the most frequent first. The number decides
    /// between equals, so that the same packets give the same rules.
    fn counted(&self, kind: usize, among: &Bits) -> Vec<(usize, u64)> {
        let Some(of) = KINDS.get(kind) else { return Vec::new() };
        let packets = among.iter().filter_map(|i| self.attack.get(i));
        let numbers = packets.map(|v| ((of.of)(v), v)).filter(|(n, v)| *n != NONE && (of.suggests)(v, *n));
        let mut numbers = numbers.map(|(n, _)| n).collect::<Vec<_>>();
        numbers.sort_unstable();
        let counts = numbers.chunk_by(|a, b| a == b).filter_map(|same| Some((same.len(), *same.first()?)));
        let mut counts = counts.collect::<Vec<_>>();
        counts.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        counts
    }

    /// A term made wider by other numbers of its kind that some of the attack's packets have, so many of them at least, and none of
    /// some benign ones; nothing where there are none, or where benign packets with numbers that were not seen may be more than a
    /// share: as many as those whose number was seen once (Good, "The population frequencies of species and the estimation of
    /// population parameters", Biometrika 1953), by the bound.
    pub fn wider(&mut self, id: usize, attack: &Bits, benign: &Bits, least: usize, most: f64) -> Option<usize> {
        let one = self.candidates.get(id)?;
        let (kind, told, mut numbers) = (one.kind, one.told, one.numbers.clone());
        let of = KINDS.get(kind).filter(|of| of.widens)?;
        let column = self.columns.get(kind)?.as_ref()?;
        let mut harmed = benign.iter().filter_map(|i| column.benign.get(i).copied()).collect::<Vec<_>>();
        harmed.sort_unstable();
        let once = harmed.chunk_by(|a, b| a == b).filter(|same| same.len() == 1).count();
        if share_upper(once, self.benign.len()) > most {
            return None;
        }
        let mut more = self.counted(kind, attack);
        more.retain(|(count, n)| *count >= least.max(1) && !numbers.contains(n) && harmed.binary_search(n).is_err());
        if more.is_empty() {
            return None;
        }
        numbers.extend(more.into_iter().take(WIDEST).map(|(_, number)| number));
        numbers.sort_unstable();
        // What is known of customers beforehand is known of the narrow term.
        (prior::told(&(of.term)(&numbers)) == told).then(|| self.candidate(kind, numbers))
    }

    /// A term for the ranges of TTLs that some of the attack's packets have, and their neighbours, since routes change; nothing where
    /// that is more than so many.
    pub fn paths(&mut self, attack: &Bits, most: usize) -> Option<usize> {
        let near = |(_, n): (usize, u64)| [n.saturating_sub(1), n, (n + 1).min(LAST_TTLS)];
        let mut numbers = self.counted(TTLS, attack).into_iter().flat_map(near).collect::<Vec<_>>();
        numbers.sort_unstable();
        numbers.dedup();
        (!numbers.is_empty() && numbers.len() <= most).then(|| self.candidate(TTLS, numbers))
    }

    /// The term of a kind for some numbers, ascending.
    fn candidate(&mut self, kind: usize, numbers: Vec<u64>) -> usize {
        if let Some(id) = self.candidates.iter().position(|c| c.kind == kind && c.numbers == numbers) {
            return id;
        }
        let of = &KINDS[kind];
        let all = |packets: &[MatchVector]| packets.iter().map(of.of).collect::<Vec<_>>();
        let column =
            self.columns[kind].get_or_insert_with(|| Column { attack: all(self.attack), benign: all(self.benign) });
        let any = |column: &[u64]| {
            let mut numbers = numbers.iter().map(|number| Bits::equal(column, *number));
            let first = numbers.next().unwrap_or_else(|| Bits::none(column.len()));
            numbers.fold(first, |bits, more| bits.or(&more))
        };
        let term = (of.term)(&numbers);
        let (attack, benign) = (any(&column.attack), any(&column.benign));
        self.candidates.push(Candidate { told: prior::told(&term), term, kind, numbers, attack, benign });
        self.candidates.len() - 1
    }
}
