//! examples/go-web, deployed as it is and through plugins. Its base image is made by `./dev`.

use std::path::Path;

use rengine_tests::{Project, docker, plugin};

/// The size of the app's image in bytes.
fn size(project: &Project) -> u64 {
    let image = format!("{}-web", project.app);
    let size = docker(&["image", "inspect", "--format", "{{.Size}}", &image]);
    size.trim().parse().expect("a size")
}

#[test]
fn the_same_server_as_it_is_and_through_plugins() {
    assert!(
        !docker(&["image", "ls", "-q", "golang"]).is_empty(),
        "there is no image `golang`: run ./dev test, which makes one"
    );
    let project = Project::new("go-web", "", "");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/go-web");
    for file in ["Dockerfile", "go.mod", "main.go"] {
        let text = std::fs::read_to_string(example.join(file)).expect("the example");
        project.write(file, &text);
    }
    let plain = project.rengine(&["deploy"]);
    assert_eq!(plain.code, 0, "{plain:?}");
    let answer = project.get().expect("an answer");
    assert!(answer.contains("hello from Go, run by user 0"), "{answer}");
    let plain = size(&project);

    // The example's own plugins, on this test's port and from where they were built.
    let text = std::fs::read_to_string(example.join("plugins.static.toml")).expect("the example");
    let (_, plugins) = text.split_once("\n# Replaces").expect("the plugins");
    let folder = plugin("harden.wasm");
    let folder = folder.parent().expect("its folder").display().to_string();
    let plugins = plugins.replace("../../target/wasm32-wasip2/plugin", &folder);
    project.configure(&format!("health = {{ http = \"/\" }}\n# Replaces{plugins}"));
    let deployed = project.rengine(&["deploy"]);
    assert_eq!(deployed.code, 0, "{deployed:?}");
    let answer = project.get().expect("an answer");
    assert!(
        answer.contains("hello from Go, run by user 65532"),
        "{answer}"
    );
    let small = size(&project);
    println!("as it is {plain} bytes, through go-static {small} bytes");
    assert!(small * 10 < plain, "{small} bytes against {plain}");
}
