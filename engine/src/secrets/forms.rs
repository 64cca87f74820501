//! What programs make of a value when they print it: JSON, URLs, Base64, hexadecimal.

use std::fmt::Write as _;

/// The shortest value that is looked for in other forms than its own, in bytes: 10 characters of
/// Base64, which stand in no text by chance.
const SHORTEST_ENCODED: usize = 8;

/// How a value looks in a text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Form {
    /// The text that is certain.
    pub text: String,
    /// True if the character before it holds a few bits of the value.
    pub before: bool,
    /// True if the character after it does.
    pub after: bool,
}

impl From<String> for Form {
    fn from(text: String) -> Self {
        Self {
            text,
            before: false,
            after: false,
        }
    }
}

/// Every form of a value but the value itself.
pub(super) fn of(value: &str) -> Vec<Form> {
    let mut texts = vec![value.escape_debug().to_string()];
    let json = json(value);
    texts.push(in_go(&json));
    texts.push(in_ascii(&json));
    texts.push(json.replace('/', "\\/"));
    // JSON that is a text in JSON, as in a log of requests.
    texts.push(self::json(&json));
    texts.push(json);
    if value.len() < SHORTEST_ENCODED {
        return texts.into_iter().map(Form::from).collect();
    }
    for digits in [LOWER, UPPER] {
        texts.push(hex(value, digits));
        // RFC 3986, JavaScript's encodeURIComponent and encodeURI, and HTML's forms.
        for kept in ["-._~", "-._~!'()*", "-._~!'()*;/?:@&=+$,#", "*-._ "] {
            let text = percent(value, kept, digits);
            texts.push(text.replace(' ', "+"));
        }
    }
    let mut forms: Vec<Form> = texts.into_iter().map(Form::from).collect();
    for alphabet in [STANDARD, URL_SAFE] {
        forms.extend((0..3).map(|offset| base64(value, alphabet, offset)));
    }
    forms
}

fn json(value: &str) -> String {
    let text = serde_json::to_string(value).unwrap_or_default();
    let inner = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    inner.unwrap_or_default().to_owned()
}

/// Go's encoder also escapes what means something in HTML.
fn in_go(json: &str) -> String {
    json.replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
}

/// Python's encoder escapes all that is not ASCII.
fn in_ascii(json: &str) -> String {
    let mut text = String::new();
    for c in json.chars() {
        if c.is_ascii() {
            text.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = write!(text, "\\u{unit:04x}");
        }
    }
    text
}

const LOWER: &[u8; 16] = b"0123456789abcdef";
const UPPER: &[u8; 16] = b"0123456789ABCDEF";

fn push_hex(text: &mut String, byte: u8, digits: &[u8; 16]) {
    for half in [byte >> 4, byte & 15] {
        text.push(char::from(digits[usize::from(half)]));
    }
}

fn hex(value: &str, digits: &[u8; 16]) -> String {
    let mut text = String::new();
    value
        .bytes()
        .for_each(|byte| push_hex(&mut text, byte, digits));
    text
}

/// As in a URL, with these characters as they are, beside letters and digits.
fn percent(value: &str, kept: &str, digits: &[u8; 16]) -> String {
    let mut text = String::new();
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || kept.as_bytes().contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push('%');
            push_hex(&mut text, byte, digits);
        }
    }
    text
}

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The characters of Base64 (RFC 4648) that hold nothing but the value, where it stands `offset`
/// bytes behind the beginning of three: as in `user:value`, whatever the user's name is.
fn base64(value: &str, alphabet: &[u8; 64], offset: usize) -> Form {
    let bytes = [&[0; 2][..offset], value.as_bytes()].concat();
    let bits = bytes.len() * 8;
    // The first character that begins within the value, and the one behind the last that ends in it.
    let first = (offset * 8).div_ceil(6);
    let end = bits / 6;
    let sextet = |index: usize| {
        let (byte, shift) = (index * 6 / 8, index * 6 % 8);
        let pair = [bytes[byte], bytes.get(byte + 1).copied().unwrap_or(0)];
        let value = u16::from_be_bytes(pair) >> (10 - shift) & 63;
        char::from(alphabet[usize::from(value)])
    };
    Form {
        text: (first..end).map(sextet).collect(),
        before: offset > 0,
        after: bits % 6 != 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_what_others_make_of_it() {
        for (offset, text, before, after) in [
            // aHVudGVyMi1hbmQtbW9yZQ==
            (0, "aHVudGVyMi1hbmQtbW9yZ", false, true),
            // of `x` and the value: eGh1bnRlcjItYW5kLW1vcmU=
            (1, "h1bnRlcjItYW5kLW1vcm", true, true),
            // of `xx` and the value: eHhodW50ZXIyLWFuZC1tb3Jl
            (2, "odW50ZXIyLWFuZC1tb3Jl", true, false),
        ] {
            let form = Form {
                text: text.to_owned(),
                before,
                after,
            };
            assert_eq!(base64("hunter2-and-more", STANDARD, offset), form);
        }
        assert_eq!(
            base64("\u{fbff}>?", STANDARD, 0).text,
            "76+/Pj8"[..6].to_owned()
        );
    }

    #[test]
    fn urls_and_json_are_what_others_make_of_it() {
        let texts: Vec<_> = of("p&ss w/<rd ü")
            .into_iter()
            .map(|form| form.text)
            .collect();
        for form in [
            // Python: urllib.parse.quote(…, safe=""), quote_plus; JavaScript: encodeURI.
            "p%26ss%20w%2F%3Crd%20%C3%BC",
            "p%26ss+w%2F%3Crd+%C3%BC",
            "p&ss%20w/%3Crd%20%C3%BC",
            "p%26ss%20w%2f%3crd%20%c3%bc",
            // Go: json.Marshal; Python: json.dumps; PHP: json_encode.
            "p\\u0026ss w/\\u003crd ü",
            "p&ss w/<rd \\u00fc",
            "p&ss w\\/<rd ü",
            "70267373 772f3c726420c3bc".replace(' ', "20").as_str(),
        ] {
            assert!(
                texts.iter().any(|text| text == form),
                "no {form} in {texts:?}"
            );
        }
    }
}
