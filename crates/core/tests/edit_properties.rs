//! What must hold for every file, checked with files made by chance and two other readers of YAML.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "edit_properties/generate.rs"]
mod generate;

use image_gitops_core::yaml::{Change, FieldPath, Locator, Manifest, Site};
use proptest::prelude::*;
use serde::Deserialize as _;
use serde_json::Value;

/// The documents of a file by libyaml's grammar, which is that of kubectl and KubeVela. None where it refuses the file.
fn by_libyaml(text: &str) -> Option<Vec<Value>> {
    // It is told that the text is UTF-8, and does not look for the mark then.
    let documents = yaml_serde::Deserializer::from_str(text.trim_start_matches('\u{feff}'));
    let values = documents.map(|document| {
        let value = yaml_serde::Value::deserialize(document).ok()?;
        untagged(value)
    });
    values.collect()
}

/// As JSON; tags are read past.
fn untagged(value: yaml_serde::Value) -> Option<Value> {
    use yaml_serde::Value as Y;
    Some(match value {
        Y::Tagged(tagged) => untagged(tagged.value)?,
        Y::Sequence(items) => Value::Array(items.into_iter().map(untagged).collect::<Option<_>>()?),
        Y::Mapping(pairs) => {
            let pair = |(key, value): (Y, Y)| Some((key.as_str()?.to_owned(), untagged(value)?));
            Value::Object(pairs.into_iter().map(pair).collect::<Option<_>>()?)
        }
        other => serde_json::to_value(other).ok()?,
    })
}

/// The documents of a file as serde-saphyr reads them.
fn by_saphyr(text: &str) -> Option<Vec<Value>> {
    serde_saphyr::from_multiple(text).ok()
}

fn field(path: &str) -> Locator {
    Locator::Field {
        application: "shop".into(),
        namespace: None,
        component: "web".into(),
        path: FieldPath::new(path).unwrap(),
    }
}

/// Values that a registry can have, those among them that a plain scalar would spoil.
fn value() -> impl Strategy<Value = String> {
    let odd = [
        "1.10",
        "true",
        "0010",
        "1e5",
        "12:30",
        "---",
        "-",
        "...",
        "a:",
        ":",
        "@x",
        "0x1f",
        "1_0",
        "null",
        "2024-01-01",
    ];
    prop_oneof![
        2 => "[a-z]{1,8}/[a-z]{1,8}:[a-zA-Z0-9_][a-zA-Z0-9._-]{0,12}",
        1 => "[a-zA-Z0-9._/:@+-]{1,12}",
        1 => proptest::sample::select(odd.to_vec()).prop_map(str::to_owned),
    ]
}

/// The bytes around the site are the same, and between them stands the value, in quotes or not.
fn only_the_span_differs(before: &str, after: &str, site: &Site, value: &str) {
    let middle = after
        .strip_prefix(&before[..site.span.start])
        .and_then(|rest| rest.strip_suffix(&before[site.span.end..]))
        .expect("bytes outside the site differ");
    assert!(
        [value.to_owned(), format!("'{value}'"), format!("\"{value}\"")].contains(&middle.to_owned()),
        "{middle}"
    );
}

/// Every place where two values differ, as (old, new).
fn differences<'v>(old: &'v Value, new: &'v Value, found: &mut Vec<(&'v Value, &'v Value)>) {
    match (old, new) {
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).for_each(|(a, b)| differences(a, b, found));
        }
        (Value::Object(a), Value::Object(b)) if a.keys().eq(b.keys()) => {
            a.values().zip(b.values()).for_each(|(a, b)| differences(a, b, found));
        }
        _ if old == new => {}
        _ => found.push((old, new)),
    }
}

