//! The table of engine/PODMAN.md is what the code goes by. `UPDATE=1` writes it anew.

use std::fmt::Write;
use std::path::Path;

use rengine::deploy::LIMITS;

/// Where the table begins, and where it ends.
const BEGIN: &str = "| what is asked for ";
const END: &str = "\n## ";

fn table() -> String {
    let mut text = String::from(
        "| what is asked for | what Podman does | rengine | in Docker | in Podman |\n\
         | --- | --- | --- | --- | --- |\n",
    );
    for limit in LIMITS {
        let rengine = match limit.refused {
            true => "an error",
            false => "a warning",
        };
        let docker = limit.since.map_or("yes".to_owned(), |(major, minor)| {
            format!("as of API {major}.{minor}")
        });
        let since = limit
            .podman_since
            .map_or("no".to_owned(), |(major, minor)| {
                format!("as of {major}.{minor}")
            });
        let podman = limit.podman.unwrap_or("does it");
        let _ = writeln!(
            text,
            "| `{}` | {podman} | {rengine} | {docker} | {since} |",
            limit.key
        );
    }
    text
}

#[test]
fn podman_md_says_what_the_code_does() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("PODMAN.md");
    let text = std::fs::read_to_string(&path).expect("PODMAN.md");
    let (before, rest) = text.split_once(BEGIN).expect("the table");
    let (told, after) = rest.split_once(END).expect("what follows it");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, format!("{before}{}{END}{after}", table())).expect("written");
        return;
    }
    assert!(
        format!("{BEGIN}{told}") == table(),
        "run this test with UPDATE=1"
    );
}
