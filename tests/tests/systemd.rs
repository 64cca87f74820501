//! `rengine watch` as a service of systemd, by the unit in `engine/WATCH.md`.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use rengine_tests::{Project, plugin, rengine};

/// Starts the unit, has its app fail, has the watch itself fail, and ends it.
const SCRIPT: &str = r#"
unit=rengine-watch@shop
id deploy >/dev/null 2>&1 || useradd --create-home deploy
# The socket is this machine's, and is left as it is: the group becomes that which may use it.
getent group docker >/dev/null || groupadd docker
groupmod --non-unique --gid "$(stat -c %g /run/docker.sock)" docker
chown -R deploy /srv/shop

# How often the journal has a text.
count() { journalctl --unit "$unit" --output cat --no-pager | grep -c -- "$1" || true; }
waits() {
  tries=0
  while [ "$(count "$1")" -lt "$2" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 600 ] || { echo "never: $1"; journalctl --unit "$unit" --no-pager; exit 1; }
    sleep 0.2
  done
  echo "seen: $1"
}
property() { systemctl show --property "$1" --value "$unit"; }

systemd-analyze verify "$unit.service"
systemctl start "$unit"
waits 'watching release' 1
echo "user: $(ps -o user= -p "$(property MainPID)")"
docker kill "$CONTAINER" >/dev/null
waits 'healthy again' 1
systemctl kill --signal KILL "$unit"
waits 'watching release' 2
echo "restarts: $(property NRestarts)"
systemctl stop "$unit"
waits 'stopped watching; the app runs on' 1
echo "result: $(property Result)"
"#;

#[test]
fn the_unit_keeps_an_app_well_and_is_kept_by_systemd() {
    let project = Project::new("service", "hello", "");
    let check = plugin("http_check.wasm");
    std::fs::copy(&check, project.path().join("check.wasm")).expect("the plugin");
    project.configure("stop-timeout = \"1s\"\n[plugins.check]\npath = \"check.wasm\"\n");
    let deployed = project.rengine(&["deploy"]);
    assert_eq!(deployed.code, 0, "{deployed:#?}");
    let containers = project.containers();
    let [container] = containers.as_slice() else {
        panic!("{containers:?}")
    };

    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(here.join("../engine/WATCH.md")).expect("the page");
    let (_, unit) = page.split_once("```ini\n").expect("a unit");
    let (unit, _) = unit.split_once("```").expect("its end");

    let trial = tempfile::tempdir().expect("a folder");
    let root = trial.path().join("files");
    let write = |name: &str, text: &str| {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().expect("its folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    };
    write("etc/systemd/system/rengine-watch@.service", unit);
    std::fs::create_dir_all(root.join("usr/local/bin")).expect("a folder");
    std::fs::copy(rengine(), root.join("usr/local/bin/rengine")).expect("rengine");
    for name in ["plugins.toml", "Dockerfile", "index.html"] {
        let text = std::fs::read_to_string(project.path().join(name)).expect("a file");
        write(&format!("srv/shop/{name}"), &text);
    }
    std::fs::copy(&check, root.join("srv/shop/check.wasm")).expect("the plugin");
    for folder in ["", "srv", "srv/shop", "etc", "usr", "usr/local"] {
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(root.join(folder), open).expect("permissions");
    }
    let script = format!("CONTAINER={container}\n{SCRIPT}");
    std::fs::write(trial.path().join("script"), script).expect("a file");

    let output = Command::new(here.join("systemd"))
        .arg(trial.path())
        .output()
        .expect("tests/systemd runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{output:?}");
    let expected = [
        "seen: watching release",
        "user: deploy",
        "seen: healthy again",
        "seen: watching release",
        "restarts: 1",
        "seen: stopped watching; the app runs on",
        "result: success",
    ];
    assert_eq!(said.lines().collect::<Vec<_>>(), expected, "{output:?}");
    assert_eq!(project.containers(), containers, "the same container");
    let answer = project.get().expect("an answer");
    assert!(answer.ends_with("hello"), "{answer}");
}
