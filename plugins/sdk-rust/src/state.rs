//! Values that are kept between deploys, for this plugin and app. Needs the grant `state`.
//!
//! What a hook writes is kept if it returns `Ok`, and the deploy goes on to its end; `rengine plan`
//! keeps nothing. Keys and values may have 64 KiB together.
//!
//! ```no_run
//! # use rengine_plugin::{Result, state};
//! # fn hook() -> Result {
//! let deploys: u64 = state::get_text("deploys")?.map_or(0, |text| text.parse().unwrap_or(0));
//! state::set("deploys", (deploys + 1).to_string())?;
//! # Ok(())
//! # }
//! ```

use crate::bindings::granted::wasi::keyvalue::store::{self, Bucket};

pub use crate::error::Error;

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        Self(match error {
            store::Error::NoSuchStore => "there is no such store".to_owned(),
            store::Error::AccessDenied => "keeping state is not granted".to_owned(),
            store::Error::Other(why) => why,
        })
    }
}

fn bucket() -> Result<Bucket, Error> {
    Ok(store::open("default")?)
}

/// The value of a key, if it has one.
///
/// # Errors
///
/// If the state can't be read.
pub fn get(key: &str) -> Result<Option<Vec<u8>>, Error> {
    Ok(bucket()?.get(key)?)
}

/// The value of a key, if it has one that is text.
///
/// # Errors
///
/// If the state can't be read.
pub fn get_text(key: &str) -> Result<Option<String>, Error> {
    Ok(get(key)?.and_then(|bytes| String::from_utf8(bytes).ok()))
}

/// Sets the value of a key.
///
/// # Errors
///
/// If keys and values have too many bytes, or the value holds a secret.
pub fn set(key: &str, value: impl AsRef<[u8]>) -> Result<(), Error> {
    Ok(bucket()?.set(key, value.as_ref())?)
}

/// Removes a key, if it is there.
///
/// # Errors
///
/// If the state can't be read.
pub fn remove(key: &str) -> Result<(), Error> {
    Ok(bucket()?.delete(key)?)
}

/// Every key, in order.
///
/// # Errors
///
/// If the state can't be read.
pub fn keys() -> Result<Vec<String>, Error> {
    Ok(bucket()?.list_keys(None)?.keys)
}
