//! Points in time in RFC 3339: `2026-03-01T12:00:00Z`.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use super::text::as_text;

/// A point in time, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(Timestamp);

/// A text is not a point in time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a point in time: write RFC 3339 such as 2026-03-01T12:00:00Z")]
pub struct MomentError(String);

impl Moment {
    /// From the system clock's type, cut to whole milliseconds; times beyond year 9999 become the last there is.
    pub fn from_system(time: SystemTime) -> Self {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let ms = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        Self(Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX))
    }

    /// As the system clock's type; times before 1970 become 1970.
    pub fn to_system(self) -> SystemTime {
        let ns = u64::try_from(self.0.as_millisecond()).unwrap_or(0);
        SystemTime::UNIX_EPOCH + Duration::from_millis(ns)
    }
}

impl FromStr for Moment {
    type Err = MomentError;

    fn from_str(text: &str) -> Result<Self, MomentError> {
        text.trim().parse().map(Self).map_err(|_| MomentError(text.to_owned()))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

as_text!(Moment, "a point in time such as 2026-03-01T12:00:00Z");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_system_time_agree() {
        let moment: Moment = "2026-03-01T12:00:00Z".parse().unwrap();
        assert_eq!(Moment::from_system(moment.to_system()), moment);
        assert_eq!(moment.to_string(), "2026-03-01T12:00:00Z");
        assert_eq!("2026-03-01T14:00:00+02:00".parse(), Ok(moment));
        assert!("tomorrow".parse::<Moment>().is_err());
    }
}
