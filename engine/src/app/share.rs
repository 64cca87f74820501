//! A part of the whole, such as of all new requests.

use std::fmt;
use std::str::FromStr;

/// A part of the whole, in hundredths of a percent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(u16);

/// A text that is no [`Share`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no share: write it like `10%` or `0.5%`, and 100% at most")]
pub struct NoShare(String);

impl Share {
    /// All of it, in the same unit.
    pub const WHOLE: u16 = 10_000;

    /// So many percent; all of it, if it is more.
    pub const fn percent(percent: u16) -> Self {
        Self(match percent {
            0..=100 => percent * 100,
            _ => Self::WHOLE,
        })
    }

    /// In hundredths of a percent.
    pub const fn points(self) -> u16 {
        self.0
    }

    /// As a number between 0 and 1.
    pub fn ratio(self) -> f64 {
        f64::from(self.0) / f64::from(Self::WHOLE)
    }
}

impl FromStr for Share {
    type Err = NoShare;

    fn from_str(text: &str) -> Result<Self, NoShare> {
        let none = || NoShare(text.to_owned());
        let number = text.trim().strip_suffix('%').ok_or_else(none)?.trim_end();
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(part) || part.len() > 2 {
            return Err(none());
        }
        let whole: u16 = whole.parse().map_err(|_| none())?;
        let part: u16 = format!("{part:0<2}").parse().map_err(|_| none())?;
        let points = whole.checked_mul(100).and_then(|all| all.checked_add(part));
        let points = points.filter(|points| *points <= Self::WHOLE);
        points.map(Self).ok_or_else(none)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 100, self.0 % 100) {
            (whole, 0) => write!(f, "{whole}%"),
            (whole, part) if part % 10 == 0 => write!(f, "{whole}.{}%", part / 10),
            (whole, part) => write!(f, "{whole}.{part:02}%"),
        }
    }
}

impl serde::Serialize for Share {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Share {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_written_in_percent() {
        for (text, points) in [
            ("0%", 0),
            ("10%", 1_000),
            ("0.5%", 50),
            ("12.25%", 1_225),
            ("0.05%", 5),
            ("100%", 10_000),
        ] {
            let share: Share = text.parse().expect(text);
            assert_eq!(share.points(), points);
            assert_eq!(share.to_string(), text);
        }
        for wrong in [
            "", "10", "%", "-1%", "1.%", ".5%", "1.234%", "100.01%", "x%", "+1%",
        ] {
            assert!(wrong.parse::<Share>().is_err(), "{wrong}");
        }
    }
}
