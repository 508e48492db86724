//! Choosing a tag, by cases kept as data: `cases/policy`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{collections::BTreeMap, error::Error, fs, path::PathBuf};

use image_gitops_core::{
    image::Tag,
    policy::{Policy, Precedence, Range},
    select::{Rules, Selection},
    tags::TagFilter,
};
use serde::{Deserialize, de::DeserializeOwned};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Topic {
    #[serde(default)]
    defaults: RulesText,
    cases: Vec<Case>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct RulesText {
    pattern: Option<String>,
    extract: Option<String>,
    exclude: Option<Vec<String>>,
    policy: Option<PolicyText>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct PolicyText {
    sort: Option<String>,
    order: Option<String>,
    range: Option<String>,
    numerical: Option<OrderText>,
    alphabetical: Option<OrderText>,
    semver: Option<RangeText>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct OrderText {
    order: Option<String>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct RangeText {
    range: String,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    #[serde(flatten)]
    rules: RulesText,
    /// Separated by white space, as are `floors` and `order`.
    tags: String,
    #[serde(default)]
    floors: String,
    newest: Option<String>,
    /// The best candidate, where it is not the newest.
    best: Option<String>,
    matched: usize,
    #[serde(default)]
    unparsable: usize,
    #[serde(default)]
    outside: usize,
    /// What `explain` says of some of the tags.
    #[serde(default)]
    verdicts: BTreeMap<String, String>,
    /// The tags as `explain` lists them.
    order: Option<String>,
}

impl RulesText {
    fn or(self, defaults: &Self) -> Self {
        let defaults = defaults.clone();
        Self {
            pattern: self.pattern.or(defaults.pattern),
            extract: self.extract.or(defaults.extract),
            exclude: self.exclude.or(defaults.exclude),
            policy: self.policy.or(defaults.policy),
        }
    }

    fn build(self) -> Result<Rules, Box<dyn Error>> {
        let exclude = self.exclude.unwrap_or_default();
        let filter = TagFilter::new(self.pattern.as_deref(), self.extract.as_deref(), &exclude)?;
        let policy = match self.policy.unwrap_or_default() {
            PolicyText { numerical: Some(flux), .. } => Policy::flux_numerical(flux.order.as_deref())?,
            PolicyText { alphabetical: Some(flux), .. } => Policy::flux_alphabetical(flux.order.as_deref())?,
            PolicyText { semver: Some(flux), .. } => Policy::flux_semver(&flux.range)?,
            own => Policy::new(own.sort.as_deref(), own.order.as_deref(), own.range.as_deref())?,
        };
        Ok(Rules { filter, policy })
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cases/policy")
}

fn read<T: DeserializeOwned>(path: PathBuf) -> T {
    let text = fs::read_to_string(&path).unwrap();
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn tags(text: &str) -> Vec<Tag> {
    text.split_whitespace().map(|tag| Tag::new(tag).unwrap()).collect()
}

/// The cause after the message, as the program prints them.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[test]
fn every_case_chooses_the_tag_it_names() {
    let mut count = 0;
    for file in fs::read_dir(folder().join("choose")).unwrap() {
        let topic: Topic = read(file.unwrap().path());
        for case in topic.cases {
            let name = case.name.clone();
            check(case, &topic.defaults).unwrap_or_else(|error| panic!("{name}: {error}"));
            count += 1;
        }
    }
    assert!(count >= 50, "only {count} cases were found");
}

fn check(case: Case, defaults: &RulesText) -> Result<(), Box<dyn Error>> {
    let rules = case.rules.or(defaults).build()?;
    let mut list = tags(&case.tags);
    let mut floors = tags(&case.floors);
    let tag = |text: Option<String>| text.map(|text| Tag::new(text).unwrap());
    let newest = tag(case.newest);
    let expected = Selection {
        best: tag(case.best).or_else(|| newest.clone()),
        newest,
        total: list.len(),
        matched: case.matched,
        unparsable: case.unparsable,
        outside: case.outside,
    };
    // Every rotation of the list and of its mirror image: the order in which a registry lists tags says nothing.
    for _ in 0..2 {
        for turn in 0..list.len().max(1) {
            list.rotate_left(turn.min(1));
            let found = rules.select(&list, &floors.iter().collect::<Vec<_>>());
            if found != expected {
                return Err(format!("found {found:?} in {list:?}, expected {expected:?}").into());
            }
        }
        list.reverse();
        floors.reverse();
    }
    let floors: Vec<&Tag> = floors.iter().collect();
    let verdicts = rules.explain(&list, &floors);
    for (tag, words) in case.verdicts {
        let verdict = verdicts.iter().find(|verdict| verdict.tag.as_str() == tag).ok_or("an unlisted tag")?;
        if verdict.to_string() != words {
            return Err(format!("of {tag} it says '{verdict}', expected '{words}'").into());
        }
    }
    if let Some(order) = case.order {
        let found: Vec<&str> = verdicts.iter().map(|verdict| verdict.tag.as_str()).collect();
        if found.join(" ") != order {
            return Err(format!("explained in the order {found:?}, expected {order}").into());
        }
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ranges {
    versions: String,
    ranges: BTreeMap<String, String>,
}

#[test]
fn every_range_takes_the_versions_it_should() {
    let table: Ranges = read(folder().join("ranges.yaml"));
    let versions: Vec<&str> = table.versions.split_whitespace().collect();
    assert!(table.ranges.len() >= 60 && versions.len() >= 30);
    for (text, inside) in table.ranges {
        let range = Range::new(&text).unwrap();
        assert_eq!(range.to_string(), text);
        let inside: Vec<&str> = inside.split_whitespace().collect();
        for version in &versions {
            let found = range.contains(&Precedence::parse(version).unwrap());
            assert_eq!(found, inside.contains(version), "{version} in '{text}'");
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refusals {
    cases: Vec<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(flatten)]
    rules: RulesText,
    says: String,
}

#[test]
fn what_cannot_be_built_is_refused_in_clear_words() {
    let refusals: Refusals = read(folder().join("refused.yaml"));
    assert!(refusals.cases.len() >= 50);
    for case in refusals.cases {
        match case.rules.build() {
            Ok(rules) => panic!("{rules:?} was taken, expected '{}'", case.says),
            Err(error) => {
                let words = chain(error.as_ref());
                assert!(words.contains(&case.says), "'{words}' does not say '{}'", case.says);
                assert!(!words.contains('\n'), "{words:?} is more than one line");
            }
        }
    }
}

#[test]
fn a_policy_says_in_words_which_end_wins() {
    for (policy, words) in [
        (Policy::new(None, None, None), "numerical, highest first"),
        (Policy::new(Some("numerical"), Some("asc"), None), "numerical, lowest first"),
        (Policy::flux_numerical(Some("asc")), "numerical, highest first"),
        (Policy::flux_numerical(Some("desc")), "numerical, lowest first"),
        (Policy::flux_alphabetical(None), "alphabetical, highest first"),
        (Policy::flux_semver(" 1.x "), "semver in the range '1.x', highest first"),
        (Policy::new(Some("semver"), None, None), "semver in the range '*', highest first"),
        (Policy::new(Some("semver"), None, Some("")), "semver in the range '*', highest first"),
    ] {
        assert_eq!(policy.unwrap().to_string(), words);
    }
}
