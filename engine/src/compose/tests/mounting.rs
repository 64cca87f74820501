//! What is mounted into a container, and put into it.

use serde_json::json;

use super::converting::{app, converted, web};
use super::{Folder, told};

#[test]
fn devices_are_asked_for_by_what_they_are_called() {
    let service = web(
        "devices: ['/dev/fuse', 'nvidia.com/gpu=all', 'nvidia.com/gpu=0:1']\n\
         gpus: [{driver: nvidia, count: 2}, {capabilities: [gpu, compute]}]\n\
         deploy: {resources: {reservations: {devices: [{capabilities: [tpu]}]}}}",
    );
    let container = &service["container"];
    assert_eq!(container["devices"].as_array().map(Vec::len), Some(1));
    let requests = container["device-requests"].as_array().expect("a list");
    let capabilities: Vec<_> = requests.iter().map(|one| &one["capabilities"]).collect();
    let wanted = [
        json!(["gpu"]),
        json!(["gpu", "compute"]),
        json!(["tpu"]),
        json!([]),
    ];
    assert_eq!(capabilities, wanted.iter().collect::<Vec<_>>());
    assert_eq!(requests[3]["driver"], "cdi");
    let ids = json!(["nvidia.com/gpu=all", "nvidia.com/gpu=0:1"]);
    assert_eq!(requests[3]["ids"], ids);
}

#[test]
fn mounts_of_the_long_form() {
    let text = "services:\n  web:\n    image: i\n    volumes:\n    \
         - {type: tmpfs, target: /t/, read_only: true, tmpfs: {size: 1m}}\n    \
         - {type: bind, source: ./a, target: /a}\n    \
         - {type: bind, source: ./b, target: /b, bind: {create_host_path: false}}\n    \
         - {type: bind, source: ./c, target: /c, bind: {recursive: disabled}}\n";
    let folder = Folder::new(&[("compose.yaml", text)]);
    let app = app(&folder).expect("an app");
    let container = &app.services["web"].container;
    assert_eq!(container.tmpfs["/t"], "size=1048576,ro");
    let made = container.mounts.iter();
    let made: Vec<_> = made.map(|mount| mount.options.create_host_path).collect();
    assert_eq!(made, [true, false, false]);
    // It stays so where the project is written and read again.
    let written = folder.load().expect("a project").to_yaml();
    let again = converted(&[("compose.yaml", &written)]);
    assert_eq!(again.services["web"].container.mounts, container.mounts);
}

/// Where a config's target is `target` and a secret has its own, beside these lines.
fn beside(target: &str, lines: &str) -> Result<Vec<String>, String> {
    let text = format!(
        "services:\n  web: {{image: i, configs: [{{source: c, target: {target}}}], secrets: [s], {lines}}}\n\
         configs: {{c: {{content: x}}}}\nsecrets: {{s: {{environment: SET}}}}\nvolumes: {{v: }}\n"
    );
    let app = app(&Folder::new(&[("compose.yaml", &text)]));
    app.map(|app| {
        app.services["web"]
            .container
            .files
            .keys()
            .cloned()
            .collect()
    })
    .map_err(|error| told(&error))
}

#[test]
fn files_go_where_they_are_seen_and_nowhere_else() {
    let cases = [
        ("/etc/c", "tty: true", ""),
        ("/etc/c", "read_only: true", ""),
        ("/run/x/c", "tmpfs: /run", ""),
        ("/c", "tty: true", ""),
        ("/data/c", "volumes: [/data]", ""),
        ("/c", "read_only: true", "/c at the top of a root"),
        ("/run/c", "tmpfs: /run/", "/run/c in /run, which is memory"),
        ("/data/c", "volumes: ['v:/data']", "/data/c below /data"),
        (
            "/data/x/c",
            "volumes: ['./d:/data:ro']",
            "/data/x/c below /data",
        ),
        (
            "/run/a/c",
            "tmpfs: /run, volumes: ['v:/run/a']",
            "/run/a/c below /run/a",
        ),
    ];
    for (target, lines, wrong) in cases {
        match (beside(target, lines), wrong) {
            (Ok(paths), "") => {
                let both = paths.len() == 2 && paths.iter().any(|path| path == target);
                assert!(both, "{lines}: {paths:?}");
            }
            (Err(error), wrong) if !wrong.is_empty() => {
                let place = error.starts_with("compose.yaml:2:29: service `web` has ");
                assert!(place && error.contains(wrong), "{lines}: {error}");
            }
            (other, _) => panic!("{target} {lines}: {other:?}"),
        }
    }
}
