//! A download into the store: it goes on where one before was broken off, and what is in its place is what
//! was asked for.

use std::time::{Duration, Instant};

use tokio::io::{AsyncSeekExt, AsyncWriteExt};

use super::client::Report;
use super::error::Failure;
use super::store::Filling;
use super::wire::Host;
use super::{Digest, StoreError, Transfer};

/// Time between two words on how far a download is.
const TELL: Duration = Duration::from_millis(200);

/// What is downloaded.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    /// For people.
    pub what: &'a str,
    /// The repository's path.
    pub path: &'a str,
    /// Its digest.
    pub digest: &'a Digest,
    /// Its size in bytes.
    pub size: u64,
}

/// Downloads, and puts it in its place if it is what was asked for. What was there before may be
/// wrong: then it begins anew, once. What the registry does wrong is an error of the outer kind, what
/// the disk does of the inner: no other registry mends that.
pub(super) async fn fill(
    host: &Host,
    target: Target<'_>,
    filling: &mut Filling,
    report: &Report,
) -> Result<Result<(), StoreError>, Failure> {
    let mut resumed = match filling.len().await {
        Ok(have) => have > 0,
        Err(error) => return Ok(Err(error)),
    };
    loop {
        if let Err(error) = download(host, target, filling, report).await? {
            return Ok(Err(error));
        }
        let actual = match filling.finish(target.digest, target.size).await {
            Ok(Ok(())) => return Ok(Ok(())),
            Ok(Err(actual)) => actual,
            Err(error) => return Ok(Err(error)),
        };
        if let Err(error) = filling.clear().await {
            return Ok(Err(error));
        }
        if !resumed {
            return Err(Failure::Digest {
                expected: target.digest.to_string(),
                actual,
            });
        }
        resumed = false;
    }
}

/// Goes on from what is in the file.
async fn download(
    host: &Host,
    target: Target<'_>,
    filling: &mut Filling,
    report: &Report,
) -> Result<Result<(), StoreError>, Failure> {
    let mut have = match filling.len().await {
        Ok(have) => have,
        Err(error) => return Ok(Err(error)),
    };
    if have > target.size {
        if let Err(error) = filling.clear().await {
            return Ok(Err(error));
        }
        have = 0;
    }
    if have == target.size {
        return Ok(Ok(()));
    }
    let mut blob = host.blob(target.path, target.digest, have).await?;
    if blob.from != have {
        if let Err(error) = filling.clear().await {
            return Ok(Err(error));
        }
        have = blob.from;
    }
    let mut told = Instant::now();
    if let Err(error) = filling.file().seek(std::io::SeekFrom::End(0)).await {
        return Ok(Err(filling.error(&error)));
    }
    loop {
        let chunk = match blob.next().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => break,
            Err(failure) => {
                // What came until now is gone on with.
                if let Err(error) = filling.file().flush().await {
                    return Ok(Err(filling.error(&error)));
                }
                return Err(failure);
            }
        };
        have += chunk.len() as u64;
        if have > target.size {
            // More than was announced: the digest will not fit, and the disk is not for filling.
            break;
        }
        if let Err(error) = filling.file().write_all(&chunk).await {
            return Ok(Err(full(filling, &error).await));
        }
        if told.elapsed() >= TELL || have >= target.size {
            told = Instant::now();
            report(Transfer {
                what: target.what.to_owned(),
                done: have,
                total: target.size,
            });
        }
    }
    if let Err(error) = filling.file().flush().await {
        return Ok(Err(full(filling, &error).await));
    }
    if have < target.size {
        let text = format!("{have} of {} bytes came", target.size);
        return Err(Failure::Unreachable(text));
    }
    Ok(Ok(()))
}

/// The error, once what was written is gone: it may be that which filled the disk.
async fn full(filling: &mut Filling, error: &std::io::Error) -> StoreError {
    let told = filling.error(error);
    let _ = filling.clear().await;
    told
}
