//! A repository made without git is one that git is content with.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use image_gitops_tests::{demo_repository as demo, git};

#[test]
fn git_reads_what_was_made_without_it_and_the_other_way_round() {
    let folder = tempfile::tempdir().unwrap();
    let bare = folder.path().join("owner/name.git");
    let files = [("kubevela/app.yaml", "image: a:1\n"), ("README.md", "# Demo\n"), ("kubevela/é.txt", "")];
    let first = demo::create(&bare, "trunk", &files, "first\n\nbody\n");
    git::fsck(&bare);
    assert_eq!(git::rev(&bare, "HEAD"), first);
    assert_eq!(git::show(&bare, "trunk", "kubevela/app.yaml"), b"image: a:1\n");
    let paths: Vec<_> = git::files(&bare, "trunk").into_iter().map(|(_, path)| path).collect();
    assert_eq!(paths, ["README.md", "kubevela/app.yaml", "kubevela/é.txt"]);

    let second = git::commit_files(&bare, "trunk", &[("kubevela/app.yaml", "image: a:2\n")], "second");
    let expected = [(second.clone(), "second".to_owned()), (first.clone(), "first\n\nbody\n".to_owned())];
    assert_eq!(demo::commits(&bare, "trunk"), expected);
    assert_eq!(demo::file(&bare, &first, "kubevela/app.yaml"), b"image: a:1\n");
    assert_eq!(demo::file(&bare, "trunk", "kubevela/app.yaml"), b"image: a:2\n");
}
