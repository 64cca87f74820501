//! Settings with a unit, written as in the rest of plugins.toml.

use serde::{Deserialize, Deserializer, de::Error as _};

/// A number of bytes, written as `"256MiB"`, `"1.5g"` or `4096`.
///
/// As in Docker every unit is a power of 1024, whether it is written `m`, `mb` or `MiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// A time, written as `"500ms"`, `"1.5s"`, `"10s"`, `"2m"` or `"1h"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(pub std::time::Duration);

/// A number of CPUs, such as `0.5`, to the thousandth.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Cpus(pub f64);

impl ByteSize {
    /// So many MiB (2²⁰ bytes).
    pub const fn mib(count: u64) -> Self {
        Self(count << 20)
    }

    fn parse(text: &str) -> Option<Self> {
        quantity(text, |unit| match unit.to_ascii_lowercase().as_str() {
            "" | "b" => Some(1),
            "k" | "kb" | "kib" => Some(1 << 10),
            "m" | "mb" | "mib" => Some(1 << 20),
            "g" | "gb" | "gib" => Some(1 << 30),
            "t" | "tb" | "tib" => Some(1 << 40),
            _ => None,
        })
        .map(Self)
    }
}

impl Duration {
    fn parse(text: &str) -> Option<Self> {
        quantity(text, |unit| match unit {
            "ms" => Some(1_000_000),
            "s" => Some(1_000_000_000),
            "m" | "min" => Some(60_000_000_000),
            "h" => Some(3_600_000_000_000),
            _ => None,
        })
        .map(|nanos| Self(std::time::Duration::from_nanos(nanos)))
    }
}

impl Cpus {
    fn parse(text: &str) -> Option<Self> {
        let thousandths = quantity(text, |unit| unit.is_empty().then_some(1000))?;
        // Every whole number below 2⁵³ is a float.
        Some(Self(thousandths as f64 / 1000.0))
    }
}

/// A decimal number and a unit, in that unit's smallest parts, rounded down.
///
/// In 64-bit integers, so that neither floating-point nor 128-bit code is linked into a plugin:
/// the tables for reading a float alone are 10 KB.
fn quantity(text: &str, unit: impl FnOnce(&str) -> Option<u64>) -> Option<u64> {
    let text = text.trim_ascii();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit_name) = text.split_at(end);
    let unit = unit(unit_name.trim_ascii_start())?;
    let (whole, fraction) = match number.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
        Some(_) => return None,
        None => (number, "0"),
    };
    let whole = whole.parse::<u64>().ok()?.checked_mul(unit)?;
    // Six digits are as many as fit: 2⁴⁰ (a terabyte) times 10⁶ is below 2⁶⁴.
    let (mut digits, mut scale) = (0, 1);
    for c in fraction.chars() {
        let digit = c.to_digit(10)?;
        if scale < 1_000_000 {
            digits = digits * 10 + u64::from(digit);
            scale *= 10;
        }
    }
    whole.checked_add(digits * unit / scale)
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            D::Error::custom(format_args!(
                "expected a size such as \"256MiB\" or \"1g\", found `{text}`"
            ))
        })
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            D::Error::custom(format_args!(
                "expected a time such as \"500ms\" or \"10s\", found `{text}`"
            ))
        })
    }
}

impl<'de> Deserialize<'de> for Cpus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            D::Error::custom(format_args!(
                "expected a number of CPUs such as 0.5, found `{text}`"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_in_the_rest_of_plugins_toml() {
        let good = [
            ("0", 0),
            ("17", 17),
            ("17b", 17),
            ("1k", 1 << 10),
            ("256MiB", 256 << 20),
            ("256mb", 256 << 20),
            ("1.5g", 3 << 29),
            ("2 GiB", 2 << 30),
            ("0.3333333333333333k", 341),
        ];
        for (text, bytes) in good {
            assert_eq!(ByteSize::parse(text), Some(ByteSize(bytes)), "{text}");
        }
        for text in [
            "",
            "m",
            "-1m",
            "1x",
            "1.2.3m",
            "1.m",
            ".5m",
            "1e3",
            "99999999999t",
        ] {
            assert_eq!(ByteSize::parse(text), None, "{text}");
        }
    }

    #[test]
    fn times_need_a_unit() {
        let good = [
            ("0s", 0),
            ("500ms", 500),
            ("1.25s", 1250),
            ("2m", 120_000),
            ("1h", 3_600_000),
        ];
        for (text, millis) in good {
            let expected = std::time::Duration::from_millis(millis);
            assert_eq!(Duration::parse(text), Some(Duration(expected)), "{text}");
        }
        for text in ["", "10", "s", "1S", "-1s", "1d", "1 2s"] {
            assert_eq!(Duration::parse(text), None, "{text}");
        }
    }

    #[test]
    fn cpus_are_plain_numbers() {
        for (text, cpus) in [("0.5", 0.5), ("2", 2.0), ("1.2345", 1.234)] {
            assert_eq!(Cpus::parse(text), Some(Cpus(cpus)), "{text}");
        }
        for text in ["", "half", "-1", "1e3", "1 cpu"] {
            assert_eq!(Cpus::parse(text), None, "{text}");
        }
    }
}
