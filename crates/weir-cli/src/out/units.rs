//! Numbers as people read them.

use std::time::{Duration, SystemTime};

use weir_api::spec::{Moment, Period};

/// `1,234,567`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// `1 file`, `2 files`, `3 list entries`.
pub fn of(n: u64, what: &str) -> String {
    match (n, what.strip_suffix('y')) {
        (1, _) => format!("1 {what}"),
        (_, Some(stem)) => format!("{} {stem}ies", count(n)),
        (_, None) => format!("{} {what}s", count(n)),
    }
}

/// `1.23 GB`.
pub fn bytes(n: u64) -> String {
    scaled(n as f64, "B")
}

/// `2.00 Mpkt/s`; nothing for no traffic.
pub fn packets_per_s(rate: f64) -> String {
    if rate < 0.05 { "-".into() } else { scaled(rate, "pkt/s") }
}

/// `960 Mbit/s` from bytes per second; nothing for no traffic.
pub fn bits_per_s(bytes_per_s: f64) -> String {
    if bytes_per_s < 0.05 { "-".into() } else { scaled(8.0 * bytes_per_s, "bit/s") }
}

fn scaled(n: f64, unit: &str) -> String {
    let mut value = n;
    let mut prefixes = ["", "k", "M", "G", "T", "P"].into_iter();
    let mut prefix = prefixes.next().unwrap_or("");
    // 999.5 would be shown as 1000.
    while value >= 999.5 {
        let Some(next) = prefixes.next() else { break };
        (value, prefix) = (value / 1000.0, next);
    }
    let decimals = if prefix.is_empty() || value >= 99.95 {
        0
    } else if value >= 9.995 {
        1
    } else {
        2
    };
    format!("{value:.decimals$} {prefix}{unit}")
}

/// `in 59m 3s`, or `never` for what has no end.
pub fn until(end: Option<Moment>, now: SystemTime) -> String {
    let Some(end) = end else { return "never".into() };
    match end.to_system().duration_since(now) {
        Ok(left) => format!("in {}", span(left)),
        Err(_) => "now".into(),
    }
}

/// The two largest units of a length of time: `2d4h`, `59m3s`.
pub fn span(d: Duration) -> String {
    let whole = Duration::from_secs(d.as_secs());
    let text = Period::try_from(whole).map_or_else(|_| "0s".to_owned(), |p| p.to_string());
    let second_unit = text.match_indices(|c: char| c.is_ascii_alphabetic()).nth(1);
    match second_unit {
        Some((at, _)) => text[..=at].to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!((count(0), count(999), count(1_234_567)), ("0".into(), "999".into(), "1,234,567".into()));
        assert_eq!((bytes(999), bytes(1_500), bytes(123_456_789)), ("999 B".into(), "1.50 kB".into(), "123 MB".into()));
        assert_eq!((packets_per_s(2e6), packets_per_s(0.0)), ("2.00 Mpkt/s".into(), "-".into()));
        assert_eq!(bits_per_s(120e6), "960 Mbit/s");
        assert_eq!(bytes(999_600), "1.00 MB");
        assert_eq!((of(1, "file"), of(2_000, "list entry")), ("1 file".into(), "2,000 list entries".into()));
    }

    #[test]
    fn times() {
        let span = |s| super::span(Duration::from_secs(s));
        assert_eq!(
            (span(0), span(59), span(3543), span(187_201)),
            ("0s".into(), "59s".into(), "59m3s".into(), "2d4h".into())
        );
        assert_eq!(until(None, SystemTime::now()), "never");
    }
}
