//! What a manifest answers beside one edit: which Applications and markers it holds, and what it refuses to be asked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use image_gitops_core::yaml::{
    Change, FieldPath, Locator, MAX_BYTES, Manifest, Marker, Part, Site, YamlReason, mentions,
};

const FILE: &str = "\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: shop}
spec:
  components:
    - name: web
      properties:
        image: ghcr.io/acme/web:v1 # {\"$imagepolicy\": \"ns:web\"}
---
apiVersion: apps/v1
kind: Deployment
image: ghcr.io/acme/api:v1 # {\"$imagepolicy\": \"ns:api:tag\"}
other: ghcr.io/acme/api:v1 # {\"$imagepolicy\": ns:api}
";

fn manifest(text: &str) -> Manifest<'_> {
    Manifest::parse("app.yaml", text.as_bytes()).unwrap()
}

fn web() -> Locator {
    Locator::Field {
        application: "shop".into(),
        namespace: None,
        component: "web".into(),
        path: FieldPath::new("properties.image").unwrap(),
    }
}

fn marked(policy: &str) -> Locator {
    Locator::Marker { policy: policy.into() }
}

fn change(site: &Site, value: &str) -> Change {
    Change { site: site.clone(), value: value.into() }
}

#[test]
fn a_field_and_a_marker_on_it_are_the_same_site() {
    let manifest = manifest(FILE);
    let site = manifest.locate(&web()).unwrap().remove(0);
    assert_eq!(manifest.locate(&marked("ns:web")).unwrap(), vec![site.clone()]);
    assert_eq!((site.line, site.column, site.part, site.pinned), (8, 16, Part::Reference, false));
    assert_eq!(&FILE[site.span.clone()], "ghcr.io/acme/web:v1");
}

#[test]
fn a_publish_version_is_that_of_the_application_around_a_site() {
    let text = FILE.replace("{name: shop}", "{name: shop, annotations: {app.oam.dev/publishVersion: v1}}");
    let manifest = manifest(&text);
    let around = |policy| manifest.publish_version(&manifest.locate(&marked(policy)).unwrap()[0]).unwrap();
    assert_eq!(around("ns:web").map(|site| (site.line, site.value)), Some((3, "v1".into())));
    assert_eq!(around("ns:api"), None);
}

#[test]
fn all_markers_are_listed_and_the_malformed_ones_told_apart() {
    let marker = |policy: &str, part, line, valid| Marker { policy: policy.into(), part, line, valid };
    assert_eq!(
        manifest(FILE).markers(),
        [
            marker("ns:web", Part::Reference, 8, true),
            marker("ns:api", Part::Tag, 12, true),
            marker("# {\"$imagepolicy\": ns:api}", Part::Reference, 13, false),
        ]
    );
}

#[test]
fn an_application_is_there_or_not_or_cannot_be_told() {
    assert!(manifest(FILE).has_application("shop", None).unwrap());
    assert!(!manifest(FILE).has_application("web", None).unwrap());
    assert!(manifest(FILE).has_application("shop", Some("dev")).unwrap(), "the file names no namespace");
    let named = FILE.replace("{name: shop}", "{name: shop, namespace: dev}");
    assert!(manifest(&named).has_application("shop", Some("dev")).unwrap());
    assert!(!manifest(&named).has_application("shop", Some("prod")).unwrap());
    assert!(
        !manifest("[").has_application("shop", None).unwrap(),
        "a file that does not name it cannot hold it"
    );
    let broken = "kind: Application\nname: shop\nx: [";
    let error = manifest(broken).has_application("shop", None).expect_err("it may hold it");
    assert!(matches!(*error.reason, YamlReason::Syntax(_)));
}

#[test]
fn a_site_of_another_file_is_refused() {
    let site = manifest(FILE).locate(&web()).unwrap().remove(0);
    let same_bytes_other_value = FILE.replace("web:v1", "web:v0");
    let moved = format!("# new\n{FILE}");
    for text in [same_bytes_other_value.as_str(), moved.as_str(), "", "a: b"] {
        let error = manifest(text).edit(&[change(&site, "x:2")]).expect_err(text);
        assert!(matches!(*error.reason, YamlReason::Stale(_)), "{error:?}");
    }
}

