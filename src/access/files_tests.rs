use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use super::*;

fn entry(section: Section, name: &str) -> Entry {
    let fields = match section {
        Section::Clusters => vec![("server", json!("https://x"))],
        Section::Users => vec![("token", json!("t"))],
        Section::Contexts => vec![("cluster", json!(name)), ("user", json!(name))],
    };
    Entry { section, name: name.to_owned(), fields, without: &[] }
}

fn put_all(opened: &mut Opened, name: &str) -> Result<(), FilesError> {
    Section::ALL.into_iter().try_for_each(|section| opened.put(&entry(section, name)).map(drop))
}

fn list(directory: &TempDir, names: &[&str]) -> Files {
    let paths = std::env::join_paths(names.iter().map(|name| directory.path().join(name))).unwrap();
    Files::of_kubectl(Some(&paths), None).unwrap()
}

fn text(directory: &TempDir, name: &str) -> String {
    fs::read_to_string(directory.path().join(name)).unwrap()
}

fn names(directory: &TempDir) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_files_are_those_of_kubectl() {
    let home = Path::new("/home/me");
    let files =
        |kubeconfig: Option<&str>, home| Files::of_kubectl(kubeconfig.map(std::ffi::OsStr::new), home).map(|files| files.paths);
    assert_eq!(files(None, Some(home)).unwrap(), [Path::new("/home/me/.kube/config")]);
    assert_eq!(files(Some(""), Some(home)).unwrap(), [Path::new("/home/me/.kube/config")]);
    assert_eq!(files(Some(":a::b:a:"), Some(home)).unwrap(), [Path::new("a"), Path::new("b")]);
    assert!(matches!(files(Some(":"), None), Err(FilesError::Nowhere)));
}

#[test]
fn new_things_go_to_the_first_file_that_there_is_or_else_to_the_last() {
    let directory = TempDir::new().unwrap();
    let files = list(&directory, &["a", "b", "c"]);
    let (_, written) = files.change(|opened| put_all(opened, "dev")).unwrap();
    assert_eq!(written, [directory.path().join("c")]);
    fs::write(directory.path().join("b"), "").unwrap();
    let (_, written) = files.change(|opened| put_all(opened, "prod")).unwrap();
    assert_eq!(written, [directory.path().join("b")]);
    assert_eq!(names(&directory), ["b", "c"], "no lock is left");
}

#[test]
fn things_that_are_there_are_changed_where_they_are() {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("a"), "# a\nusers: []\n").unwrap();
    fs::write(directory.path().join("b"), "# b\nusers:\n- name: dev\n  user: {as: me}\ncurrent-context: old\n").unwrap();
    let files = list(&directory, &["a", "b"]);
    files.change(|opened| put_all(opened, "dev").and_then(|()| opened.set_current_context("dev"))).unwrap();
    assert_eq!(text(&directory, "b"), "# b\nusers:\n- name: dev\n  user: {as: me, \"token\": \"t\"}\ncurrent-context: old\n");
    assert!(text(&directory, "a").starts_with("# a\nusers: []\nclusters:\n- cluster:\n"), "{}", text(&directory, "a"));
    assert_eq!(files.read().unwrap().current_context(), Some("dev"), "the first file counts");
}

#[test]
fn nothing_is_written_where_nothing_changes() {
    let directory = TempDir::new().unwrap();
    let files = list(&directory, &["a"]);
    files.change(|opened| put_all(opened, "dev")).unwrap();
    let before = fs::metadata(directory.path().join("a")).unwrap().modified().unwrap();
    let (_, written) = files.change(|opened| put_all(opened, "dev")).unwrap();
    assert!(written.is_empty());
    assert_eq!(fs::metadata(directory.path().join("a")).unwrap().modified().unwrap(), before);
    let (found, written) = list(&directory, &["missing"]).change(|opened| opened.remove("dev")).unwrap();
    assert!(!found && written.is_empty());
    assert_eq!(names(&directory), ["a"], "looking makes no file");
}

