//! What every [`ObjectStore`] promises. The same for the file store, the one in memory and, against an emulator, S3: this file names
//! nothing but its parent's imports, so that an integration test can include it by its path.

use super::{Condition, ObjectStore, StoreError, Version};

/// Checks a store whose root is missing. It holds nothing afterwards.
pub async fn check(store: &dyn ObjectStore) {
    a_missing_root_is_empty(store).await;
    assert!(store.ensure().await.unwrap(), "the root was made");
    assert!(!store.ensure().await.unwrap(), "the root is made once");
    conditions_of_writes(store).await;
    conditions_of_removals(store).await;
    contents(store).await;
    listings(store).await;
    purges(store).await;
    one_of_many_writers_wins(store).await;
    bad_keys(store).await;
    store.purge("", &[]).await.unwrap();
    assert_eq!(store.list("").await.unwrap(), [] as [&str; 0]);
    assert!(!store.ensure().await.unwrap(), "an empty root is still there");
}

async fn put(store: &dyn ObjectStore, key: &str, text: &str) -> Version {
    store.put(key, text.as_bytes().to_vec(), Condition::Always).await.unwrap()
}

async fn text(store: &dyn ObjectStore, key: &str) -> Option<String> {
    store.get(key).await.unwrap().map(|object| String::from_utf8(object.bytes).unwrap())
}

fn is_changed<T: std::fmt::Debug>(result: Result<T, StoreError>, key: &str) {
    match result {
        Err(StoreError::Changed { location }) => assert!(location.ends_with(key), "{location}"),
        other => panic!("{key}: {other:?}"),
    }
}

