//! Every file of `tests/cases/edit` is one edit: what the file held before, what it holds after, or why it is refused.
//!
//! ```text
//! A sentence that says what the case shows.
//! component: web                 (see `Case` for all words and what they are where left out)
//! === before
//! === after                      or: === unchanged, without text; === error, with `line:column: reason` and `hint: …`
//! === sites                      besides, where wanted: `line:column value part`, and `pinned`
//! ```
//! Text ends in a newline unless the section's line says `(no final newline)`. With `escapes: on` the sequences `\r`,
//! `\t`, `\0`, `\\`, `\xNN` and `\u{NNNN}` stand for these bytes, so that one can see them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{collections::BTreeMap, error::Error as _, fmt::Write as _, fs, path::Path};

use image_gitops_core::yaml::{Change, FieldPath, Locator, Manifest, Part, Site, YamlError};

struct Case {
    words: BTreeMap<String, String>,
    sections: BTreeMap<String, Vec<u8>>,
}

impl Case {
    fn read(text: &str) -> Self {
        let mut parts = text.split("\n=== ");
        let head = parts.next().unwrap();
        let words: BTreeMap<String, String> = head
            .lines()
            .skip(1)
            .map(|line| line.split_once(": ").unwrap_or_else(|| panic!("{line:?} is no `word: value`")))
            .map(|(word, value)| (word.to_owned(), value.to_owned()))
            .collect();
        let known = ["application", "namespace", "component", "path", "marker", "set", "publish", "escapes"];
        assert!(
            words.keys().all(|word| known.contains(&word.as_str())),
            "unknown word in {:?}",
            words.keys()
        );
        let escapes = words.contains_key("escapes");
        let mut parts: Vec<&str> = parts.collect();
        let last = parts.pop().unwrap();
        let mut sections = BTreeMap::new();
        for part in parts.iter().map(|part| format!("{part}\n")).chain([last.to_owned()]) {
            let (title, body) = part.split_once('\n').unwrap();
            let (name, body) = match title.strip_suffix(" (no final newline)") {
                Some(name) => (name, body.strip_suffix('\n').unwrap()),
                None => (title, body),
            };
            let body = if escapes { unescape(body) } else { body.as_bytes().to_vec() };
            assert!(sections.insert(name.to_owned(), body).is_none(), "two sections {name}");
        }
        Self { words, sections }
    }

    fn word(&self, word: &str, otherwise: &str) -> String {
        self.words.get(word).cloned().unwrap_or_else(|| otherwise.to_owned())
    }

    fn locator(&self) -> Locator {
        match self.words.get("marker") {
            Some(policy) => Locator::Marker { policy: policy.clone() },
            None => Locator::Field {
                application: self.word("application", "shop"),
                namespace: self.words.get("namespace").cloned(),
                component: self.word("component", "web"),
                path: FieldPath::new(&self.word("path", "properties.image")).unwrap(),
            },
        }
    }

    /// What a user of the module does: parse, locate, edit.
    fn run(&self, before: &[u8]) -> Result<(Vec<Change>, Vec<u8>), YamlError> {
        let manifest = Manifest::parse("app.yaml", before)?;
        let value = self.word("set", "ghcr.io/acme/web:v2");
        let sites = manifest.locate(&self.locator())?;
        let mut versions = Vec::new();
        if let Some(version) = self.words.get("publish") {
            for site in &sites {
                let annotation = manifest.publish_version(site)?;
                versions.extend(annotation.map(|site| Change { site, value: version.clone() }));
            }
        }
        let mut changes: Vec<Change> =
            sites.into_iter().map(|site| Change { site, value: value.clone() }).collect();
        changes.extend(versions);
        let after = manifest.edit(&changes)?;
        Ok((changes, after))
    }
}

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        match chars.next().unwrap() {
            'r' => bytes.push(b'\r'),
            't' => bytes.push(b'\t'),
            '0' => bytes.push(0),
            '\\' => bytes.push(b'\\'),
            'x' => {
                let hex: String = chars.by_ref().take(2).collect();
                bytes.push(u8::from_str_radix(&hex, 16).unwrap());
            }
            'u' => {
                let hex: String = chars.by_ref().skip(1).take_while(|c| *c != '}').collect();
                let c = char::from_u32(u32::from_str_radix(&hex, 16).unwrap()).unwrap();
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
            other => panic!("unknown escape {other:?}"),
        }
    }
    bytes
}

