//! What is left out must never be seen: every answer is that of the whole tree, for files of every kind made by chance.

use proptest::prelude::*;

use super::{
    texts::{Chance, components, lines, text},
    *,
};
use crate::yaml::{FieldPath, Part, outline::Outline, tree::Kind};

fn manifest(text: &str, large: usize) -> Manifest<'_> {
    Manifest { large, ..Manifest::parse("f", text.as_bytes()).unwrap() }
}

/// Asks the same of the whole file and of one that is lean wherever it can be; gives the answer.
fn same<T: PartialEq + std::fmt::Debug>(text: &str, ask: impl Fn(&Manifest<'_>) -> T) -> T {
    let (whole, lean) = (ask(&manifest(text, usize::MAX)), ask(&manifest(text, 0)));
    assert_eq!(whole, lean, "\n{text}");
    whole
}

fn field(component: &str, path: &str) -> Locator {
    let (application, component) = ("shop".into(), component.into());
    Locator::Field { application, namespace: None, component, path: FieldPath::new(path).unwrap() }
}

/// All sites that there can be, as one who makes them up would have them.
fn made_up(text: &str) -> Vec<Site> {
    let manifest = manifest(text, usize::MAX);
    let trees = manifest.documents.iter().filter_map(|document| manifest.tree(document).ok());
    let nodes = trees.flat_map(|tree| tree.nodes.iter());
    nodes
        .filter(|node| matches!(node.kind, Kind::Scalar(_)))
        .map(|node| Site {
            span: node.span(),
            value: node.value.to_string(),
            line: 1,
            column: 1,
            part: Part::Reference,
            pinned: false,
        })
        .collect()
}

fn answers_are_the_same(text: &str, new: &str) {
    if Manifest::parse("f", text.as_bytes()).is_err() {
        return;
    }
    for name in ["shop", "a", "web"] {
        let _ = same(text, |manifest| manifest.has_application(name, None));
    }
    same(text, |manifest| manifest.markers());
    let mut sites = made_up(text);
    for target in [
        field("web", "image"),
        field("web", "properties.image"),
        field("web", "list[1].image"),
        field("web", "list[n=b].image"),
        field("c2", "list[n=a].image"),
        field("missing", "image"),
        Locator::Marker { policy: "ns:web".into() },
    ] {
        sites.extend(same(text, |manifest| manifest.locate(&target)).unwrap_or_default());
    }
    for site in sites {
        let _ = same(text, |manifest| manifest.publish_version(&site));
        let changes = [Change { site, value: new.to_owned() }];
        let _ = same(text, |manifest| manifest.edit(&changes));
    }
}

/// Cuts a text at its outline, with the given bytes as hits, and compares the lean tree with the whole one.
fn trees_are_the_same(text: &str, hits: &[usize], inside: bool) -> bool {
    let outline = Outline::of(text);
    let (cuts, most) = outline.cuts(hits, inside);
    let (mut excerpt, mut places) = (String::new(), Places::default());
    for part in without(0..text.len(), &cuts) {
        places.push(excerpt.len(), part.start);
        excerpt.push_str(&text[part]);
    }
    let lean = Tree::parse(&excerpt, &places);
    let whole = Tree::parse(text, &Places::from(0));
    let (whole, lean) = match (whole, lean) {
        (Ok(whole), Ok(lean)) => (whole, lean),
        (Err(_), Err(_)) => return false,
        (whole, lean) => panic!("whole: {} lean: {}\n{text}\n=>\n{excerpt}", whole.is_ok(), lean.is_ok()),
    };
    // An item was cut where its first node stands in a cut; one without a value where its dash does.
    let is_cut = |at: usize| cuts.iter().any(|cut| cut.contains(&at));
    let cut_items: Vec<std::ops::Range<usize>> = (0..whole.nodes.len())
        // The bracket of a list in brackets is its span; the others have none.
        .filter(|at| whole.kind(*at) == Some(Kind::Seq) && whole.nodes[*at].span().is_empty())
        .flat_map(|list| whole.children(list).map(|item| item..whole.next(item)).collect::<Vec<_>>())
        .filter(|item| {
            let first = &whole.nodes[item.start];
            match first.kind {
                Kind::Scalar(_) if first.span().is_empty() => {
                    is_cut(text[..first.span().start].rfind('-').unwrap())
                }
                _ => is_cut(first.span().start),
            }
        })
        .collect();
    let kept: Vec<usize> =
        (0..whole.nodes.len()).filter(|at| !cut_items.iter().any(|item| item.contains(at))).collect();
    assert!(whole.nodes.len() - kept.len() <= most, "more nodes than counted\n{text}");
    let shown = |tree: &Tree<'_>, at: usize, number: &dyn Fn(usize) -> usize| {
        let node = tree.node(at).unwrap();
        let kind = match node.kind {
            Kind::Alias(target) => Kind::Alias(number(target as usize) as u32),
            kind => kind,
        };
        let around: Vec<usize> = tree.outwards(at).map(number).collect();
        let flags = (node.in_key, node.anchored, node.aliased);
        (
            kind,
            node.value.to_string(),
            node.span(),
            flags,
            tree.tag(at).map(str::to_owned),
            around,
            number(tree.next(at)),
        )
    };
    let number = |at: usize| kept.partition_point(|kept| *kept < at);
    let of_whole: Vec<_> = kept.iter().map(|at| shown(&whole, *at, &number)).collect();
    let of_lean: Vec<_> = (0..lean.nodes.len()).map(|at| shown(&lean, at, &|at| at)).collect();
    assert_eq!(of_whole, of_lean, "\n{text}\n=>\n{excerpt}");
    let comments = |tree: &Tree<'_>| {
        tree.comments.iter().filter(|span| !is_cut(span.start as usize)).cloned().collect::<Vec<_>>()
    };
    assert_eq!(comments(&whole), comments(&lean), "\n{text}\n=>\n{excerpt}");
    !cuts.is_empty()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_left_out_is_yaml_and_changes_no_other_node(
        text in text(),
        hits in prop::collection::vec(any::<prop::sample::Index>(), 0..3),
        inside in any::<bool>(),
    ) {
        let mut hits: Vec<usize> = hits.iter().map(|hit| hit.index(text.len() + 1)).collect();
        hits.sort_unstable();
        trees_are_the_same(&text, &hits, inside);
    }

    #[test]
    fn a_lean_answer_is_the_whole_one(text in text(), new in "[a-z:.-]{1,8}") {
        answers_are_the_same(&text, &new);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_word_is_seen_however_it_is_written(
        word in "[a-c/:]{1,5}",
        around in "[a-c]{0,2}",
        ways in prop::collection::vec(0..8u8, 5),
    ) {
        let write = |(character, way): (char, &u8)| match way {
            0 => format!("\\x{:02x}", character as u32),
            1 => format!("\\u{:04X}", character as u32),
            2 => format!("\\U{:08x}", character as u32),
            3 if character == '/' => "\\/".to_owned(),
            4 => format!("\\\n  {character}"),
            _ => character.to_string(),
        };
        let written: String = word.chars().zip(&ways).map(write).collect();
        let text = format!("{around}: \"{written}\"\n");
        let tree = Tree::parse(&text, &Places::from(0));
        prop_assert!(tree.is_ok_and(|tree| tree.nodes.iter().any(|node| node.value == word)), "{}", text);
        prop_assert!(document::may_hold(&text, &word), "{}", text);
    }
}

/// The properties above say something only if much is left out.
#[test]
fn much_is_left_out_of_the_files_made_by_chance() {
    let mut seed = 1_u32;
    let mut byte = move || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seed.to_be_bytes()[0]
    };
    let mut count = |make: fn(&mut Chance<'_>) -> String, shown: fn(&str) -> bool| {
        let texts = (0..500).map(|_| make(&mut Chance::new(&(0..300).map(|_| byte()).collect::<Vec<u8>>())));
        texts.filter(|text| shown(text)).count() / 5
    };
    let located = |text: &str| {
        let (manifest, target) = (manifest(text, 0), field("web", "image"));
        manifest.lean(&Concern::target(&target)).is_some_and(|lean| lean.locate(&target).is_ok())
    };
    let (cut, lean) = (count(lines, |text| trees_are_the_same(text, &[], true)), count(components, located));
    assert!(cut >= 20 && lean >= 20, "{cut} % cut, {lean} % located");
}
