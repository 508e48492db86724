//! A credential leaves no trace in memory once it is dropped. Read from the process's own memory, which Linux shows as a file.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::FileExt as _;

use image_gitops_core::credential::Credential;
use image_gitops_core::docker_config::DockerConfig;
use image_gitops_core::image::Repository;
use image_gitops_core::secret::Secret;
use image_gitops_core::signature::Key;
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;

/// The secret, each byte turned over: so that what is looked for does not itself stand in memory.
const TURNED: [u8; 24] = [
    0x9c, 0xcb, 0x91, 0x9e, 0x8d, 0x86, 0xd2, 0x90, 0x99, 0xd2, 0x8b, 0x97, 0x9a, 0xd2, 0x92, 0x9a, 0x92,
    0x90, 0x8d, 0x86, 0xd2, 0xc8, 0xc6, 0xce,
];

/// How often it is repeated.
const TIMES: usize = 200;

/// It many times over: what is freed is soon written over in part, which would hide a short one.
fn secret() -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(TIMES * TURNED.len()));
    text.extend(TURNED.iter().cycle().take(TIMES * TURNED.len()).map(|byte| char::from(!byte)));
    text
}

/// Looks through the process's memory. Its buffers are made once: what it allocated would write over what was freed.
struct Search {
    maps: Vec<u8>,
    bytes: Vec<u8>,
}

impl Search {
    fn new() -> Self {
        Self { maps: vec![0; 4 << 20], bytes: vec![0; 4 << 20] }
    }

    /// How often the secret stands in memory.
    fn found(&mut self) -> usize {
        let mut length = 0;
        let mut file = File::open("/proc/self/maps").unwrap();
        loop {
            match file.read(&mut self.maps[length..]).unwrap() {
                0 => break,
                read => length += read,
            }
        }
        let memory = File::open("/proc/self/mem").unwrap();
        let maps = str::from_utf8(&self.maps[..length]).unwrap();
        let mut count = 0;
        for line in maps.lines().filter(|line| line.contains(" rw")) {
            let (start, end) = line.split(' ').next().unwrap().split_once('-').unwrap();
            let address = |text| u64::from_str_radix(text, 16).unwrap();
            let (mut start, end) = (address(start), address(end));
            while start < end {
                let wanted = usize::try_from(end - start).unwrap().min(self.bytes.len());
                // Some regions of the kernel's cannot be read.
                let Ok(read) = memory.read_at(&mut self.bytes[..wanted], start) else { break };
                let same = |window: &[u8]| window.iter().zip(&TURNED).all(|(byte, turned)| *byte == !turned);
                // Twelve bytes are enough to be no accident, and to find what a buffer that grew left behind.
                count += self.bytes[..read].windows(12).filter(|window| same(window)).count();
                start += read as u64;
                if read == 0 {
                    break;
                }
            }
            // What was looked through must not be found in the buffer.
            self.bytes.fill(0);
        }
        count
    }
}

/// Text that is made at its full length at once.
fn joined(parts: &[&str]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(parts.iter().map(|part| part.len()).sum()));
    parts.iter().for_each(|part| text.push_str(part));
    text
}

#[test]
fn a_dropped_credential_is_gone() {
    let mut search = Search::new();
    // Copies, a part of one being one: asked after each step, before the next one writes over what the last one left.
    let mut copies = || search.found().div_ceil(TIMES);
    assert_eq!(copies(), 0);
    let kept = secret();
    assert_eq!(copies(), 1, "the test cannot see what is there");
    drop(kept);
    assert_eq!(copies(), 0);

    let repository = Repository::new("ghcr.io/o/n").unwrap();
    // A Secret of the cluster, and the credentials made of it.
    let values = [("password".to_owned(), secret().as_bytes().to_vec())];
    let from_cluster = Secret::from_bytes(values).unwrap();
    assert_eq!(copies(), 1);
    let credential = from_cluster.git_credential().unwrap();
    assert_eq!(copies(), 2);
    let value = credential.basic_value().unwrap();
    assert_eq!(copies(), 2, "beside what is base64");
    let mut said = joined(&["no ", &secret(), "!"]);
    credential.star_out_text(&mut said);
    let copy = credential.clone();
    assert_eq!(copies(), 3);
    drop((from_cluster, credential, copy, value, said));
    assert_eq!(copies(), 0, "of a Secret of the cluster");

    // Docker's config: as a name and a password, and as base64 of both.
    let config =
        joined(&[r#"{"auths": {"ghcr.io": {"username": "bot", "password": ""#, &secret(), r#""}}}"#]);
    let parsed = DockerConfig::parse(config.as_bytes()).unwrap();
    assert_eq!(copies(), 2);
    drop(parsed);
    assert_eq!(copies(), 1);
    let in_secret =
        Secret::from_bytes([(".dockerconfigjson".to_owned(), config.as_bytes().to_vec())]).unwrap();
    drop(config);
    assert_eq!(copies(), 1);
    let credential = in_secret.registry_credential(&repository).unwrap();
    assert_eq!(copies(), 2);
    drop((in_secret, credential));
    assert_eq!(copies(), 0, "of docker's config");
    let encoded = Credential::basic("bot", secret().as_str()).basic_value().unwrap();
    let config = joined(&[r#"{"auths": {"ghcr.io": {"auth": ""#, &encoded, r#""}}}"#]);
    let parsed = DockerConfig::parse(config.as_bytes()).unwrap();
    assert_eq!(copies(), 1);
    drop(parsed);
    assert_eq!(copies(), 0, "of docker's config in base64");

    // A manifest in a file.
    let manifest = joined(&[r#"{"kind": "Secret", "stringData": {"token": ""#, &secret(), r#""}}"#]);
    let value = serde_json::from_str(&manifest).unwrap();
    drop(manifest);
    let from_file = Secret::from_manifest(value).unwrap();
    assert_eq!(copies(), 1);
    let credential = from_file.git_credential().unwrap();
    drop((from_file, credential));
    assert_eq!(copies(), 0, "of a manifest");

    // The key of steps and webhooks.
    let token = SecretString::from(secret().as_str());
    let key = Key::new(&token).unwrap();
    let header = joined(&["Bearer ", &secret()]);
    assert!(key.verify_bearer(&header) && key.verify(&key.sign(b"x"), b"x"));
    drop((token, header));
    assert_eq!(copies(), 1);
    drop(key);
    assert_eq!(copies(), 0, "of a key");
}
