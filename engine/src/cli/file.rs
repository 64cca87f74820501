//! Files that commands write.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Writes a file that others see as it was or as it will be. A link to one stays, and the file that it leads to is
/// another then; what is no file, such as a pipe, is written to.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        return fs::write(path, bytes);
    }
    place(
        &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()),
        bytes,
    )
}

/// The same in the place of whatever is there: nothing is written through a link.
pub fn place(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mut file = tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(bytes)?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_written_through_where_that_is_meant() {
        let folder = tempfile::tempdir().expect("a folder");
        let [file, link, dangling] =
            ["file", "link", "dangling"].map(|name| folder.path().join(name));
        replace(&file, b"one").expect("written");
        std::os::unix::fs::symlink(&file, &link).expect("made");
        replace(&link, b"two").expect("written");
        assert_eq!(fs::read(&file).expect("readable"), b"two");
        place(&link, b"three").expect("written");
        assert_eq!(fs::read(&file).expect("readable"), b"two");
        assert_eq!(fs::read(&link).expect("readable"), b"three");
        std::os::unix::fs::symlink("none", &dangling).expect("made");
        replace(&dangling, b"four").expect("written");
        assert_eq!(fs::read(&dangling).expect("readable"), b"four");
        replace(Path::new("/dev/null"), b"five").expect("written");
        let facts = fs::symlink_metadata("/dev/null").expect("there");
        assert!(!facts.is_file());
        let left = fs::read_dir(folder.path()).expect("a folder").count();
        assert_eq!(left, 3, "nothing is left beside them");
    }
}
