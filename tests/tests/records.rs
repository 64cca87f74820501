//! Records of releases that are large, and as many of them as the Compose file says.

use rengine_tests::tidy::done;
use rengine_tests::world::World;
use rengine_tests::{Project, docker};

/// What a record has to hold at least, in bytes.
const LARGE: usize = 1 << 20;

fn release(project: &Project, word: &str) {
    let mut labels = String::new();
    for number in 0..64 {
        let value = word.repeat(LARGE / 64 / word.len() + 1);
        labels += &format!("      large.{number}: {value}\n");
    }
    project.write(
        "compose.yaml",
        &format!(
            "name: {}\nx-rengine: {{ keep: 2 }}\nservices:\n  web:\n    image: rengine/busybox:local\n    \
             command: [\"sleep\", \"1000\"]\n    stop_signal: KILL\n    \
             healthcheck: {{ test: [\"CMD\", \"true\"], interval: 50ms }}\n    labels:\n{labels}",
            project.app
        ),
    );
    done(project.rengine(&["deploy", "-q"]));
}

fn label(project: &Project) -> String {
    let container = project.inspect();
    let value = container["Config"]["Labels"]["large.7"].as_str();
    value.expect("a label").chars().take(4).collect()
}

#[test]
fn a_record_of_a_megabyte_is_kept_shown_and_brought_back() {
    let project = Project::new("records", "", "");
    std::fs::remove_file(project.path().join("plugins.toml")).expect("a file");
    for word in ["one-", "two-", "tri-", "for-"] {
        release(&project, word);
    }
    let records = World::of(&project).volumes;
    assert_eq!(records.len(), 2, "as many as the file says: {records:?}");
    let sizes: Vec<usize> = records
        .iter()
        .map(|name| docker(&["volume", "inspect", name]).len())
        .collect();
    assert!(sizes.iter().all(|size| *size > LARGE), "{sizes:?}");
    let shown = done(project.rengine(&["show", "--json"])).stdout;
    assert!(shown.contains("for-for-"), "{} bytes", shown.len());
    let history = done(project.rengine(&["history", "--json"])).stdout;
    assert_eq!(history.lines().count(), 2);
    assert!(done(project.rengine(&["diff"])).stdout.contains("large.7"));
    done(project.rengine(&["rollback"]));
    assert_eq!(label(&project), "tri-");
    done(project.rengine(&["down", "--history"]));
    assert!(World::of(&project).volumes.is_empty());
}
