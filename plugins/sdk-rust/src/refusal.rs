//! Saying no, in a way that helps.

use crate::{ChangeError, Refusal};

/// What a hook returns.
pub type Result<T = ()> = core::result::Result<T, Refusal>;

impl Refusal {
    /// A refusal with its reason: one sentence for the person who deploys.
    pub fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            hint: None,
        }
    }

    /// Adds what that person can do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<ChangeError> for Refusal {
    /// So that `?` works on setters. A change that is not granted already names the grant.
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Denied(what) | ChangeError::Invalid(what) => Self::new(what),
        }
    }
}

impl From<String> for Refusal {
    /// So that `?` works on the methods of a running container, whose errors are in words.
    fn from(reason: String) -> Self {
        Self::new(reason)
    }
}

/// Returns a [`Refusal`] from the hook: `refuse!("reason {x}"; hint = "what to do")`.
///
/// Reason and hint are formatted as by [`format!`]; the hint may be left out.
///
/// ```
/// # use rengine_plugin::{Result, refuse};
/// fn tag_of(image: &str) -> Result<&str> {
///     match image.rsplit_once(':') {
///         Some((_, tag)) => Ok(tag),
///         None => refuse!("`{image}` has no tag"; hint = "write {image}:1.2.3"),
///     }
/// }
/// assert_eq!(tag_of("shop").unwrap_err().hint.as_deref(), Some("write shop:1.2.3"));
/// ```
#[macro_export]
macro_rules! refuse {
    ($reason:literal $(, $arg:expr)* ; hint = $hint:literal $(, $hint_arg:expr)* $(,)?) => {
        return ::core::result::Result::Err(
            $crate::Refusal::new(::std::format!($reason $(, $arg)*))
                .with_hint(::std::format!($hint $(, $hint_arg)*)),
        )
    };
    ($reason:literal $(, $arg:expr)* $(,)?) => {
        return ::core::result::Result::Err(
            $crate::Refusal::new(::std::format!($reason $(, $arg)*)),
        )
    };
}

/// Refuses unless a condition holds: `ensure!(condition, "reason"; hint = "what to do")`.
///
/// ```
/// # use rengine_plugin::{Result, ensure};
/// fn check(replicas: u32) -> Result {
///     ensure!(replicas > 1, "{replicas} is too few"; hint = "ask for 2 at least");
///     Ok(())
/// }
/// assert!(check(1).is_err());
/// ```
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $($refusal:tt)+) => {
        if !$condition {
            $crate::refuse!($($refusal)+);
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setters_errors_become_the_reason() {
        fn hook(error: ChangeError) -> Result {
            Err(error)?
        }
        for error in [ChangeError::Denied, ChangeError::Invalid] {
            assert_eq!(
                hook(error("why".to_owned())),
                Err(Refusal {
                    reason: "why".to_owned(),
                    hint: None
                })
            );
        }
    }

    #[test]
    fn macros_format_reason_and_hint() {
        fn hook(port: u16) -> Result {
            ensure!(port != 0, "no port");
            ensure!(port > 1023, "port {} is low", port; hint = "add {}", 1024);
            refuse!("port {port} is taken");
        }
        assert_eq!(hook(0), Err(Refusal::new("no port")));
        assert_eq!(
            hook(80),
            Err(Refusal::new("port 80 is low").with_hint("add 1024"))
        );
        assert_eq!(hook(8080), Err(Refusal::new("port 8080 is taken")));
    }
}