#[test]
fn a_made_up_site_is_refused_as_if_it_had_been_looked_for() {
    let text = "a: &x v1\nb: *x\n";
    let made_up = Site { span: 6..8, value: "v1".into(), line: 1, column: 7, part: Part::Tag, pinned: false };
    let error = manifest(text).edit(&[change(&made_up, "v2")]).expect_err("b would change too");
    assert!(matches!(*error.reason, YamlReason::Shared { .. }), "{error:?}");
    #[allow(clippy::reversed_empty_ranges, reason = "that is the point")]
    for span in [0..1, 3..8, 6..9, 100..200, 8..6, 0..0] {
        let site = Site { span, ..made_up.clone() };
        assert!(manifest("a: &x v1\n").edit(&[change(&site, "v2")]).is_err(), "{site:?}");
    }
}

#[test]
fn one_place_takes_one_value() {
    let manifest = manifest(FILE);
    let site = manifest.locate(&web()).unwrap().remove(0);
    let error = manifest.edit(&[change(&site, "x:2"), change(&site, "x:3")]).expect_err("two values");
    assert!(matches!(*error.reason, YamlReason::Conflict { .. }));
    let twice = manifest.edit(&[change(&site, "x:2"), change(&site, "x:2")]).unwrap();
    assert_eq!(twice, FILE.replace("ghcr.io/acme/web:v1", "x:2").into_bytes());
    assert_eq!(manifest.edit(&[]).unwrap(), FILE.as_bytes());
}

#[test]
fn five_megabytes_are_edited_like_a_small_file() {
    let item = |n: usize| {
        format!("    - name: other-{n} # the {n}th\n      properties: {{image: 'a/b:{n}', port: 80}}\n")
    };
    let one: String = (0..80_000).map(item).collect();
    let many: String = (0..50_000)
        .map(|n| format!("kind: Other\nmetadata: {{name: shop-{n}}}\nimage: a/b:{n}\n---\n"))
        .collect();
    let head = "    - name: web\n";
    let in_one_document = FILE.replacen(head, &format!("{one}{head}"), 1);
    let among_many = many.repeat(2) + FILE;
    for text in [in_one_document, among_many] {
        assert!(text.len() > 5_000_000, "{} bytes", text.len());
        let manifest = manifest(&text);
        let site = manifest.locate(&web()).unwrap().remove(0);
        let edited = manifest.edit(&[change(&site, "ghcr.io/acme/web:v2")]).unwrap();
        // Too long to be shown where it is not so.
        assert!(
            edited
                == text.replacen("image: ghcr.io/acme/web:v1", "image: ghcr.io/acme/web:v2", 1).into_bytes()
        );
    }
}

/// Only a part of such a document is parsed; nothing must tell.
#[test]
fn a_large_document_is_answered_as_a_small_one() {
    let item = |n: usize| {
        format!(
            "    - name: other-{n}\n      properties:\n        image: a/b:{n} # {{\"$imagepolicy\": \"ns:other-{n}\"}}\n        \
             args:\n          - -c\n          - |\n            - name: web\n"
        )
    };
    // In the text of block scalars the name stands everywhere.
    let others: String =
        (0..1500).map(|n| item(n).replace("web", if n % 100 == 0 { "web" } else { "wob" })).collect();
    let head = "    - name: web\n";
    let small = FILE.replace("name: shop", "name: shop, annotations: {app.oam.dev/publishVersion: v1}");
    let text = small.replacen(head, &format!("{others}{head}"), 1);
    let added = others.lines().count();
    let manifest = manifest(&text);
    assert!(manifest.has_application("shop", None).unwrap());
    let site = manifest.locate(&web()).unwrap().remove(0);
    assert_eq!((site.line, site.column), (8 + added, 16));
    assert_eq!(manifest.locate(&marked("ns:web")).unwrap(), vec![site.clone()]);
    let other = manifest.locate(&marked("ns:other-7")).unwrap().remove(0);
    assert_eq!((other.line, other.value.as_str()), (5 + 7 * 7 + 3, "a/b:7"));
    let version = manifest.publish_version(&site).unwrap().unwrap();
    let changes = [change(&site, "x:2"), change(&other, "x:3"), change(&version, "v2")];
    let edited = manifest.edit(&changes).unwrap();
    let expected = text
        .replace("ghcr.io/acme/web:v1", "x:2")
        .replace("a/b:7 ", "x:3 ")
        .replace("publishVersion: v1", "publishVersion: v2");
    assert!(edited == expected.as_bytes());
    assert_eq!(manifest.markers().len(), 1500 + 3);

    let refused = |text: &str, target: &Locator| {
        let error = self::manifest(text).locate(target).expect_err("it cannot be told");
        (error.at.map(|at| at.line), *error.reason)
    };
    let Locator::Field { application, namespace, path, .. } = web() else { panic!() };
    let missing = Locator::Field { application, namespace, path, component: "wbe".into() };
    let (_, reason) = refused(&text, &missing);
    let YamlReason::NoComponent { found, .. } = reason else { panic!("{reason:?}") };
    assert_eq!((found.len(), found.last().map(String::as_str)), (1501, Some("web")), "all names are listed");
    let twice = text.replacen(head, &format!("{head}      type: a\n{head}"), 1);
    assert!(matches!(refused(&twice, &web()), (_, YamlReason::TwoItems { .. })));
    let broken = text.replacen("a/b:1499 ", "[ ", 1);
    assert!(matches!(refused(&broken, &web()), (Some(line), YamlReason::Syntax(_)) if line > 10_000));
    let aliased = text.replacen("image: ghcr.io", "image: &web ghcr.io", 1).replacen(
        "\n---\n",
        "\n  x: *web\n---\n",
        1,
    );
    assert!(matches!(refused(&aliased, &web()), (_, YamlReason::Shared { .. })));
}