/// Looks for everything in a file and changes all that it finds: nothing may panic, and what is written must be sound.
fn use_everything(bytes: &[u8], new: &str) {
    let Ok(manifest) = Manifest::parse("f", bytes) else { return };
    let before = std::str::from_utf8(bytes).unwrap();
    let _ = manifest.has_application("shop", None);
    let _ = manifest.markers();
    let mut found = Vec::new();
    found.extend(manifest.locate(&Locator::Marker { policy: "ns:web".into() }).unwrap_or_default());
    found.extend(manifest.locate(&field("properties.image")).unwrap_or_default());
    let annotations: Vec<_> = found.iter().filter_map(|site| manifest.publish_version(site).ok()?).collect();
    found.extend(annotations);
    for site in found {
        let change = Change { site: site.clone(), value: new.to_owned() };
        let Ok(after) = manifest.edit(&[change]) else { continue };
        let after = String::from_utf8(after).unwrap();
        if site.value == new {
            assert_eq!(after, before);
            continue;
        }
        only_the_span_differs(before, &after, &site, new);
        for read in [by_libyaml, by_saphyr] {
            let Some(old) = read(before) else { continue };
            let read =
                read(&after).unwrap_or_else(|| panic!("not readable any more:\n{before}\n=>\n{after}"));
            let mut different = Vec::new();
            let (old, read) = (Value::Array(old), Value::Array(read));
            differences(&old, &read, &mut different);
            assert!(
                matches!(different.as_slice(), [(_, Value::String(text))] if text == new),
                "{different:?}\n{before}\n=>\n{after}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_scalar_of_any_yaml_is_changed_alone(
        chance in proptest::collection::vec(any::<u8>(), 0..400),
        which in any::<proptest::sample::Index>(),
        new in value(),
    ) {
        let yaml = generate::file(&chance);
        let manifest = Manifest::parse("f", yaml.text.as_bytes()).unwrap();
        if yaml.leaves.is_empty() {
            return Ok(());
        }
        let leaf = which.get(&yaml.leaves);
        let sites = manifest.locate(&field(&leaf.path));
        if !leaf.editable {
            prop_assert!(sites.is_err(), "{} was taken in\n{}", leaf.path, yaml.text);
            return Ok(());
        }
        let site = match sites {
            Ok(mut sites) => sites.remove(0),
            Err(error) => panic!("{error}: {}\n{}", error.reason, yaml.text),
        };
        let after = manifest.edit(&[Change { site: site.clone(), value: new.clone() }]).unwrap();
        let after = String::from_utf8(after).unwrap();
        if site.value == new {
            prop_assert_eq!(after, yaml.text);
            return Ok(());
        }
        only_the_span_differs(&yaml.text, &after, &site, &new);
        let mut read_by = 0;
        for read in [by_libyaml, by_saphyr] {
            let Some(mut expected) = read(&yaml.text) else { continue };
            *expected[yaml.document].pointer_mut(&leaf.pointer).unwrap() = Value::String(new.clone());
            prop_assert_eq!(read(&after), Some(expected), "\n{}\n=>\n{}", yaml.text, after);
            read_by += 1;
        }
        prop_assert!(read_by > 0, "no other reader takes\n{}", yaml.text);
    }

    #[test]
    fn all_scalars_of_a_file_are_changed_at_once(chance in proptest::collection::vec(any::<u8>(), 0..400), new in value()) {
        let yaml = generate::file(&chance);
        let manifest = Manifest::parse("f", yaml.text.as_bytes()).unwrap();
        let leaves: Vec<_> = yaml.leaves.iter().filter(|leaf| leaf.editable).collect();
        let sites = leaves.iter().map(|leaf| manifest.locate(&field(&leaf.path)).unwrap().remove(0));
        // In any order, and one of them twice.
        let mut changes: Vec<Change> = sites.map(|site| Change { site, value: new.clone() }).rev().collect();
        changes.extend(changes.first().cloned());
        let after = String::from_utf8(manifest.edit(&changes).unwrap()).unwrap();
        let again = Manifest::parse("f", after.as_bytes()).unwrap();
        for leaf in leaves {
            prop_assert_eq!(&again.locate(&field(&leaf.path)).unwrap()[0].value, &new);
        }
        let mut back = after.clone();
        changes.sort_by_key(|change| change.site.span.start);
        changes.dedup_by_key(|change| change.site.span.start);
        // Putting the old bytes back from the first site on gives the old file: nothing between the sites differs.
        for change in &changes {
            let start = change.site.span.start;
            let old = &yaml.text[change.site.span.clone()];
            let rest = &back[start..];
            let written = [old.to_owned(), format!("\"{new}\""), format!("'{new}'"), new.clone()];
            let len = written.iter().find(|text| rest.starts_with(text.as_str())).unwrap().len();
            back.replace_range(start..start + len, old);
        }
        prop_assert_eq!(back, yaml.text);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), new in value()) {
        use_everything(&bytes, &new);
    }

    #[test]
    fn arbitrary_signs_of_yaml_never_panic(
        text in "([-\\[\\]{}&*!|>'\"%@#,?: \n\r\t\\\\a1\u{feff}~.<é]|---|\n  |: |- |# |x:1|<<: ){0,80}",
        new in value(),
    ) {
        let marked = format!("{text}\nx: y:1 # {{\"$imagepolicy\": \"ns:web\"}}\nkind: Application # shop\n");
        use_everything(marked.as_bytes(), &new);
        use_everything(format!("shop: x:1 # {{\"$imagepolicy\": \"ns:web\"}}\nkind: Application\n{text}").as_bytes(), &new);
    }

    #[test]
    fn a_damaged_file_is_refused_or_changed_in_one_value(
        chance in proptest::collection::vec(any::<u8>(), 0..200),
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), 0..4u8, any::<u8>()), 1..4),
        sign in proptest::sample::select(vec![
            "\n", "\r", ":", ": ", "- ", "#", " #", "'", "\"", "{", "}", "[", "]", ",", "&a ", "*a", "!x ", "|", "---\n", "\t",
            "<<: *a\n", "? ", "%", "\u{feff}", "\u{2028}", "\u{85}", "{{", "image: x:2\n", "\\",
        ]),
        new in value(),
    ) {
        let yaml = generate::file(&chance);
        let image = "      image: ghcr.io/acme/web:v1 # {\"$imagepolicy\": \"ns:web\"}\n";
        let mut bytes = yaml.text.replacen("    properties:", &format!("    properties:\n{image}      rest:"), 1).into_bytes();
        for (at, kind, byte) in damage {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.truncate(at + 1),
                2 if bytes.len() > 1 => { bytes.remove(at); }
                _ => { bytes.splice(at..at, sign.bytes()); }
            }
        }
        use_everything(&bytes, &new);
    }
}

