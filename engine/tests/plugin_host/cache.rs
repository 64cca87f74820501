//! The cache of compiled code.

use std::path::{Path, PathBuf};

use rengine::plugin::PluginHost;

use crate::lab::{Lab, guarded, healthy, settings};

/// The compiled components below a folder.
fn cached(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(cached(&path));
        } else {
            found.push(path);
        }
    }
    found
}

#[test]
fn a_plugin_is_compiled_once() {
    guarded(|| async {
        let lab = Lab::new();
        let cache = lab.folder.path().join("cache");
        let path = lab.file("healthy", &healthy());
        for compiled in [true, false, false] {
            let host = PluginHost::new(Some(&cache)).unwrap();
            let plugin = host.load(settings("healthy", &path)).await.unwrap();
            assert_eq!(plugin.was_compiled(), compiled);
        }
        assert_eq!(cached(&cache).len(), 1);
    });
}

#[test]
fn damaged_code_in_the_cache_is_compiled_anew() {
    guarded(|| async {
        let mut lab = Lab::new();
        let cache = lab.folder.path().join("cache");
        let path = lab.file("healthy", &healthy());
        lab.host = PluginHost::new(Some(&cache)).unwrap();
        lab.still_works().await;
        let whole = std::fs::read(&cached(&cache)[0]).unwrap();
        let zeroed = |from: usize| {
            let mut code = whole.clone();
            code[from..].fill(0);
            code
        };
        let mut damaged = vec![
            Vec::new(),
            b"garbage".to_vec(),
            whole[..whole.len() / 2].to_vec(),
            whole[..whole.len() - 1].to_vec(),
            zeroed(0),
            zeroed(whole.len() / 2),
        ];
        // One bit, wherever it is: machine code is as good as data to a loader.
        for place in 0..32 {
            let mut code = whole.clone();
            code[whole.len() * place / 32] ^= 1;
            damaged.push(code);
        }
        for code in damaged {
            let entry = cached(&cache).remove(0);
            std::fs::write(&entry, &code).unwrap();
            let host = PluginHost::new(Some(&cache)).unwrap();
            let plugin = host.load(settings("healthy", &path)).await.unwrap();
            assert!(plugin.was_compiled(), "{} bytes", code.len());
            assert_eq!(std::fs::read(&cached(&cache)[0]).unwrap(), whole);
            lab.still_works().await;
        }
    });
}

/// Compiled code is machine code: what others could have written is not run.
#[test]
fn code_that_others_can_write_is_not_taken_from_the_cache() {
    use std::os::unix::fs::PermissionsExt;
    guarded(|| async {
        let lab = Lab::new();
        let cache = lab.folder.path().join("cache");
        let path = lab.file("healthy", &healthy());
        let load = async || {
            let host = PluginHost::new(Some(&cache)).unwrap();
            let plugin = host.load(settings("healthy", &path)).await.unwrap();
            plugin.was_compiled()
        };
        assert!(load().await);
        assert!(!load().await);
        let entry = cached(&cache).remove(0);
        std::fs::set_permissions(&entry, PermissionsExt::from_mode(0o666)).unwrap();
        assert!(load().await, "a file that everybody can write");
        assert!(!load().await, "which is replaced");
        let moved = lab.folder.path().join("elsewhere");
        std::fs::rename(&entry, &moved).unwrap();
        std::os::unix::fs::symlink(&moved, &entry).unwrap();
        assert!(load().await, "a link");
        let folder = entry.parent().unwrap();
        std::fs::set_permissions(folder, PermissionsExt::from_mode(0o777)).unwrap();
        assert!(load().await, "a folder that everybody can write");
    });
}