async fn a_missing_root_is_empty(store: &dyn ObjectStore) {
    assert_eq!(store.get("a/b").await.unwrap(), None);
    assert_eq!(store.list("").await.unwrap(), [] as [&str; 0]);
    assert_eq!(store.directories().await.unwrap(), [] as [&str; 0]);
    store.purge("a/", &[]).await.unwrap();
    store.delete("a/b", Condition::Always).await.unwrap();
    for condition in [Condition::Always, Condition::Absent] {
        match store.put("a/b", vec![], condition).await {
            Err(StoreError::Unusable { reason, .. }) => assert!(reason.contains(store.root()), "{reason}"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(store.get("a/b").await.unwrap(), None, "a refused write makes nothing");
}

async fn conditions_of_writes(store: &dyn ObjectStore) {
    let key = "conditions/write";
    let stale = Version("\"0123456789abcdef0123456789abcdef\"".into());
    is_changed(store.put(key, b"x".to_vec(), Condition::Unchanged(stale.clone())).await, key);
    assert_eq!(store.get(key).await.unwrap(), None);

    let first = store.put(key, b"1".to_vec(), Condition::Absent).await.unwrap();
    is_changed(store.put(key, b"2".to_vec(), Condition::Absent).await, key);
    // Also when it would change nothing: who makes an object must know that nobody else did.
    is_changed(store.put(key, b"1".to_vec(), Condition::Absent).await, key);
    assert_eq!(text(store, key).await.as_deref(), Some("1"));
    assert_eq!(store.get(key).await.unwrap().unwrap().version, first, "a write returns what a read does");

    let second = store.put(key, b"2".to_vec(), Condition::Unchanged(first.clone())).await.unwrap();
    assert_ne!(first, second);
    for old in [first, stale] {
        is_changed(store.put(key, b"3".to_vec(), Condition::Unchanged(old)).await, key);
    }
    assert_eq!(text(store, key).await.as_deref(), Some("2"), "a refused write changes nothing");
    let third = store.put(key, b"3".to_vec(), Condition::Always).await.unwrap();
    is_changed(store.put(key, b"4".to_vec(), Condition::Unchanged(second)).await, key);
    assert_eq!(store.get(key).await.unwrap().unwrap().version, third);
    store.delete(key, Condition::Always).await.unwrap();
    store.put(key, b"5".to_vec(), Condition::Absent).await.unwrap();
}

async fn conditions_of_removals(store: &dyn ObjectStore) {
    let key = "conditions/removal";
    store.delete(key, Condition::Always).await.unwrap();
    store.delete(key, Condition::Absent).await.unwrap();
    let first = put(store, key, "1").await;
    is_changed(store.delete(key, Condition::Absent).await, key);
    let second = put(store, key, "2").await;
    is_changed(store.delete(key, Condition::Unchanged(first)).await, key);
    assert_eq!(text(store, key).await.as_deref(), Some("2"));
    store.delete(key, Condition::Unchanged(second.clone())).await.unwrap();
    assert_eq!(store.get(key).await.unwrap(), None);
    is_changed(store.delete(key, Condition::Unchanged(second)).await, key);
    store.delete(key, Condition::Always).await.unwrap();
}

async fn contents(store: &dyn ObjectStore) {
    let large: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
    for (key, bytes) in [("contents/empty", vec![]), ("contents/binary", vec![0, 255, 10, 13, 0]), ("contents/large", large)] {
        store.put(key, bytes.clone(), Condition::Absent).await.unwrap();
        let object = store.get(key).await.unwrap().unwrap();
        assert_eq!(object.bytes, bytes);
        assert!(object.age.as_secs() < 60, "{:?}", object.age);
    }
    assert_eq!(store.get("contents").await.unwrap(), None, "a directory is no object");
    assert_eq!(store.get("contents/empty/x").await.unwrap(), None);
}

async fn listings(store: &dyn ObjectStore) {
    let keys = ["list-1/a", "list-1/b/c", "list-1/b/d", "list-1/b-x", "list-1/b.y", "list-10/a"];
    for key in keys {
        put(store, key, key).await;
    }
    // By bytes: '-' and '.' before '/'.
    assert_eq!(store.list("list-1/").await.unwrap(), ["list-1/a", "list-1/b-x", "list-1/b.y", "list-1/b/c", "list-1/b/d"]);
    assert_eq!(store.list("list-1/b/").await.unwrap(), ["list-1/b/c", "list-1/b/d"]);
    assert_eq!(store.list("list-1/b/c").await.unwrap(), ["list-1/b/c"]);
    assert_eq!(store.list("list-1/b-").await.unwrap(), ["list-1/b-x"]);
    assert_eq!(store.list("list-1/none/").await.unwrap(), [] as [&str; 0]);
    assert_eq!(store.list("list-1").await.unwrap().len(), keys.len(), "a prefix is no directory");
    let sized: Vec<_> = store.entries("list-1/b/").await.unwrap().into_iter().map(|entry| (entry.key, entry.bytes)).collect();
    assert_eq!(sized, [("list-1/b/c".to_owned(), 10), ("list-1/b/d".to_owned(), 10)]);
    put(store, "file-at-the-root", "").await;
    assert_eq!(store.directories().await.unwrap(), ["conditions", "contents", "list-1", "list-10"]);
    store.delete("file-at-the-root", Condition::Always).await.unwrap();
}

async fn purges(store: &dyn ObjectStore) {
    for key in ["purge/a", "purge/keep/a", "purge/keep/b/c", "purge/keeper", "purge/z", "purge-2/a"] {
        put(store, key, "1").await;
        put(store, key, "2").await;
    }
    store.delete("purge/z", Condition::Always).await.unwrap();
    store.purge("purge/", &["purge/keep/".to_owned()]).await.unwrap();
    assert_eq!(store.list("purge").await.unwrap(), ["purge-2/a", "purge/keep/a", "purge/keep/b/c"]);
    store.purge("purge/", &[]).await.unwrap();
    store.purge("purge/", &[]).await.unwrap();
    assert_eq!(store.list("purge").await.unwrap(), ["purge-2/a"]);
    // Several pages, where an emulator is told to make them small.
    for number in 0..25 {
        put(store, &format!("purge/many/{number}"), "").await;
    }
    store.purge("purge", &[]).await.unwrap();
    assert_eq!(store.list("purge").await.unwrap(), [] as [&str; 0]);
}

async fn one_of_many_writers_wins(store: &dyn ObjectStore) {
    let key = "race/key";
    let mut condition = Condition::Absent;
    for round in 0..10 {
        let writers = (0..8).map(|writer| {
            let condition = condition.clone();
            async move {
                let content = format!("{round}/{writer}");
                let written = store.put(key, content.clone().into_bytes(), condition).await;
                (content, written)
            }
        });
        let mut winners = Vec::new();
        for (content, written) in futures_util::future::join_all(writers).await {
            match written {
                Ok(version) => winners.push((content, version)),
                Err(error) => is_changed::<()>(Err(error), key),
            }
        }
        let [(content, version)] = winners.as_slice() else { panic!("winners of round {round}: {winners:?}") };
        assert_eq!(text(store, key).await.as_ref(), Some(content));
        condition = Condition::Unchanged(version.clone());
    }
}

async fn bad_keys(store: &dyn ObjectStore) {
    for key in ["", "/a", "a/", "a//b", "../a", "a/./b", "a b", "a\0", "ä"] {
        assert!(matches!(store.get(key).await, Err(StoreError::BadKey { .. })), "{key:?}");
        assert!(matches!(store.put(key, vec![], Condition::Always).await, Err(StoreError::BadKey { .. })), "{key:?}");
        assert!(matches!(store.delete(key, Condition::Always).await, Err(StoreError::BadKey { .. })), "{key:?}");
    }
}
