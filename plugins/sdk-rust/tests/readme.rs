//! The reference in plugins/README.md has everything that the interface has.

use std::collections::BTreeSet;
use std::path::Path;

use wit_parser::{Resolve, TypeDefKind, WorldItem};

#[test]
fn the_reference_names_everything_in_the_interface() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let readme = std::fs::read_to_string(root.join("plugins/README.md")).unwrap();
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(root.join("wit")).unwrap();

    let missing: Vec<String> = names(&resolve, package)
        .into_iter()
        .filter(|name| !readme.contains(&format!("`{name}`")))
        .collect();
    assert!(missing.is_empty(), "plugins/README.md lacks {missing:?}");
}

/// The names of all hooks, resources, methods and other types.
fn names(resolve: &Resolve, package: wit_parser::PackageId) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (_, &world) in &resolve.packages[package].worlds {
        for (key, item) in &resolve.worlds[world].exports {
            assert!(
                matches!(item, WorldItem::Interface { .. }),
                "hooks are interfaces"
            );
            let hook = resolve.name_world_key(key);
            let hook = hook.rsplit('/').next().unwrap().split('@').next().unwrap();
            names.insert(hook.to_owned());
        }
    }
    for (_, &interface) in &resolve.packages[package].interfaces {
        let interface = &resolve.interfaces[interface];
        names.extend(
            interface
                .functions
                .values()
                .map(|f| f.item_name().to_owned()),
        );
        for (name, &ty) in &interface.types {
            // A `use` of a type that is defined, and looked at, elsewhere.
            if !matches!(resolve.types[ty].kind, TypeDefKind::Type(_)) {
                names.insert(name.clone());
            }
        }
    }
    assert!(
        names.contains("set-user") && names.contains("pre-run"),
        "{names:?}"
    );
    names
}
