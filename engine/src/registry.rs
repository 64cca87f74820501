//! Plugins and bases in OCI registries: where they are, how they come and go, which ones an app runs, and
//! where they are kept on this machine.
//!
//! What is in a registry is an artifact: a manifest that names a component and says what it is
//! (`registry/artifact.rs`). Everything is asked for and kept by its digest, so that neither a
//! registry nor a mirror nor the store can pass one thing off as another.

mod answer;
mod artifact;
mod attestation;
mod base;
mod beside;
mod bounded;
mod client;
mod described;
mod digest;
mod download;
mod envelope;
mod error;
mod key;
mod lock;
mod manifest;
mod metadata;
mod outline;
mod reference;
mod resolve;
mod retry;
mod roots;
mod sign;
mod signatures;
mod store;
mod token;
mod trust;
mod version;
mod wire;

pub use artifact::Artifact;
pub use attestation::{Attested, Unattested, attested};
pub use base::{BaseArtifact, MAX_BASE_BYTES, ResolvedBase};
pub use bounded::bounded;
pub use client::{Registries, RegistrySettings, Transfer};
pub use described::{About, Described, DescribedBase};
pub use digest::Digest;
pub use envelope::Envelope;
pub use error::{Part, RegistryError};
pub use key::{KeyError, PublicKey, Signer, SigningKey, signing_key};
pub use lock::{FILE_NAME as LOCK_FILE, Lock, LockError, Locked, LockedBase};
pub use metadata::{Metadata, MetadataError};
pub use outline::Outline;
pub use reference::{Pick, Reference, ReferenceError, Repository, SCHEME, Source};
pub use resolve::{Mode, Resolution, Resolved, Resolver, VENDOR_FOLDER};
pub use sign::{Signature, Untrusted, verify};
pub use store::{Kept, Store, StoreError};
pub use trust::Trust;
pub use version::version;

/// The largest component that is taken, in bytes. Python with libraries has 20 MB.
pub const MAX_COMPONENT_BYTES: u64 = 256 << 20;
