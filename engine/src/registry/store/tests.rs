use super::*;

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(&folder.path().join("store")).expect("a store");
    (folder, store)
}

#[test]
fn what_is_kept_comes_back_and_what_was_changed_does_not() {
    let (_folder, store) = store();
    let digest = store.put(b"a component").expect("kept");
    assert_eq!(
        store.put(b"a component").as_ref(),
        Ok(&digest),
        "twice is once"
    );
    let path = store.get(&digest).expect("readable").expect("there");
    assert_eq!(
        store.read(&digest).expect("readable").as_deref(),
        Some(&b"a component"[..])
    );
    // As another program, or a bad disk, may do it.
    fs::remove_file(&path).expect("it was there");
    fs::write(&path, b"A component").expect("written");
    assert_eq!(store.get(&digest), Ok(None), "it has another digest");
    assert!(!path.exists(), "it is away");
    assert_eq!(store.read(&digest), Ok(None));
}

#[test]
fn pruning_leaves_what_is_used_and_what_is_being_filled() {
    let (_folder, store) = store();
    let [used, unused] = [&b"used"[..], b"not used"].map(|bytes| store.put(bytes).expect("kept"));
    let filled = Digest::of(b"being filled");
    let partial = store.root.join("partial").join(filled.hex());
    fs::write(&partial, b"being").expect("written");
    let turn = Turn::take(&store.root.join("locks").join(filled.hex())).expect("a turn");
    let gone = store.prune(&|kept| kept.digest == used).expect("pruned");
    assert_eq!(gone, (1, 8));
    assert!(store.get(&used).expect("readable").is_some());
    assert_eq!(store.get(&unused), Ok(None));
    assert!(partial.exists(), "somebody fills it");
    drop(turn);
    assert_eq!(store.prune(&|_| true).expect("pruned"), (1, 5));
}

#[test]
fn what_is_used_is_known_without_being_read() {
    let (_folder, store) = store();
    let digest = store.put(b"used each day").expect("kept");
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
    let path = store.blob(&digest);
    let file = File::open(&path).expect("there");
    file.set_modified(long_ago).expect("set");
    assert_eq!(store.list().expect("readable")[0].used, long_ago);
    store.get(&digest).expect("readable").expect("there");
    assert!(store.list().expect("readable")[0].used > long_ago);
}

#[tokio::test]
async fn one_that_is_killed_before_it_is_in_place_can_be_gone_on_with() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, store) = store();
    let digest = Digest::of(b"whole");
    let mut filling = store.fill(&digest).await.expect("a turn").expect("to fill");
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    tokio::io::AsyncWriteExt::write_all(filling.file(), b"whole")
        .await
        .expect("written");
    tokio::io::AsyncWriteExt::flush(filling.file())
        .await
        .expect("written");
    assert_ne!(mode(&filling.partial) & 0o200, 0, "who goes on can write");
    filling
        .finish(&digest, 5)
        .await
        .expect("readable")
        .expect("it fits");
    assert_eq!(mode(&store.blob(&digest)), 0o400);
}

#[tokio::test]
async fn one_fills_and_the_others_wait() {
    let (_folder, store) = store();
    let bytes = b"downloaded once";
    let digest = Digest::of(bytes);
    let mut first = store.fill(&digest).await.expect("a turn").expect("to fill");
    let waiting = tokio::spawn({
        let (store, digest) = (store.clone(), digest.clone());
        async move { store.fill(&digest).await.map(|filling| filling.is_none()) }
    });
    tokio::io::AsyncWriteExt::write_all(first.file(), bytes)
        .await
        .expect("written");
    tokio::io::AsyncWriteExt::flush(first.file())
        .await
        .expect("written");
    let wrong = first.finish(&digest, 3).await.expect("readable");
    assert_eq!(wrong, Err("15 bytes, not 3".to_owned()));
    first
        .finish(&digest, bytes.len() as u64)
        .await
        .expect("readable")
        .expect("it fits");
    drop(first);
    assert_eq!(waiting.await.expect("ends"), Ok(true), "it is there");
}

#[test]
fn a_folder_of_others_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("set");
    let error = Store::open(folder.path()).expect_err("others can write");
    assert!(error.to_string().contains("others can write"), "{error}");
}

#[test]
fn signatures_of_several_places_are_kept_together() {
    let (_folder, store) = store();
    let digest = Digest::of(b"in two places");
    let signature = |name: &str| Signature {
        payload: name.as_bytes().to_vec(),
        bytes: vec![1],
    };
    let (one, two) = (signature("one"), signature("two"));
    let put = |signatures: &[Signature]| {
        store.put_signatures(&digest, signatures).expect("kept");
        store.signatures(&digest)
    };
    let only = std::slice::from_ref(&one);
    assert_eq!(put(only), only);
    assert_eq!(put(std::slice::from_ref(&two)), [one.clone(), two.clone()]);
    assert_eq!(
        put(std::slice::from_ref(&one)),
        [two.clone(), one.clone()],
        "each once"
    );
    let many: Vec<_> = (0..MAX_SIGNATURES)
        .map(|count| signature(&count.to_string()))
        .collect();
    assert_eq!(put(&many), many, "the newest");
    assert_eq!(put(std::slice::from_ref(&two)).last(), Some(&two));
    assert_eq!(store.signatures(&digest).len(), MAX_SIGNATURES);
}

#[test]
fn pruning_leaves_what_is_being_written() {
    let (_folder, store) = store();
    let partial = store.root.join("partial");
    let file = tempfile::NamedTempFile::new_in(&partial).expect("a file");
    let left = partial.join(".tmpOld");
    fs::write(&left, b"of one that was killed").expect("written");
    let old = SystemTime::now() - 2 * STALE;
    let opened = File::options().write(true).open(&left).expect("there");
    opened.set_modified(old).expect("set");
    assert_eq!(store.prune(&|_| true).expect("pruned"), (1, 22));
    file.persist(store.root.join("blobs/sha256/x"))
        .expect("it is still there");
    assert!(!left.exists());
}
