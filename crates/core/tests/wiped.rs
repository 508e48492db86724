//! A credential leaves no trace in memory once it is dropped. Read from the process's own memory, which Linux shows as a file.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use image_gitops_core::credential::Credential;
use image_gitops_core::docker_config::DockerConfig;
use image_gitops_core::image::Repository;
use image_gitops_core::secret::Secret;
use image_gitops_core::signature::Key;
use secrecy::zeroize::{Zeroize as _, Zeroizing};
use secrecy::{ExposeSecret as _, SecretString};

/// The secret, each byte turned over: so that what is looked for does not itself stand in memory.
const TURNED: [u8; 24] = [
    0x9c, 0xcb, 0x91, 0x9e, 0x8d, 0x86, 0xd2, 0x90, 0x99, 0xd2, 0x8b, 0x97, 0x9a, 0xd2, 0x92, 0x9a, 0x92,
    0x90, 0x8d, 0x86, 0xd2, 0xc8, 0xc6, 0xce,
];

fn secret() -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(TURNED.len()));
    text.extend(TURNED.iter().map(|byte| char::from(!byte)));
    text
}

/// How often the secret stands in the process's memory.
fn found() -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let memory = File::open("/proc/self/mem").unwrap();
    let mut count = 0;
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (start, end) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let address = |text| u64::from_str_radix(text, 16).unwrap();
        let (start, end) = (address(start), address(end));
        let mut bytes = vec![0; usize::try_from(end - start).unwrap()];
        // Some regions of the kernel's cannot be read.
        if memory.read_exact_at(&mut bytes, start).is_ok() {
            let same = |window: &[u8]| window.iter().zip(&TURNED).all(|(byte, turned)| *byte == !turned);
            // Twelve bytes are enough to be no accident, and to find what a buffer that grew left behind.
            count += bytes.windows(12).filter(|window| same(window)).count();
        }
        // The copy that was looked through must not be found next time.
        bytes.zeroize();
    }
    count
}

/// Text that is made at its full length at once.
fn joined(parts: &[&str]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(parts.iter().map(|part| part.len()).sum()));
    parts.iter().for_each(|part| text.push_str(part));
    text
}

#[test]
fn a_dropped_credential_is_gone() {
    assert_eq!(found(), 0);
    let kept = secret();
    assert!(found() > 0, "the test cannot see what is there");
    drop(kept);
    assert_eq!(found(), 0);

    let repository = Repository::new("ghcr.io/o/n").unwrap();
    // A Secret of the cluster, and the credentials made of it.
    let bytes = || secret().as_bytes().to_vec();
    let values = [("username".to_owned(), b"bot".to_vec()), ("password".to_owned(), bytes())];
    let from_cluster = Secret::from_bytes(values).unwrap();
    let credential = from_cluster.git_credential().unwrap();
    let value = credential.basic_value().unwrap();
    let mut said = joined(&["no ", &secret(), "!"]);
    credential.star_out_text(&mut said);
    let copy = credential.clone();
    assert!(found() > 0);
    drop((from_cluster, credential, copy, value, said));
    assert_eq!(found(), 0, "of a Secret of the cluster");

    // Docker's config, in a Secret.
    let config =
        joined(&[r#"{"auths": {"ghcr.io": {"username": "bot", "password": ""#, &secret(), r#""}}}"#]);
    let in_secret =
        Secret::from_bytes([(".dockerconfigjson".to_owned(), config.as_bytes().to_vec())]).unwrap();
    let credential = in_secret.registry_credential(&repository).unwrap();
    let parsed = DockerConfig::parse(config.as_bytes()).unwrap();
    assert!(
        matches!(&credential, Credential::Basic { password, .. } if *password.expose_secret() == **secret())
    );
    assert!(found() > 0);
    drop((config, in_secret, credential, parsed));
    assert_eq!(found(), 0, "of docker's config");

    // A manifest in a file.
    let manifest = joined(&[r#"{"kind": "Secret", "stringData": {"token": ""#, &secret(), r#""}}"#]);
    let from_file = Secret::from_manifest(serde_json::from_str(&manifest).unwrap()).unwrap();
    let credential = from_file.git_credential().unwrap();
    drop(manifest);
    assert!(found() > 0);
    drop((from_file, credential));
    assert_eq!(found(), 0, "of a manifest");

    // The key of steps and webhooks.
    let token = SecretString::from(secret().as_str());
    let key = Key::new(&token).unwrap();
    let header = joined(&["Bearer ", &secret()]);
    assert!(key.verify_bearer(&header) && key.verify(&key.sign(b"x"), b"x"));
    drop((token, header));
    assert!(found() > 0);
    drop(key);
    assert_eq!(found(), 0, "of a key");
}
