//! The tables of engine/COMPOSE.md are what the code goes by. `UPDATE=1` writes them anew.

use std::fmt::Write;
use std::path::Path;

use rengine::compose::{Row, Support, rows, values};

/// Where the tables begin.
const MARK: &str = "## Keys\n";
/// The tables, with what the paths of their keys begin with: a key is in the last that fits.
const TABLES: [(&str, &str); 12] = [
    ("The top of a file", ""),
    ("Services", "services.*."),
    ("Building", "services.*.build."),
    ("Deploying", "services.*.deploy."),
    ("Watching", "services.*.develop."),
    (
        "Commands in a container that runs",
        "services.*.post_start[].",
    ),
    ("The same before it stops", "services.*.pre_stop[]."),
    ("Networks", "networks.*."),
    ("Volumes", "volumes.*."),
    ("Secrets", "secrets.*."),
    ("Configs", "configs.*."),
    ("Models", "models.*."),
];
/// Steps before the start are refused as a whole; they would have all keys of a container.
const STEPS: &str = "services.*.pre_start[].";

fn cell(support: Support) -> String {
    match support {
        Support::Yes => "yes | ".into(),
        Support::Ignored(why) => format!("a warning | {why}"),
        Support::Refused(why) => format!("no | {why}"),
    }
}

fn tables() -> String {
    let rows = rows();
    let step = |row: &&Row| !row.path.starts_with(STEPS) || row.path.ends_with("per_replica");
    let place = |path: &str| {
        TABLES
            .iter()
            .rposition(|(_, start)| path.starts_with(start))
    };
    let mut text = String::new();
    for (index, (title, _)) in TABLES.iter().enumerate() {
        let mut rows: Vec<_> = rows.iter().filter(step).collect();
        rows.retain(|row| place(&row.path) == Some(index));
        rows.sort_by(|a, b| a.path.cmp(&b.path));
        let _ = write!(
            text,
            "\n### {title}\n\n| key | supported | why not |\n| --- | --- | --- |\n"
        );
        for Row { path, support } in rows {
            let _ = writeln!(text, "| `{path}` | {} |", cell(*support).trim_end());
        }
    }
    text += "\n### Values\n\nThese values are refused, though their key is supported.\n\n\
             | key and value | why not |\n| --- | --- |\n";
    for (key, value, why) in values() {
        let _ = writeln!(text, "| `{key}: {value}` | {why} |");
    }
    text
}

#[test]
fn compose_md_says_what_the_code_does() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("COMPOSE.md");
    let text = std::fs::read_to_string(&path).expect("COMPOSE.md");
    let (intro, told) = text.split_once(MARK).expect("the heading");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, format!("{intro}{MARK}{}", tables())).expect("written");
        return;
    }
    assert!(told == tables(), "run this test with UPDATE=1");
}
