//! What a plugin may do beyond its sandbox: nothing, until plugins.toml can say otherwise.

use thiserror::Error;

/// The grants of one plugin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {}

/// A grant that is missing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{what} is not granted")]
pub struct Denied {
    /// What was asked for.
    pub what: String,
    /// What to add to plugins.toml.
    pub line_to_add: String,
}

macro_rules! denied {
    ($($question:ident ( $($name:ident : $type:ty),* ) $what:literal $line:literal;)*) => {$(
        #[doc = concat!("May it use ", $what, "?")]
        pub fn $question(&self $(, $name: $type)*) -> Result<(), Denied> {
            Err(Denied { what: format!($what), line_to_add: $line.to_owned() })
        }
    )*};
}

impl Grants {
    denied! {
        allows_bind(_path: &str, _read_only: bool) "a bind mount" "bind-mounts = []";
        allows_cap(_name: &str) "a capability" "cap-add = []";
        allows_device(_path: &str) "a device" "devices = []";
        allows_namespace(_kind: &str) "a host namespace" "host-namespaces = []";
        allows_privileged() "privileged mode" "privileged = true";
        allows_security_option(_option: &str) "a security option" "security-options = true";
        reads_context() "the build context" "context = \"read\"";
    }
}