/// Many resources may lie in one document: it is parsed as a whole then, and goes on to give the same answers.
#[test]
fn a_large_document_is_asked_many_times() {
    let item = |n: usize| format!("    - name: c-{n}\n      properties: {{image: 'a/b:{n}'}}\n");
    let components: String = (0..2000).map(item).collect();
    let text = FILE.replacen("    - name: web\n", &format!("{components}    - name: web\n"), 1);
    let manifest = manifest(&text);
    let sites = (0..100).map(|n| {
        let component = format!("c-{}", n * 20);
        let Locator::Field { application, namespace, path, .. } = web() else { panic!() };
        manifest.locate(&Locator::Field { application, namespace, path, component }).unwrap().remove(0)
    });
    let sites: Vec<Site> = sites.collect();
    assert!(sites.iter().enumerate().all(|(n, site)| site.value == format!("a/b:{}", n * 20)));
    let changes: Vec<Change> = sites.iter().map(|site| change(site, "x:2")).collect();
    let edited = String::from_utf8(manifest.edit(&changes).unwrap()).unwrap();
    assert_eq!(edited.matches("image: 'x:2'").count(), 100);
}

#[test]
fn a_file_over_the_limit_is_refused() {
    let error = Manifest::parse("f", &vec![b' '; MAX_BYTES + 1]).expect_err("it is too large");
    assert!(matches!(*error.reason, YamlReason::TooLarge { .. }));
    assert!(Manifest::parse("f", &vec![b' '; MAX_BYTES]).is_ok());
}

#[test]
fn bombs_are_refused_or_cost_nothing() {
    let marker = "x: y:1 # {\"$imagepolicy\": \"ns:web\"}\n";
    let depth = 200_000;
    for bomb in [
        "[".repeat(depth),
        "{a: ".repeat(depth),
        "- ".repeat(depth),
        (0..3000).map(|n| format!("{}a:\n", " ".repeat(n))).collect(),
        "? ".repeat(depth),
        "!a &b ".repeat(depth),
        "#\n".repeat(depth),
    ] {
        let text = format!("{marker}bomb:\n {bomb}");
        assert!(manifest(&text).locate(&marked("ns:web")).is_err());
    }
    // Nine levels of ten aliases each would be a thousand million values if they were followed.
    let laughs: String =
        (1..10).map(|n| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(", "))).collect();
    let text = format!("a0: &a0 ha\n{laughs}merged: {{<<: [*a9, *a9]}}\n{marker}");
    assert_eq!(manifest(&text).locate(&marked("ns:web")).unwrap().len(), 1);
    // A million values and more in one document.
    let text = format!("{marker}bomb: [{}]\n", "a,".repeat(1_000_001));
    let error = manifest(&text).locate(&marked("ns:web")).expect_err("too many values");
    assert!(matches!(*error.reason, YamlReason::TooManyNodes { .. }), "{error:?}");
}

#[test]
fn a_file_is_chosen_by_what_it_mentions() {
    assert!(mentions(FILE.as_bytes(), "shop"));
    assert!(mentions(FILE.as_bytes(), "ns:web"));
    assert!(!mentions(FILE.as_bytes(), "store"));
}
