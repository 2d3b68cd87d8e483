//! Lengths of time as people and Kubernetes write them: `500ms`, `1s`, `1h30m`, `2d`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::text::as_text;

/// A length of time; never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(Duration);

/// Why a text is not a length of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeriodError {
    /// No number, or no unit behind it.
    #[error("`{0}` is not a length of time: write numbers with units, such as 500ms, 30s, 10m, 1h30m or 2d")]
    Form(String),
    /// Zero.
    #[error("a length of time must be more than zero")]
    Zero,
    /// More than a century.
    #[error("`{0}` is longer than 100 years")]
    TooLong(String),
}

/// Units, longest first, in nanoseconds.
const UNITS: [(&str, u64); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// A hundred years, in nanoseconds.
const LONGEST: u64 = 36_525 * 86_400_000_000_000;

impl Period {
    /// One second.
    pub const SECOND: Self = Self(Duration::from_secs(1));

    /// As the standard library's type.
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl FromStr for Period {
    type Err = PeriodError;

    fn from_str(text: &str) -> Result<Self, PeriodError> {
        let form = || PeriodError::Form(text.to_owned());
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(form());
        }
        let mut total = 0u64;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(form)?;
            let (number, tail) = rest.split_at(digits);
            let letters = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(letters);
            let number: u64 = number.parse().map_err(|_| form())?;
            let (_, ns) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(form)?;
            total = number
                .checked_mul(*ns)
                .and_then(|n| n.checked_add(total))
                .filter(|n| *n <= LONGEST)
                .ok_or_else(|| PeriodError::TooLong(text.to_owned()))?;
            rest = tail;
        }
        if total == 0 { Err(PeriodError::Zero) } else { Ok(Self(Duration::from_nanos(total))) }
    }
}

impl TryFrom<Duration> for Period {
    type Error = PeriodError;

    fn try_from(d: Duration) -> Result<Self, PeriodError> {
        match u64::try_from(d.as_nanos()) {
            Ok(0) => Err(PeriodError::Zero),
            Ok(n) if n <= LONGEST => Ok(Self(d)),
            _ => Err(PeriodError::TooLong(format!("{d:?}"))),
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = u64::try_from(self.0.as_nanos()).unwrap_or(LONGEST);
        for (name, ns) in UNITS {
            if rest >= ns {
                write!(f, "{}{name}", rest / ns)?;
                rest %= ns;
            }
        }
        Ok(())
    }
}

as_text!(Period, "a length of time such as 30s");

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_people_write() {
        let ms = |text: &str| text.parse::<Period>().map(|p| p.get().as_millis());
        assert_eq!(ms("500ms"), Ok(500));
        assert_eq!(ms("1h30m"), Ok(5_400_000));
        assert_eq!(ms("2d"), Ok(172_800_000));
        assert_eq!(ms("0s"), Err(PeriodError::Zero));
        assert_eq!(ms("40000d"), Err(PeriodError::TooLong("40000d".into())));
        for bad in ["", "1", "s", "1 s", "-1s", "1.5h", "1w"] {
            assert_eq!(ms(bad), Err(PeriodError::Form(bad.into())), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn text_and_back(ns in 1..=LONGEST) {
            let period = Period(Duration::from_nanos(ns));
            prop_assert_eq!(period.to_string().parse(), Ok(period));
        }
    }
}
