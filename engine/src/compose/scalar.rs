//! What an unquoted YAML scalar is: the core schema of YAML 1.2, in which `yes` and `22:22` are
//! texts. YAML 1.1, which docker-compose 1 reads, takes them for a boolean and a number.

use super::node::Value;

/// What an unquoted text is.
pub fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ if is_number(text) => Value::Number(text.to_owned()),
        _ => Value::Text(text.to_owned()),
    }
}

fn is_number(text: &str) -> bool {
    if let Some(digits) = text.strip_prefix("0x") {
        return !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return !digits.is_empty() && digits.bytes().all(|b| matches!(b, b'0'..=b'7'));
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let exponent_fits = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty()) && exponent_fits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_schema() {
        for text in [
            "yes", "no", "on", "off", "y", "22:22", "1.2.3", "0x", "1e", "-", ".", "+-1",
        ] {
            assert!(matches!(plain(text), Value::Text(_)), "{text}");
        }
        for text in [
            "0", "-12", "+3", "0440", "0o17", "0xfF", "1.5", ".5", "5.", "1e3", "-.inf",
        ] {
            assert!(matches!(plain(text), Value::Number(_)), "{text}");
        }
        for text in ["", "~", "null"] {
            assert!(plain(text).is_null(), "{text}");
        }
        assert!(matches!(plain("true"), Value::Bool(true)));
    }
}
