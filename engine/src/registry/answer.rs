//! What a registry's answer means that is not the one that was wanted.

use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde::Deserialize;

use super::error::Failure;

/// How much of a registry's words is told, in characters.
const MAX_WORDS: usize = 200;

/// How long a registry wants to be left alone: RFC 9110, 10.2.3.
pub(super) fn retry_after(headers: &HeaderMap, now: jiff::Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Some(Duration::try_from(at.duration_since(now)).unwrap_or_default())
}

impl Failure {
    /// What an answer means, by its status and what it says: the specification, "Error Codes".
    pub fn of_answer(status: u16, body: &[u8], wait: Option<Duration>) -> Self {
        #[derive(Default, Deserialize)]
        struct Answer {
            errors: Vec<Told>,
        }
        #[derive(Deserialize)]
        struct Told {
            #[serde(default)]
            code: String,
            #[serde(default)]
            message: String,
        }
        let answer = serde_json::from_slice::<Answer>(body).unwrap_or_default();
        let has = |codes: &[&str]| {
            let mut told = answer.errors.iter();
            told.any(|error| codes.contains(&error.code.as_str()))
        };
        let words: Vec<_> = answer
            .errors
            .iter()
            .map(|error| format!("{} {}", error.code, error.message))
            .collect();
        let words = match words.is_empty() {
            false => words.join("; "),
            true => {
                let text = String::from_utf8_lossy(body);
                text.lines().next().unwrap_or_default().to_owned()
            }
        };
        let words: String = words.chars().take(MAX_WORDS).collect();
        let reason = format!("it answered {status} {words}")
            .trim_end()
            .to_owned();
        match status {
            _ if has(&["TOOMANYREQUESTS"]) => Self::Passing { reason, wait },
            408 | 425 | 429 | 500..=599 => Self::Passing { reason, wait },
            401 | 403 => Self::Denied,
            _ if has(&["UNAUTHORIZED", "DENIED"]) => Self::Denied,
            404 => Self::NotFound,
            _ if has(&[
                "MANIFEST_UNKNOWN",
                "NAME_UNKNOWN",
                "BLOB_UNKNOWN",
                "NOT_FOUND",
            ]) =>
            {
                Self::NotFound
            }
            _ => Self::Other(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_what_failed() {
        let told = |code: &str| format!(r#"{{"errors": [{{"code": "{code}", "message": "no"}}]}}"#);
        let of = |status: u16, body: &str| Failure::of_answer(status, body.as_bytes(), None);
        assert_eq!(of(404, &told("MANIFEST_UNKNOWN")), Failure::NotFound);
        assert_eq!(of(400, &told("NAME_UNKNOWN")), Failure::NotFound);
        assert_eq!(of(404, &told("DENIED")), Failure::Denied);
        assert_eq!(of(403, "<html>"), Failure::Denied);
        let passing = |reason: &str| Failure::Passing {
            reason: reason.to_owned(),
            wait: None,
        };
        assert_eq!(
            of(503, "busy\nmore"),
            passing("it answered 503 busy"),
            "one line"
        );
        assert_eq!(
            of(400, &told("TOOMANYREQUESTS")),
            passing("it answered 400 TOOMANYREQUESTS no")
        );
        let long = of(418, &"x".repeat(5000));
        assert!(
            matches!(&long, Failure::Other(text) if text.len() < 300),
            "{long:?}"
        );
    }

    #[test]
    fn how_long_to_wait_is_a_number_or_a_time() {
        let now = "2026-01-02T03:04:05Z".parse().expect("a time");
        let of = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().expect("a header"));
            retry_after(&headers, now)
        };
        assert_eq!(of("7"), Some(Duration::from_secs(7)));
        let date = "Fri, 02 Jan 2026 03:05:05 GMT";
        assert_eq!(of(date), Some(Duration::from_secs(60)));
        let past = "Fri, 02 Jan 2026 03:00:00 GMT";
        assert_eq!(of(past), Some(Duration::ZERO));
        assert_eq!(of("soon"), None);
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
