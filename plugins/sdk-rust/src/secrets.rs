//! Secrets by name. Needs the grant `secrets`.

use crate::bindings::granted::rengine::plugin::secrets;

/// The value of a secret, such as `WEBHOOK_TOKEN`.
///
/// rengine takes it out of all that it prints. Don't put it where others can read it: an image, a
/// label, a file.
///
/// # Errors
///
/// In words, with the grant that is missing.
pub fn get(name: &str) -> Result<String, String> {
    secrets::get(name)
}
