//! What holds for any tags and any rules.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::cmp::Ordering;

use image_gitops_core::{
    image::Tag,
    policy::{Policy, Range},
    select::Rules,
    tags::TagFilter,
};
use proptest::{prelude::*, sample::select};

/// Tags as registries hold them, near enough to each other to tie and to differ in one place.
fn tag() -> impl Strategy<Value = Tag> {
    let text = prop_oneof![
        "main-[a-f0-9]{7}-[0-9]{1,3}",
        "main-[ab]-[0-9]{16,18}",
        "v?[0-3]\\.[0-3]\\.0?[0-3](-(rc|0)\\.?[0-3])?",
        "0{0,2}[0-9]{1,2}(\\.[0-9]{0,2})?",
        select(vec!["latest", "nan", "inf", "12e5", "a.sig", "_"]).prop_map(str::to_owned),
        "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,12}",
    ];
    text.prop_map(|text| Tag::new(text).unwrap())
}

fn tags() -> impl Strategy<Value = Vec<Tag>> {
    prop::collection::vec(tag(), 0..24)
}

fn rules() -> impl Strategy<Value = Rules> {
    let filter = select(vec![
        (None, None),
        (Some("^main-[a-f0-9]{7}-(?P<ts>[0-9]+)$"), Some("$ts")),
        (Some("-(?P<ts>[0-9]+)"), Some("$ts")),
        (Some("^main-([a-z0-9]*)-([0-9]*)"), Some("$2.$1")),
        (Some("([0-9]+)(rc)?"), Some("$2$1")),
        (Some("^v?[0-9.]+"), Some("$0")),
        (Some("^v"), None),
    ]);
    let policy = (
        select(vec!["numerical", "alphabetical", "semver"]),
        select(vec!["asc", "desc"]),
        select(vec!["*", ">=1.0.0-0", "^1.1 || 2.x", "!=1.2.3", "<2.0.0-rc.1"]),
    );
    (filter, policy).prop_map(|((pattern, extract), (sort, order, range))| Rules {
        filter: TagFilter::new(pattern, extract, &[]).unwrap(),
        policy: Policy::new(Some(sort), Some(order), (sort == "semver").then_some(range)).unwrap(),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(1024), ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_the_list_and_duplicates_in_it_change_nothing(
        rules in rules(),
        (list, shuffled) in tags().prop_flat_map(|list| {
            let twice = [list.clone(), list.clone()].concat();
            (Just(list), Just(twice).prop_shuffle())
        }),
        floors in prop::collection::vec(tag(), 0..3),
    ) {
        let backwards: Vec<&Tag> = floors.iter().rev().collect();
        let floors: Vec<&Tag> = floors.iter().collect();
        let once = rules.select(&list, &floors);
        let twice = rules.select(&shuffled, &backwards);
        prop_assert_eq!(once.newest, twice.newest);
        prop_assert_eq!(once.best, twice.best);
        prop_assert_eq!(once.matched * 2, twice.matched);
        prop_assert_eq!(once.unparsable * 2, twice.unparsable);
        prop_assert_eq!(rules.explain(&list, &floors), rules.explain(&shuffled, &backwards));
    }

    #[test]
    fn the_newest_is_strictly_better_than_every_floor_and_behind_no_tag(
        rules in rules(),
        list in tags(),
        floors in prop::collection::vec(tag(), 0..3),
    ) {
        let selection = rules.select(&list, &floors.iter().collect::<Vec<_>>());
        let better = |tag: &Tag| floors.iter().all(|floor| {
            rules.compare(floor, floor).is_none() || rules.compare(tag, floor) == Some(Ordering::Greater)
        });
        match &selection.newest {
            Some(newest) => {
                prop_assert!(list.contains(newest));
                prop_assert!(better(newest));
                for tag in &list {
                    prop_assert_ne!(rules.compare(tag, newest), Some(Ordering::Greater));
                }
            }
            None => prop_assert!(!list.iter().any(|tag| rules.compare(tag, tag).is_some() && better(tag))),
        }
    }

    #[test]
    fn what_was_chosen_is_the_floor_of_the_next_pass(rules in rules(), list in tags()) {
        if let Some(newest) = rules.select(&list, &[]).newest {
            let next = rules.select(&list, &[&newest]);
            prop_assert_eq!(next.newest, None);
            prop_assert_eq!(next.best, Some(newest));
        }
    }

    #[test]
    fn explain_agrees_with_select_and_tells_every_tag_once(
        rules in rules(),
        list in tags(),
        floors in prop::collection::vec(tag(), 0..3),
    ) {
        let floors: Vec<&Tag> = floors.iter().collect();
        let selection = rules.select(&list, &floors);
        let verdicts = rules.explain(&list, &floors);
        let chosen: Vec<&Tag> = verdicts.iter().filter(|v| v.is_chosen()).map(|v| v.tag).collect();
        prop_assert_eq!(chosen, selection.newest.iter().collect::<Vec<_>>());
        if selection.best.is_some() {
            prop_assert_eq!(verdicts.first().map(|v| v.tag), selection.best.as_ref());
        }
        let mut told: Vec<&Tag> = verdicts.iter().map(|v| v.tag).collect();
        let mut listed: Vec<&Tag> = list.iter().collect();
        told.sort();
        listed.sort();
        listed.dedup();
        prop_assert_eq!(told, listed);
        prop_assert!(verdicts.iter().all(|verdict| !verdict.to_string().is_empty()));
    }

    #[test]
    fn numbers_agree_with_integers(numbers in prop::collection::vec((any::<i128>(), 0_usize..3), 1..12)) {
        let text = |(number, zeros): &(i128, usize)| {
            let sign = if *number < 0 { "-" } else { "" };
            Tag::new(format!("t{sign}{}{}", "0".repeat(*zeros), number.unsigned_abs())).unwrap()
        };
        let list: Vec<Tag> = numbers.iter().map(text).collect();
        let rules = Rules {
            filter: TagFilter::new(Some("^t(.*)$"), Some("$1"), &[]).unwrap(),
            policy: Policy::new(None, None, None).unwrap(),
        };
        for (a, tag) in numbers.iter().zip(&list) {
            for (b, other) in numbers.iter().zip(&list) {
                prop_assert_eq!(rules.compare(tag, other), Some(a.0.cmp(&b.0)));
            }
        }
        let newest = rules.select(&list, &[]).newest.unwrap();
        let greatest = numbers.iter().map(|(number, _)| *number).max().unwrap();
        let key = newest.as_str().trim_start_matches('t');
        prop_assert_eq!(key.parse::<i128>().unwrap(), greatest);
    }

    #[test]
    fn any_rules_are_built_or_refused_and_any_key_is_read(
        pattern in prop_oneof![any::<String>(), "[(?P<ts>\\[\\]a-z0-9+*.\\\\|){}^$-]{0,24}"],
        extract in prop_oneof![any::<String>(), "[${}a-z0-9 ]{0,8}"],
        exclude in prop::collection::vec(any::<String>(), 0..2),
        list in tags(),
        text in any::<String>(),
    ) {
        if let Ok(filter) = TagFilter::new(Some(&pattern), Some(&extract), &exclude) {
            let _ = filter.key(&text);
            for policy in [Policy::new(None, None, None), Policy::new(Some("semver"), None, Some(">=0.0.0-0"))] {
                let rules = Rules { filter: filter.clone(), policy: policy.unwrap() };
                let _ = rules.explain(&list, &[]);
            }
        }
    }

    #[test]
    fn any_range_is_read_or_refused(text in prop_oneof![any::<String>(), "[0-9x*.<>=~^!|, v-]{0,16}"]) {
        if let Ok(range) = Range::new(&text) {
            prop_assert_eq!(Range::new(&range.to_string()).unwrap(), range);
        }
    }
}