fn error_text(error: &YamlError) -> String {
    let place = error.at.map(|at| format!("{at}: ")).unwrap_or_default();
    assert!(error.to_string().starts_with("cannot change the image in app.yaml"));
    format!("{place}{}\nhint: {}\n", error.source().unwrap(), error.hint())
}

fn sites_text(sites: &[Site]) -> String {
    sites.iter().fold(String::new(), |mut text, site| {
        let part = match site.part {
            Part::Reference => "reference",
            Part::Tag => "tag",
            Part::Name => "name",
            Part::Digest => "digest",
        };
        let pinned = if site.pinned { " pinned" } else { "" };
        writeln!(text, "{}:{} {} {part}{pinned}", site.line, site.column, site.value).unwrap();
        text
    })
}

/// The bytes outside the sites are the same, and as many lines differ as have a changed site.
fn only_the_sites_differ(before: &[u8], after: &[u8], changes: &[Change]) -> Result<(), String> {
    let mut sites: Vec<&Site> = changes.iter().filter(|c| c.value != c.site.value).map(|c| &c.site).collect();
    sites.sort_by_key(|site| site.span.start);
    sites.dedup_by_key(|site| site.span.start);
    let mut rest = after;
    let mut from = 0;
    for (at, site) in sites.iter().enumerate() {
        let kept = &before[from..site.span.start];
        rest = rest.strip_prefix(kept).ok_or("bytes before a site differ")?;
        let until = sites.get(at + 1).map_or(before.len(), |next| next.span.start);
        let next = &before[site.span.end..until];
        let value = changes.iter().find(|c| c.site == **site).unwrap().value.as_bytes();
        let written = [value.len(), value.len() + 2];
        let len = written.into_iter().find(|len| rest.get(*len..).is_some_and(|rest| rest.starts_with(next)));
        rest = &rest[len.ok_or("bytes after a site differ")?..];
        from = site.span.end;
    }
    if rest != &before[from..] {
        return Err("bytes after the last site differ".into());
    }
    let lines = |bytes: &[u8]| bytes.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>();
    let (old, new) = (lines(before), lines(after));
    let differing = old.iter().zip(&new).filter(|(old, new)| old != new).count();
    let mut expected: Vec<usize> =
        sites.iter().map(|site| before[..site.span.start].iter().filter(|b| **b == b'\n').count()).collect();
    expected.dedup();
    if old.len() != new.len() || differing != expected.len() {
        return Err(format!("{differing} lines differ, not {}", expected.len()));
    }
    Ok(())
}

fn check(case: &Case) -> Result<(), String> {
    let before = &case.sections["before"];
    let outcome = case.run(before);
    let section =
        |name: &str| case.sections.get(name).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    if let Some(expected) = section("error") {
        return match outcome {
            Ok((_, after)) => Err(format!("it was edited:\n{}", String::from_utf8_lossy(&after))),
            Err(error) if error_text(&error) == expected => Ok(()),
            Err(error) => Err(format!("another error:\n{}", error_text(&error))),
        };
    }
    let (changes, after) = outcome.map_err(|error| format!("it was refused:\n{}", error_text(&error)))?;
    let sites: Vec<Site> = changes.iter().map(|change| change.site.clone()).collect();
    if let Some(expected) = section("sites").filter(|expected| *expected != sites_text(&sites)) {
        return Err(format!("expected the sites\n{expected}found\n{}", sites_text(&sites)));
    }
    let expected = match case.sections.get("after") {
        Some(after) => after,
        None => case.sections.get("unchanged").map(|_| before).ok_or("no section says what comes out")?,
    };
    if after != *expected {
        return Err(format!(
            "it became\n{:?}\nnot\n{:?}",
            String::from_utf8_lossy(&after),
            String::from_utf8_lossy(expected)
        ));
    }
    // A second look finds what was written, and writes nothing.
    let (_, again) =
        case.run(&after).map_err(|error| format!("refused afterwards:\n{}", error_text(&error)))?;
    if again != after {
        return Err("a second edit changes it again".into());
    }
    only_the_sites_differ(before, &after, &changes)
}

#[test]
fn every_case_is_edited_or_refused_as_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/edit");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "case"));
    files.sort();
    assert!(files.len() >= 60, "only {} cases were found", files.len());
    let mut failures = String::new();
    for path in files {
        let case = Case::read(&fs::read_to_string(&path).unwrap());
        if let Err(why) = check(&case) {
            writeln!(failures, "--- {}: {why}", path.file_name().unwrap().display()).unwrap();
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}
