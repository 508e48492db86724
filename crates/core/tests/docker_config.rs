//! Docker's config, by cases kept as data: `cases/docker_config/logins.yaml`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{collections::BTreeMap, fs, path::PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use image_gitops_core::{credential::Credential, docker_config::DockerConfig, image::Repository};
use proptest::prelude::*;
use secrecy::ExposeSecret as _;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// `base64(…)` in it stands for the encoded text.
    json: String,
    /// The credential for each repository, as [`words`] writes it.
    #[serde(default)]
    credentials: BTreeMap<String, String>,
    /// The program that each repository needs.
    #[serde(default)]
    helpers: BTreeMap<String, String>,
    /// What the error says.
    refused: Option<String>,
}

fn cases() -> Vec<Case> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cases/docker_config/logins.yaml");
    serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn encoded(json: &str) -> String {
    let mut text = String::new();
    let mut rest = json;
    while let Some((before, after)) = rest.split_once("base64(") {
        let (plain, tail) = after.split_once(')').unwrap();
        text += before;
        text += &STANDARD.encode(plain.replace("\\n", "\n").replace("\\0", "\0"));
        rest = tail;
    }
    text + rest
}

fn words(credential: Option<Credential>) -> String {
    match credential {
        None => "none".to_owned(),
        Some(Credential::Anonymous) => "anonymous".to_owned(),
        Some(Credential::Basic { username, password }) => {
            format!("basic {username} {}", password.expose_secret())
        }
        Some(Credential::Bearer(token)) => format!("bearer {}", token.expose_secret()),
        Some(Credential::Refresh(token)) => format!("refresh {}", token.expose_secret()),
    }
}

#[test]
fn every_case_finds_the_credential_it_names() {
    let cases = cases();
    assert!(cases.len() >= 20);
    for case in cases {
        let name = case.name;
        match (DockerConfig::parse(encoded(&case.json)), case.refused) {
            (Ok(config), None) => {
                for (image, expected) in case.credentials {
                    let repository = Repository::new(&image).unwrap();
                    assert_eq!(words(config.credential_for(&repository)), expected, "{name}: {image}");
                }
                for (image, expected) in case.helpers {
                    let repository = Repository::new(&image).unwrap();
                    assert_eq!(
                        config.needs_helper(&repository).unwrap_or("none"),
                        expected,
                        "{name}: {image}"
                    );
                }
            }
            (Err(error), Some(says)) => {
                assert!(error.to_string().contains(&says), "{name}: it says '{error}'")
            }
            (found, refused) => panic!("{name}: found {found:?}, expected {refused:?}"),
        }
    }
}

#[test]
fn neither_debug_nor_an_error_shows_a_secret() {
    for json in [
        r#"{"auths": {"ghcr.io": {"auth": "base64(s3cret:)"}, "a.io": {"username": "s3cret", "password": "s3cret"}}}"#,
        r#"{"auths": {"ghcr.io": {"registrytoken": "s3cret"}, "a.io": {"identitytoken": "s3cret"}}}"#,
        r#"{"auths": {"ghcr.io": {"auth": "s3cret"}}}"#,
        r#"{"auths": {"ghcr.io": {"auth": ["s3cret"]}}}"#,
        r#"{"auths": {"ghcr.io": {"username": "s3cret"}}}"#,
        r#"{"auths": {"ghcr.io": "s3cret"}}"#,
        r#"{"auths": {"user:s3cret@ghcr.io": {"auth": "not base64"}}}"#,
        r#"{"auths": {"ghcr.io/s3cret": {"auth": "not base64"}}}"#,
        r#"{"auths": "s3cret"}"#,
        r#""s3cret""#,
        r#"s3cret"#,
        r#"{"auths": s3cret}"#,
    ] {
        let shown = match DockerConfig::parse(encoded(json)) {
            Ok(config) => format!("{config:?}"),
            Err(error) => format!("{error} {error:?}"),
        };
        assert!(!shown.contains("s3cret"), "{shown}");
        assert!(!shown.contains(&STANDARD.encode("s3cret:")), "{shown}");
    }
}

/// JSON that is nearly a config.
fn nearly() -> impl Strategy<Value = String> {
    let entry =
        r#"\{("(auth|username|password|identitytoken|registrytoken)":("[a-zA-Z0-9+/=:]{0,9}"|null|7))?\}"#;
    let key = r"(https://)?[a-z*.]{0,6}(:[0-9]{1,2})?(/v[12])?(/[a-z]{0,3}){0,2}";
    (key, entry, key, "[a-z]{0,3}").prop_map(|(a, entry, b, helper)| {
        format!(r#"{{"auths":{{"{a}":{entry},"{b}":{entry}}},"credHelpers":{{"{b}":"{helper}"}},"credsStore":"{helper}"}}"#)
    })
}

proptest! {
    #[test]
    fn any_config_is_read_or_refused(
        bytes in prop_oneof![nearly().prop_map(String::into_bytes), prop::collection::vec(any::<u8>(), 0..64)],
    ) {
        if let Ok(config) = DockerConfig::parse(&bytes) {
            for image in ["ghcr.io/a/b", "nginx", "a.b:80/c/d"] {
                let repository = Repository::new(image).unwrap();
                let found = config.credential_for(&repository);
                prop_assert!(found.is_none() || config.needs_helper(&repository).is_none());
            }
        }
    }

    #[test]
    fn debug_never_shows_what_is_between_quotes(user in "[a-z]{8}", password in "[A-Z0-9]{12}:[a-z]{3}") {
        let auth = STANDARD.encode(format!("{user}:{password}"));
        let config = DockerConfig::parse(format!(r#"{{"auths":{{"ghcr.io":{{"auth":"{auth}"}}}}}}"#).as_bytes()).unwrap();
        let found = config.credential_for(&Repository::new("ghcr.io/a/b").unwrap());
        prop_assert_eq!(words(found), format!("basic {user} {password}"));
        let shown = format!("{config:?}");
        prop_assert!(!shown.contains(&user) && !shown.contains(&password) && !shown.contains(&auth));
    }
}
