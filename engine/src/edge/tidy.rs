//! What is left in an edge's folder by those before: certificates and keys that are not in use any
//! more, and programs that it was upgraded from.
//!
//! Only what rengine put there has such names; a folder may hold other files. One that can't be
//! removed is no reason to fail, and goes the next time.

use std::collections::BTreeSet;
use std::path::Path;

use super::Routes;

/// How a program begins that an edge is upgraded to; its digest follows.
pub const PROGRAM_PREFIX: &str = "rengine-edge-";
/// Digits of the digest that is the name of a certificate and its key.
pub const CERTIFICATE_DIGITS: usize = 32;

/// Removes certificates and keys that these routes do not name.
pub fn certificates(folder: &Path, routes: &Routes) {
    let certificates = routes.listeners.iter().flat_map(|one| &one.certificates);
    let named: BTreeSet<&Path> = certificates
        .flat_map(|one| [one.certificate.as_path(), one.key.as_path()])
        .collect();
    remove(folder, |name| {
        let digits = ["pem", "key"]
            .iter()
            .find_map(|kind| name.strip_suffix(kind)?.strip_suffix('.'));
        let own = digits.is_some_and(|digits| is_hex(digits, CERTIFICATE_DIGITS));
        own && !named.contains(folder.join(name).as_path())
    });
}

/// Removes programs that none of these words is. One that still runs is not harmed by it.
pub fn programs(folder: &Path, words: &[String]) {
    remove(folder, |name| {
        let digits = name.strip_prefix(PROGRAM_PREFIX);
        let own = digits.is_some_and(|digits| is_hex(digits, digits.len()));
        own && words
            .iter()
            .all(|word| Path::new(word) != folder.join(name))
    });
}

fn is_hex(text: &str, length: usize) -> bool {
    !text.is_empty() && text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn remove(folder: &Path, is_left: impl Fn(&str) -> bool) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if file && entry.file_name().to_str().is_some_and(&is_left) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(folder: &Path) -> BTreeSet<String> {
        let entries = std::fs::read_dir(folder).expect("a folder").flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.collect()
    }

    #[test]
    fn what_is_in_use_and_what_is_somebody_elses_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path();
        let (old, new) = ("0".repeat(32), "a".repeat(32));
        let files = [
            format!("{old}.pem"),
            format!("{old}.key"),
            format!("{new}.pem"),
            format!("{new}.key"),
            "shop.key".to_owned(),
            "routes.json".to_owned(),
            "rengine-edge-0123".to_owned(),
            "rengine-edge-4567".to_owned(),
            "rengine-edge-notes".to_owned(),
        ];
        for file in &files {
            std::fs::write(folder.join(file), "").expect("a file");
        }
        let path = |name: &str| folder.join(name).display().to_string();
        let routes = serde_json::json!({
            "listeners": [{ "port": 1, "mode": "http", "service": "web", "certificates": [{
                "certificate": path(&files[2]), "key": path(&files[3]),
            }] }],
            "services": { "web": { "targets": [] } },
        });
        let routes = Routes::parse(routes.to_string().as_bytes()).expect("routes");
        certificates(folder, &routes);
        programs(folder, &[path("rengine-edge-4567")]);
        let gone = [&files[0], &files[1], &files[6]];
        let stay: BTreeSet<_> = files.iter().filter(|file| !gone.contains(file)).collect();
        assert_eq!(left(folder).iter().collect::<BTreeSet<_>>(), stay);
    }
}
