//! Amounts of memory and CPU.

use std::fmt;
use std::str::FromStr;

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(pub u64);

/// Why a text is no [`ByteSize`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a size: write a number with a unit, such as \"256MiB\" or \"1g\"")]
pub struct ParseSizeError(String);

impl ByteSize {
    /// So many MiB (2²⁰ bytes).
    pub const fn mib(count: u64) -> Self {
        Self(count << 20)
    }
}

impl ByteSize {
    /// In the largest unit that it is a whole number of: `1536MiB`, which [`fmt::Display`] writes
    /// as `1.5GiB`.
    pub(super) fn exact(self) -> String {
        let unit = UNITS
            .into_iter()
            .find(|(_, shift)| self.0 >= 1 << shift && self.0.trailing_zeros() >= *shift);
        let (name, shift) = unit.unwrap_or(("B", 0));
        format!("{}{name}", self.0 >> shift)
    }
}

/// Units above a byte, largest first, each with the power of two that it stands for.
const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];

impl FromStr for ByteSize {
    type Err = ParseSizeError;

    /// Reads a number, which may have a fraction, and a unit. As in Docker and Compose every
    /// unit is a power of 1024, whether it is written `m`, `mb` or `MiB`; no unit means bytes.
    fn from_str(text: &str) -> Result<Self, ParseSizeError> {
        let error = || ParseSizeError(text.to_owned());
        let trimmed = text.trim();
        let split = trimmed
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(trimmed.len());
        let (number, unit) = trimmed.split_at(split);
        let shift = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "b" => 0,
            "k" | "kb" | "kib" => 10,
            "m" | "mb" | "mib" => 20,
            "g" | "gb" | "gib" => 30,
            "t" | "tb" | "tib" => 40,
            _ => return Err(error()),
        };
        if let Ok(whole) = number.parse::<u64>() {
            return whole.checked_mul(1 << shift).map(Self).ok_or_else(error);
        }
        let fraction: f64 = number.parse().map_err(|_| error())?;
        let bytes = fraction * (1u64 << shift) as f64;
        (bytes.is_finite() && bytes < (1u64 << 63) as f64)
            .then_some(Self(bytes as u64))
            .ok_or_else(error)
    }
}

impl fmt::Display for ByteSize {
    /// In the largest unit that it fills, with one decimal where it is not whole: `1.5GiB`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, shift) in UNITS {
            if self.0 >= 1 << shift {
                return if self.0.trailing_zeros() >= shift {
                    write!(f, "{}{unit}", self.0 >> shift)
                } else {
                    write!(f, "{:.1}{unit}", self.0 as f64 / (1u64 << shift) as f64)
                };
            }
        }
        write!(f, "{}B", self.0)
    }
}

/// A number of CPUs, counted in billionths as Docker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cpus {
    nano: u64,
}

/// Why a number is no [`Cpus`].
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{0} is not a number of CPUs: use a number from 0.01 to 4096, such as 0.5")]
pub struct ParseCpusError(f64);

impl Cpus {
    /// So many CPUs: 0.01 (Docker's smallest) to 4096.
    pub fn new(cpus: f64) -> Result<Self, ParseCpusError> {
        if !(0.01..=4096.0).contains(&cpus) {
            return Err(ParseCpusError(cpus));
        }
        Ok(Self {
            nano: (cpus * 1e9).round() as u64,
        })
    }

    /// In billionths of a CPU.
    pub fn nano(self) -> u64 {
        self.nano
    }

    /// In CPUs.
    pub fn as_f64(self) -> f64 {
        self.nano as f64 / 1e9
    }
}

impl fmt::Display for Cpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_docker_reads_them() {
        let cases = [
            ("0", 0),
            ("17", 17),
            ("17b", 17),
            ("1k", 1024),
            ("256MiB", 256 << 20),
            ("256mb", 256 << 20),
            ("256M", 256 << 20),
            ("1.5g", 3 << 29),
            ("2 GiB", 2 << 30),
        ];
        for (text, bytes) in cases {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
        for text in [
            "",
            "m",
            "-1m",
            "1x",
            "1.2.3m",
            "99999999999999t",
            "NaN",
            "1e3",
        ] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_written_in_the_largest_unit_they_fill() {
        let cases = [
            (0, "0B"),
            (1023, "1023B"),
            (256 << 20, "256MiB"),
            (3 << 29, "1.5GiB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(ByteSize(bytes).to_string(), text);
        }
    }

    #[test]
    fn no_two_sizes_are_written_alike_where_it_matters() {
        let cases = [
            (0, "0B"),
            (1025, "1025B"),
            (3 << 29, "1536MiB"),
            (1130 << 20, "1130MiB"),
            (2 << 40, "2TiB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(ByteSize(bytes).exact(), text);
            assert_eq!(text.parse(), Ok(ByteSize(bytes)));
        }
    }

    #[test]
    fn cpus_have_bounds() {
        assert_eq!(Cpus::new(0.5).map(Cpus::nano), Ok(500_000_000));
        for bad in [0.0, -1.0, 0.001, 5000.0, f64::NAN, f64::INFINITY] {
            assert!(Cpus::new(bad).is_err(), "{bad}");
        }
    }
}
