//! Counts and sizes as Kubernetes writes quantities: `2000`, `200k`, `1M`, `10Gi`, `1.5M`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A whole number that may be written with a suffix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity(pub u64);

/// Why a text is not a quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// No number, or an unknown suffix.
    #[error(
        "`{0}` is not a quantity: write a whole number, if need be with k, M, G, T, Ki, Mi, Gi or Ti, such as 200k or 10Mi"
    )]
    Form(String),
    /// Does not come out whole.
    #[error("`{0}` is not a whole number")]
    Fraction(String),
    /// More than 64 bits.
    #[error("`{0}` is too large")]
    TooLarge(String),
}

/// Suffixes with their factors; the first that fits counts.
const SUFFIXES: [(&str, u64); 8] = [
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
];

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let form = || QuantityError::Form(text.to_owned());
        let too_large = || QuantityError::TooLarge(text.to_owned());
        let (number, factor) = SUFFIXES
            .iter()
            .find_map(|(suffix, factor)| text.strip_suffix(suffix).map(|n| (n, *factor)))
            .unwrap_or((text, 1));
        let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(decimals) || decimals.len() > 12 {
            return Err(form());
        }
        let scale = 10u128.pow(decimals.len() as u32);
        let decimals: u128 = decimals.parse().map_err(|_| form())?;
        let whole: u64 = whole.parse().map_err(|_| too_large())?;
        let scaled = (u128::from(whole) * scale + decimals) * u128::from(factor);
        if !scaled.is_multiple_of(scale) {
            return Err(QuantityError::Fraction(text.to_owned()));
        }
        u64::try_from(scaled / scale).map(Self).map_err(|_| too_large())
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Quantity;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number such as 2000 or 200k")
            }
            fn visit_u64<E: de::Error>(self, n: u64) -> Result<Quantity, E> {
                Ok(Quantity(n))
            }
            fn visit_i64<E: de::Error>(self, n: i64) -> Result<Quantity, E> {
                u64::try_from(n).map(Quantity).map_err(|_| E::custom(format_args!("{n} is below zero")))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Quantity, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_numbers_with_suffixes() {
        let n = |text: &str| text.parse::<Quantity>().map(|q| q.0);
        assert_eq!(n("2000"), Ok(2000));
        assert_eq!(n("200k"), Ok(200_000));
        assert_eq!(n("1.5M"), Ok(1_500_000));
        assert_eq!(n("10Gi"), Ok(10 << 30));
        assert_eq!(n("0.5"), Err(QuantityError::Fraction("0.5".into())));
        assert_eq!(n("99999999T"), Err(QuantityError::TooLarge("99999999T".into())));
        for bad in ["", "k", "-1", "1K", "1e3", ".5", "1 k"] {
            assert_eq!(n(bad), Err(QuantityError::Form(bad.into())), "{bad:?}");
        }
    }
}
