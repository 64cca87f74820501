//! Numbers, sizes, durations and permissions as Compose writes them, brought into one form.

use std::time::Duration;

use crate::app::ByteSize;

/// A whole number.
pub fn int(text: &str) -> Option<i64> {
    // A sign after the prefix is no number.
    let digits = |prefix: &str| {
        let digits = text.strip_prefix(prefix)?;
        digits
            .starts_with(|c: char| c.is_ascii_hexdigit())
            .then_some(digits)
    };
    if let Some(digits) = digits("0x") {
        return i64::from_str_radix(digits, 16).ok();
    }
    if let Some(digits) = digits("0o") {
        return i64::from_str_radix(digits, 8).ok();
    }
    text.parse().ok()
}

/// A number, in the form of JSON.
pub fn number(text: &str) -> Option<String> {
    if let Some(int) = int(text) {
        return Some(int.to_string());
    }
    let value: f64 = text.parse().ok()?;
    value.is_finite().then(|| value.to_string())
}

/// A number of bytes, or -1.
pub fn bytes(text: &str, unlimited: bool) -> Option<String> {
    if unlimited && text == "-1" {
        return Some(text.to_owned());
    }
    let size: ByteSize = text.parse().ok()?;
    // The daemon counts in signed 64 bits.
    (size.0 <= i64::MAX as u64).then(|| size.0.to_string())
}

/// Permissions as `0440`. A text is in octal; a number is what YAML makes of it, which is
/// decimal unless it begins with 0.
pub fn mode(text: &str, number: bool) -> Option<String> {
    let octal = text.strip_prefix("0o").unwrap_or(text);
    let mode = match number && !text.starts_with('0') {
        true => text.parse().ok()?,
        false => u32::from_str_radix(octal, 8).ok()?,
    };
    (mode <= 0o7777).then(|| format!("{mode:04o}"))
}

const UNITS: [(&str, u64); 7] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// A duration such as `1h5m30s20ms`, as [`format_duration`] writes it. A number without a unit
/// is refused, since nobody can know the unit; 0 needs none.
pub fn duration(text: &str, number: bool) -> Option<String> {
    match number {
        true => (text == "0").then(|| "0s".to_owned()),
        false => parse_duration(text).map(format_duration),
    }
}

/// Reads a duration such as `1m30s` or `1.5s`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut nanos = 0u64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (amount, after) = rest.split_at(digits);
        let end = after.find(|c: char| c.is_ascii_digit() || c == '.');
        let (unit, after) = after.split_at(end.unwrap_or(after.len()));
        let (_, unit) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
        let part = match amount.parse::<u64>() {
            Ok(whole) => whole.checked_mul(unit)?,
            Err(_) => {
                let part = amount.parse::<f64>().ok()? * unit as f64;
                (part < u64::MAX as f64).then_some(part.round() as u64)?
            }
        };
        nanos = nanos.checked_add(part)?;
        rest = after;
    }
    // The daemon counts nanoseconds in signed 64 bits.
    (!text.is_empty() && nanos <= i64::MAX as u64).then(|| Duration::from_nanos(nanos))
}

/// Writes a duration as Compose and Go do: `1m30s`, `1.5s`, `250ms`.
pub fn format_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let fraction = |nanos: u128, unit: u128| {
        let text = format!(
            "{}.{:0width$}",
            nanos / unit,
            nanos % unit,
            width = unit.ilog10() as usize
        );
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    match nanos {
        0 => return "0s".into(),
        1..1_000 => return format!("{nanos}ns"),
        1_000..1_000_000 => return fraction(nanos, 1_000) + "µs",
        1_000_000..1_000_000_000 => return fraction(nanos, 1_000_000) + "ms",
        _ => {}
    }
    let (hours, minutes) = (duration.as_secs() / 3600, duration.as_secs() / 60 % 60);
    let seconds = fraction(nanos % 60_000_000_000, 1_000_000_000);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, wanted) in [
            ("10ms", "10ms"),
            ("40s", "40s"),
            ("1m30s", "1m30s"),
            ("90s", "1m30s"),
            ("1h5m30s20ms", "1h5m30.02s"),
            ("1.5s", "1.5s"),
            ("0.5m", "30s"),
            ("2h", "2h0m0s"),
            ("1500us", "1.5ms"),
            ("0s", "0s"),
            ("7ns", "7ns"),
        ] {
            assert_eq!(duration(text, false).as_deref(), Some(wanted), "{text}");
        }
        for text in [
            "",
            "s",
            "10",
            "-1s",
            "1x",
            "1s2",
            "1..5s",
            "999999999h",
            "1 s",
        ] {
            assert_eq!(duration(text, false), None, "{text}");
        }
        assert_eq!(duration("10", true), None);
        assert_eq!(duration("0", true).as_deref(), Some("0s"));
    }

    #[test]
    fn sizes() {
        for (text, wanted) in [
            ("2b", "2"),
            ("1024kb", "1048576"),
            ("2048k", "2097152"),
            ("300m", "314572800"),
            ("1gb", "1073741824"),
            ("1.5g", "1610612736"),
            ("64", "64"),
        ] {
            assert_eq!(bytes(text, false).as_deref(), Some(wanted), "{text}");
        }
        for text in ["-1", "", "m", "1x", "9999999t", "1e400"] {
            assert_eq!(bytes(text, false), None, "{text}");
        }
        assert_eq!(bytes("-1", true).as_deref(), Some("-1"));
    }

    #[test]
    fn permissions() {
        let cases = [
            ("0440", true),
            ("440", false),
            ("0440", false),
            ("0o440", true),
            ("288", true),
        ];
        for (text, number) in cases {
            assert_eq!(
                mode(text, number).as_deref(),
                Some("0440"),
                "{text} {number}"
            );
        }
        for (text, number) in [("9", false), ("0999", true), ("10000", false), ("-1", true)] {
            assert_eq!(mode(text, number), None, "{text} {number}");
        }
    }

    #[test]
    fn numbers() {
        assert_eq!(number("0.50").as_deref(), Some("0.5"));
        assert_eq!(number("2").as_deref(), Some("2"));
        assert_eq!(number("1e400"), None);
        assert_eq!(number("x"), None);
        assert_eq!(int("0x10"), Some(16));
        assert_eq!(int("0o10"), Some(8));
        assert_eq!((int("0o8"), int("0x-1"), int("0o")), (None, None, None));
        assert_eq!(int("1.0"), None);
    }
}
