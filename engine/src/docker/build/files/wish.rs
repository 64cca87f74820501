//! Which files the daemon wants to be told of.

use tonic::Status;
use tonic::metadata::{AsciiMetadataValue, MetadataMap};

use crate::context::Part;

/// What the frontend calls the folder that it copies from, and the one with the Dockerfile.
const CONTEXT: &str = "context";
const DOCKERFILE: &str = "dockerfile";

/// What the daemon wants to be told of.
#[derive(Debug, PartialEq, Eq)]
pub struct Wish {
    pub part: Part,
    /// Nothing is everything.
    pub paths: Vec<String>,
}

impl Wish {
    /// As the request's metadata have it.
    ///
    /// What to leave out, `exclude-patterns`, is not asked: that is what the frontend read in the ignore
    /// file, which holds already. It would leave out files which a plugin made, too.
    pub fn of(metadata: &MetadataMap) -> Result<Self, Status> {
        let name = values(metadata, "dir-name")?.into_iter().next();
        let part = match name.as_deref() {
            Some(CONTEXT) => Part::Context,
            Some(DOCKERFILE) => Part::Dockerfile,
            name => {
                let name = name.unwrap_or_default();
                let error = format!("the build has no folder with the name `{name}`");
                return Err(Status::not_found(error));
            }
        };
        let mut paths = values(metadata, "followpaths")?;
        paths.extend(values(metadata, "include-patterns")?);
        Ok(Self { part, paths })
    }
}

/// The values of a key. Newer daemons escape what is not ASCII, and say so.
fn values(metadata: &MetadataMap, key: &str) -> Result<Vec<String>, Status> {
    let escaped = metadata
        .get(format!("{key}-encoded"))
        .is_some_and(|value| value == "1");
    let text = |value: &AsciiMetadataValue| {
        let bytes = value.as_bytes().to_vec();
        let bytes = if escaped { unescape(&bytes) } else { bytes };
        let invalid = |_| Status::invalid_argument(format!("`{key}` is not UTF-8"));
        String::from_utf8(bytes).map_err(invalid)
    };
    metadata.get_all(key).iter().map(text).collect()
}

/// As the query of a URL has it.
fn unescape(text: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    loop {
        rest = match *rest {
            [b'%', high, low, ref rest @ ..] if digit(high).is_some() && digit(low).is_some() => {
                let value = digit(high).unwrap_or(0) * 16 + digit(low).unwrap_or(0);
                bytes.push(u8::try_from(value).unwrap_or(b'?'));
                rest
            }
            [b'+', ref rest @ ..] => {
                bytes.push(b' ');
                rest
            }
            [byte, ref rest @ ..] => {
                bytes.push(byte);
                rest
            }
            [] => return bytes,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(pairs: &[(&'static str, &[u8])]) -> Result<Wish, String> {
        let mut metadata = MetadataMap::new();
        for (key, value) in pairs {
            metadata.append(*key, value.to_vec().try_into().expect("a value"));
        }
        Wish::of(&metadata).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn what_the_daemon_wants_is_read() {
        let dockerfile = wish(&[
            ("dir-name", b"dockerfile"),
            ("followpaths", b"a"),
            ("include-patterns", b"b"),
        ]);
        let paths = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(
            dockerfile,
            Ok(Wish {
                part: Part::Dockerfile,
                paths
            })
        );
        let all = wish(&[("dir-name", b"context"), ("exclude-patterns", b"x")]);
        assert_eq!(
            all,
            Ok(Wish {
                part: Part::Context,
                paths: Vec::new()
            })
        );
        let other = wish(&[("dir-name", b"etc")]).expect_err("no such folder");
        assert_eq!(other, "the build has no folder with the name `etc`");
    }

    #[test]
    fn names_that_are_not_ascii_come_as_they_are_or_escaped() {
        let paths = |pairs: &[(&'static str, &[u8])]| wish(pairs).map(|wish| wish.paths);
        let expected = Ok(vec!["é +%zz".to_owned()]);
        let plain = paths(&[
            ("dir-name", b"context"),
            ("followpaths", "é +%zz".as_bytes()),
        ]);
        assert_eq!(plain, expected);
        let escaped = paths(&[
            ("dir-name", b"context"),
            ("followpaths", b"%C3%A9+%2B%zz"),
            ("followpaths-encoded", b"1"),
        ]);
        assert_eq!(escaped, expected);
        assert!(paths(&[("dir-name", b"context"), ("followpaths", b"\xff")]).is_err());
    }
}
