//! The cache of compiled code.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rengine::plugin::PluginHost;

use crate::component::pre_run;
use crate::lab::{Lab, guarded, healthy, settings};

/// Longer than a file must have been as it is to be known without reading it.
const SETTLED: Duration = Duration::from_secs(5);

/// The compiled components below a folder.
fn cached(folder: &Path) -> Vec<PathBuf> {
    files(folder, "cwasm")
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
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

/// Says of each file in the cache's receipts what they say of it.
fn read_receipts(folder: &Path) -> Vec<(PathBuf, serde_json::Value)> {
    let read = |path: PathBuf| {
        let text = std::fs::read(&path).unwrap();
        (path, serde_json::from_slice(&text).unwrap())
    };
    files(folder, "json").into_iter().map(read).collect()
}

#[test]
fn a_file_is_read_again_only_if_it_changed() {
    use std::os::unix::fs::PermissionsExt;
    guarded(|| async {
        let lab = Lab::new();
        let cache = lab.folder.path().join("cache");
        let loops = pre_run("", "(loop $l (br $l))");
        let mut fails = pre_run("", "unreachable");
        // Of one size, by a custom section.
        let padding = loops.len() - fails.len() - 2;
        fails.extend([0, u8::try_from(padding).unwrap(), 0]);
        fails.resize(loops.len(), 0);
        let path = lab.file("loops", &loops);
        let other = lab.file("healthy", &healthy());
        let load = async |path: &Path| {
            let host = PluginHost::new(Some(&cache)).unwrap();
            let plugin = host.load(settings("healthy", path)).await.unwrap();
            (plugin.digest().to_owned(), plugin.was_compiled())
        };
        let (digest, _) = load(&path).await;
        let (other_digest, _) = load(&other).await;
        load(&path).await;
        assert_eq!(read_receipts(&cache), [], "what is new may change unseen");

        std::thread::sleep(SETTLED);
        assert_eq!(load(&path).await, (digest.clone(), false));
        assert_eq!(load(&other).await, (other_digest.clone(), false));
        let receipts = read_receipts(&cache);
        let of = |digest: &str| {
            let mut receipts = receipts.iter();
            receipts
                .find(|(_, receipt)| receipt["digest"] == digest)
                .unwrap()
                .clone()
        };
        let ((file, receipt), (_, other_receipt)) = (of(&digest), of(&other_digest));
        // That the plugin's file is not read shows in that a receipt which lies is believed.
        let mut lie = receipt.clone();
        lie["digest"] = other_receipt["digest"].clone();
        lie["code"] = other_receipt["code"].clone();
        std::fs::write(&file, lie.to_string()).unwrap();
        assert_eq!(load(&path).await, (other_digest.clone(), false));

        // But not if others can have written it: it says whose machine code is run.
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o666)).unwrap();
        assert_eq!(load(&path).await, (digest.clone(), false));

        // One that is not about the code which is there is not.
        lie["code"] = receipt["code"].clone();
        std::fs::write(&file, lie.to_string()).unwrap();
        assert_eq!(load(&path).await, (digest.clone(), false));
        std::fs::write(&file, "{").unwrap();
        assert_eq!(load(&path).await, (digest.clone(), false));

        // Another file of the same size, changed at the same time as far as that can be set.
        std::fs::write(&file, receipt.to_string()).unwrap();
        let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
        std::fs::write(&path, &fails).unwrap();
        let changed = std::fs::File::options().write(true).open(&path).unwrap();
        changed.set_modified(modified).unwrap();
        let (found, compiled) = load(&path).await;
        assert_ne!(found, digest);
        assert!(compiled);
    });
}