/// The properties above say something only if the files made by chance have everything in them.
#[test]
fn the_files_made_by_chance_have_everything_in_them() {
    let mut seed = 1_u32;
    let mut byte = move || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seed.to_be_bytes()[0]
    };
    let files: Vec<_> =
        (0..300).map(|_| generate::file(&(0..300).map(|_| byte()).collect::<Vec<u8>>())).collect();
    let share = |name: &str, holds: &dyn Fn(&generate::Yaml) -> bool, least: usize| {
        let found = files.iter().filter(|yaml| holds(yaml)).count() * 100 / files.len();
        assert!(found >= least, "{name}: only {found} % of the files");
    };
    share("read by libyaml", &|yaml| by_libyaml(&yaml.text).is_some(), 60);
    share("read by serde-saphyr", &|yaml| by_saphyr(&yaml.text).is_some(), 90);
    share("ten values and more", &|yaml| yaml.leaves.len() >= 10, 40);
    share("values that may be changed", &|yaml| yaml.leaves.iter().any(|leaf| leaf.editable), 90);
    for sign in [
        "\r\n", "\u{feff}", " # ", " |", "\"", "'", "{", "[", "&a", "!!str ", "\n---", "größe", "\t#",
        "-   ", "\n\n",
    ] {
        share(sign, &|yaml| yaml.text.contains(sign), 5);
    }
    share("no final line break", &|yaml| !yaml.text.ends_with(['\n', '\r']), 5);
    share("another document first", &|yaml| yaml.document == 1, 20);
}
