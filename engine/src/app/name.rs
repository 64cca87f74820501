//! The names of apps and services.

use std::fmt;

use serde::Serialize;

/// The name of an app or a service, 1 to 63 characters: DNS's limit, since it is a host name, too.
///
/// A service's has ASCII letters, digits, `.`, `-` and `_`; an app's is in lower case, has no `.`
/// and starts with a letter or digit, so that it can begin the name of an image and of a
/// container. Both rules are the Compose Specification's.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Name(String);

/// Why a text is no [`Name`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseNameError {
    /// It has no characters.
    #[error("a name needs at least one character")]
    Empty,
    /// It has more than 63 characters.
    #[error("a name has at most 63 characters")]
    TooLong,
    /// An app's starts with something else than a letter or digit.
    #[error("a name starts with a lower-case letter or a digit")]
    Start,
    /// An app's has a character that is not allowed.
    #[error("`{0}` can't be in a name: use lower-case letters, digits, `-` and `_`")]
    Character(char),
    /// A service's has a character that is not allowed.
    #[error("`{0}` can't be in a service's name: use letters, digits, `.`, `-` and `_`")]
    ServiceCharacter(char),
}

impl Name {
    /// The most characters that a name has.
    const MAX_LENGTH: usize = 63;

    /// Parses the name of a service.
    pub fn parse(text: &str) -> Result<Self, ParseNameError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        match text.chars().find(|&c| !allowed(c)) {
            Some(bad) => Err(ParseNameError::ServiceCharacter(bad)),
            None => Self::sized(text),
        }
    }

    /// Parses the name of an app.
    pub fn parse_app(text: &str) -> Result<Self, ParseNameError> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        if let Some(bad) = text.chars().find(|&c| !allowed(c) && c != '-' && c != '_') {
            return Err(ParseNameError::Character(bad));
        }
        if text.chars().next().is_some_and(|first| !allowed(first)) {
            return Err(ParseNameError::Start);
        }
        Self::sized(text)
    }

    fn sized(text: &str) -> Result<Self, ParseNameError> {
        match text.len() {
            0 => Err(ParseNameError::Empty),
            length if length > Self::MAX_LENGTH => Err(ParseNameError::TooLong),
            _ => Ok(Self(text.to_owned())),
        }
    }

    /// Makes the name of an app that is closest to `text`, such as a folder's name; `None` where
    /// no character of it can be kept.
    pub fn from_lossy(text: &str) -> Option<Self> {
        let mut name = String::new();
        for c in text.to_lowercase().chars() {
            match c {
                'a'..='z' | '0'..='9' => name.push(c),
                _ if name.is_empty() || name.ends_with('-') => {}
                '_' => name.push('_'),
                _ => name.push('-'),
            }
        }
        name.truncate(Self::MAX_LENGTH);
        let name = name.trim_end_matches(['-', '_']);
        (!name.is_empty()).then(|| Self(name.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_compose_has() {
        for good in ["web", "Web.One", "_a-", ".", "7", &"a".repeat(63)] {
            assert!(Name::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "a/b", "ä", "a:b", &"a".repeat(64)] {
            assert!(Name::parse(bad).is_err(), "{bad}");
        }
        for good in ["web", "7-a_b", &"a".repeat(63)] {
            assert!(Name::parse_app(good).is_ok(), "{good}");
        }
        for bad in ["", "Web", "a.b", "-a", "_a", &"a".repeat(64)] {
            assert!(Name::parse_app(bad).is_err(), "{bad}");
        }
    }
}
