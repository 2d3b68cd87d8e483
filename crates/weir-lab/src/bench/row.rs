//! One line of the bench's table: a figure, what it stands beside, and whether its bar is met.

use serde::Serialize;

use super::bars::{self, Bar};

/// A line. The first seven fields are the contract of `--json`; the others tell more.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Row {
    /// What scripts call it.
    pub id: String,
    /// The best of its runs; `null` where nothing was measured.
    pub value: Option<f64>,
    /// Of the value.
    pub unit: &'static str,
    /// What it stands beside.
    pub against: Option<String>,
    /// The value over that one's.
    pub ratio: Option<f64>,
    /// What is to be reached, such as `>= 0.85`: by the ratio where there is one, else by the value.
    pub bar: Option<String>,
    /// Whether it is; `null` without a bar or a measurement.
    pub met: Option<bool>,
    /// What it stands beside, as a figure.
    pub against_value: Option<f64>,
    /// The median of its runs.
    pub median: Option<f64>,
    /// The median of the ratios of runs that were neighbours in time.
    pub median_ratio: Option<f64>,
    /// How many runs.
    pub runs: usize,
    /// What it is, for people.
    pub about: String,
    /// What to know about it, or why it was not measured.
    pub note: String,
}

/// Several measurements of one thing.
#[derive(Debug, Clone, Default)]
pub struct Series(pub Vec<f64>);

impl Series {
    /// The highest.
    pub fn highest(&self) -> Option<f64> {
        self.0.iter().copied().reduce(f64::max)
    }

    /// The lowest.
    pub fn lowest(&self) -> Option<f64> {
        self.0.iter().copied().reduce(f64::min)
    }

    /// The one that `share` of all stay below: 0.5 is the median.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let at = (share * (sorted.len().max(1) - 1) as f64).round() as usize;
        sorted.get(at).copied()
    }

    /// The median.
    pub fn median(&self) -> Option<f64> {
        self.quantile(0.5)
    }
}

impl Row {
    /// A line with a figure.
    pub fn new(id: impl Into<String>, about: impl Into<String>, unit: &'static str, value: f64) -> Row {
        Row { id: id.into(), about: about.into(), unit, value: Some(value), runs: 1, ..Row::default() }.judged()
    }

    /// A line of which the highest run counts.
    pub fn highest(id: impl Into<String>, about: impl Into<String>, unit: &'static str, series: &Series) -> Row {
        let value = series.highest();
        let (median, runs) = (series.median(), series.0.len());
        Row { id: id.into(), about: about.into(), unit, value, median, runs, ..Row::default() }.judged()
    }

    /// A line of which the lowest run counts.
    pub fn lowest(id: impl Into<String>, about: impl Into<String>, unit: &'static str, series: &Series) -> Row {
        Row { value: series.lowest(), ..Row::highest(id, about, unit, series) }.judged()
    }

    /// A line that says why there is no figure.
    pub fn missing(id: impl Into<String>, about: impl Into<String>, unit: &'static str, why: &str) -> Row {
        let note = format!("not measured: {why}");
        Row { id: id.into(), about: about.into(), unit, note, ..Row::default() }.judged()
    }

    /// Beside another figure.
    #[must_use]
    pub fn against(mut self, name: &str, value: Option<f64>) -> Row {
        self.against = Some(name.to_owned());
        self.against_value = value;
        self.ratio = self.value.zip(value).filter(|(_, other)| *other != 0.0).map(|(own, other)| own / other);
        self.judged()
    }

    /// Beside the runs of something else that took turns with these.
    #[must_use]
    pub fn beside(self, name: &str, own: &Series, other: &Series, best: Option<f64>) -> Row {
        let pairs = own.0.iter().zip(&other.0).map(|(own, other)| own / other);
        let median_ratio = Series(pairs.collect()).median();
        Row { median_ratio, ..self.against(name, best) }
    }

    /// With a remark.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Row {
        self.note = note.into();
        self
    }

    fn judged(mut self) -> Row {
        let Some(Bar { limit, least }) = bars::of(&self.id) else { return self };
        let figure = if bars::is_ratio(&self.id) { self.ratio } else { self.value };
        self.bar = Some(format!("{} {limit}", if least { ">=" } else { "<=" }));
        self.met = figure.map(|figure| if least { figure >= limit } else { figure <= limit });
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_judge_ratios_or_values() {
        let row = Row::new("one_source", "", "Mpps", 4.5).against("bare", Some(5.0));
        assert_eq!((row.ratio, row.met, row.bar.as_deref()), (Some(0.9), Some(true), Some(">= 0.85")));
        assert_eq!(Row::new("prefix_load_1m_s", "", "s", 1.2).met, Some(false));
        assert_eq!(Row::new("one_source", "", "Mpps", 4.5).met, None, "no comparator, no judgement");
        assert_eq!(Row::missing("full_pass_ns", "", "ns", "no xdp-filter").met, None);
        assert_eq!(Row::new("random_source_bare", "", "Mpps", 4.5).bar, None);
    }

    #[test]
    fn series_have_their_middle() {
        let series = Series(vec![5.0, 1.0, 3.0]);
        assert_eq!((series.lowest(), series.median(), series.highest()), (Some(1.0), Some(3.0), Some(5.0)));
        assert_eq!(Series((1..=200).map(f64::from).collect()).quantile(0.99), Some(198.0));
        assert_eq!(Series::default().median(), None);
    }
}