#[test]
fn a_file_is_for_its_owner_only_and_symlinks_stay() {
    let directory = TempDir::new().unwrap();
    fs::create_dir(directory.path().join("real")).unwrap();
    let real = directory.path().join("real/config");
    fs::write(&real, "users: []\n").unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o644)).unwrap();
    symlink("real/config", directory.path().join("one")).unwrap();
    symlink("one", directory.path().join("two")).unwrap();
    list(&directory, &["two"]).change(|opened| put_all(opened, "dev")).unwrap();
    assert!(fs::symlink_metadata(directory.path().join("two")).unwrap().is_symlink());
    assert!(fs::symlink_metadata(directory.path().join("one")).unwrap().is_symlink());
    assert!(fs::read_to_string(&real).unwrap().contains("token: t"));
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o600);
    // One that leads nowhere yet.
    symlink("real/new", directory.path().join("three")).unwrap();
    list(&directory, &["three"]).change(|opened| put_all(opened, "dev")).unwrap();
    assert!(directory.path().join("real/new").is_file());
    symlink("loop", directory.path().join("loop")).unwrap();
    list(&directory, &["loop"]).change(|opened| put_all(opened, "dev")).unwrap_err();
}

#[test]
fn directories_are_made_and_closed() {
    let directory = TempDir::new().unwrap();
    let files = Files::of_kubectl(None, Some(directory.path())).unwrap();
    files.change(|opened| put_all(opened, "dev")).unwrap();
    assert_eq!(fs::metadata(directory.path().join(".kube")).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(directory.path().join(".kube/config")).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_is_no_file_is_left_alone() {
    let files = Files::only("/dev/null".into());
    assert!(matches!(files.change(|opened| put_all(opened, "dev")), Err(FilesError::NotAFile { .. })));
    let directory = TempDir::new().unwrap();
    let files = Files::only(directory.path().to_owned());
    assert!(matches!(files.change(|opened| put_all(opened, "dev")), Err(FilesError::NotAFile { .. })));
}

#[test]
fn a_file_that_cannot_be_read_stays_as_it_is() {
    let directory = TempDir::new().unwrap();
    for content in [&b"users: ["[..], b"\xff\xfe", b"- a\n"] {
        fs::write(directory.path().join("a"), content).unwrap();
        let error = list(&directory, &["a"]).change(|opened| put_all(opened, "dev")).unwrap_err();
        assert!(matches!(error, FilesError::Content { .. }), "{error}");
        assert_eq!(fs::read(directory.path().join("a")).unwrap(), content);
        assert_eq!(names(&directory), ["a"]);
    }
}

#[test]
fn removal_keeps_what_others_need() {
    let directory = TempDir::new().unwrap();
    let files = list(&directory, &["a", "b"]);
    files.change(|opened| put_all(opened, "dev").and_then(|()| opened.set_current_context("dev"))).unwrap();
    let alias = "contexts:\n- name: alias\n  context: {cluster: dev, user: me}\n";
    fs::write(directory.path().join("a"), alias).unwrap();
    let (found, written) = files.change(|opened| opened.remove("dev")).unwrap();
    assert!(found);
    assert_eq!(written, [directory.path().join("b")]);
    assert_eq!(text(&directory, "a"), alias);
    let opened = files.read().unwrap();
    assert!(opened.has(Section::Clusters, "dev") && !opened.has(Section::Users, "dev") && !opened.has(Section::Contexts, "dev"));
    assert_eq!(opened.current_context(), None);
}

/// As kubectl does it: whoever makes the lock file works, and the others wait.
#[test]
fn programs_that_change_a_file_at_the_same_time_lose_nothing() {
    let directory = TempDir::new().unwrap();
    let begin = Arc::new(Barrier::new(8));
    thread::scope(|scope| {
        for number in 0..8 {
            let (files, begin) = (list(&directory, &["a"]), Arc::clone(&begin));
            scope.spawn(move || {
                begin.wait();
                let change = || files.change(|opened| put_all(opened, &format!("c{number}")));
                // On a slow disk the others may take longer than one waits.
                while let Err(error) = change() {
                    assert!(matches!(error, FilesError::Locked { .. }), "{error}");
                }
            });
        }
    });
    let opened = list(&directory, &["a"]).read().unwrap();
    assert!((0..8).all(|number| opened.has(Section::Contexts, &format!("c{number}"))));
    assert_eq!(names(&directory), ["a"]);
}

#[test]
fn a_lock_is_waited_for_and_one_that_stays_is_named() {
    let directory = TempDir::new().unwrap();
    let lock = directory.path().join("a.lock");
    fs::write(&lock, "").unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(100));
            fs::remove_file(&lock).unwrap();
        });
        list(&directory, &["a"]).change(|opened| put_all(opened, "dev")).unwrap();
    });
    fs::write(&lock, "").unwrap();
    let error = list(&directory, &["a"]).change(|opened| put_all(opened, "prod")).unwrap_err();
    assert!(matches!(&error, FilesError::Locked { lock: named, .. } if *named == lock), "{error}");
    assert!(lock.exists(), "it is somebody else's");
    assert!(!text(&directory, "a").contains("prod"));
}
