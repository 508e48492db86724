//! `Link`: where the next page is (RFC 8288), as registries really send it.

use crate::http::parameter;

/// The target of the first link whose relation is `next`, as sent.
///
/// Taken as well: targets without angle brackets, relations without quotes or in capitals, several headers, and several
/// links in one.
pub(crate) fn next<'a>(headers: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    headers.into_iter().find_map(|header| {
        let mut rest = header;
        loop {
            rest = rest.trim_start_matches([' ', '\t', ',']);
            if rest.is_empty() {
                return None;
            }
            let (target, after) = target_of(rest);
            let (is_next, after) = parameters(after);
            if is_next {
                return Some(target);
            }
            rest = after;
        }
    })
}

/// A link's target, and what comes after it.
fn target_of(text: &str) -> (&str, &str) {
    match text.strip_prefix('<').and_then(|inner| inner.split_once('>')) {
        Some((target, after)) => (target.trim(), after),
        // Without brackets only the semicolon says where the target ends: a cursor may hold commas.
        None => {
            let (target, after) = text.split_at(text.find(';').unwrap_or(text.len()));
            (target.trim(), after)
        }
    }
}

/// Reads `; name=value` up to the comma that ends a link: whether `next` is among its relations, and what comes after.
fn parameters(text: &str) -> (bool, &str) {
    let mut rest = text;
    let mut relation: Option<String> = None;
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        let Some(parameter) = rest.strip_prefix(';') else { break };
        let end = parameter.find(['=', ';', ',']).unwrap_or(parameter.len());
        let (name, after) = parameter.split_at(end);
        rest = after;
        if let Some(value) = after.strip_prefix('=') {
            let (value, after) = parameter::value(value, &[';', ',']);
            if name.trim().eq_ignore_ascii_case("rel") && relation.is_none() {
                relation = Some(value);
            }
            rest = after;
        }
    }
    // What stands before the comma now is no parameter: it belongs to nothing.
    let after = rest.find(',').and_then(|comma| rest.get(comma..)).unwrap_or_default();
    let is_next = relation
        .is_some_and(|relation| relation.split_whitespace().any(|one| one.eq_ignore_ascii_case("next")));
    (is_next, after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_links_of_registries_are_understood() {
        for (headers, target) in [
            (&[r#"</v2/o/n/tags/list?last=b&n=2>; rel="next""#][..], Some("/v2/o/n/tags/list?last=b&n=2")),
            (
                &[r#"<https://ghcr.io/v2/o/n/tags/list?last=b>; rel="next""#],
                Some("https://ghcr.io/v2/o/n/tags/list?last=b"),
            ),
            (&["/v2/o/n/tags/list?next_page=gA,B; rel=next"], Some("/v2/o/n/tags/list?next_page=gA,B")),
            (&[r#"<?last=b>;REL="Next""#], Some("?last=b")),
            (&[r#"< /a > ; rel = next ; title="x""#], Some("/a")),
            (
                &[r#"</first>; rel="first", </a,b;c>; title="x, y; rel=next"; rel="prev next""#],
                Some("/a,b;c"),
            ),
            (&[r#"</p>; rel="prev""#, r#"</n>; rel="next""#], Some("/n")),
            (&[r#"</n>; rel; rel="next""#], Some("/n")),
            (&[r#"</n>; rel="prev"; rel="next""#], None),
            (&[r#"</n>; rel="nextish""#], None),
            (&[r#"</n> rel="next""#], None),
            (&["</n>"], None),
            (&["<"], None),
            (&["", ";;,,"], None),
            (&[], None),
        ] {
            assert_eq!(next(headers.iter().copied()), target, "{headers:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_a_registry_sends_makes_it_panic(header in ".*", likely in r#"[<>a-z=;", \\?/]*"#) {
            let _ = next([header.as_str(), likely.as_str()]);
        }

        #[test]
        fn a_link_is_found_wherever_it_stands(
            others in prop::collection::vec("/[a-z0-9?=&,;.]{0,20}", 0..4),
            target in "/[a-zA-Z0-9?=&,;.%-]{0,40}",
            title in r#"[ !#-\[\]-~]{0,20}"#,
            quoted in any::<bool>(),
        ) {
            let mut header = String::new();
            for other in others {
                header.push_str(&format!("<{other}>; title=\"{title}\"; rel=\"prev\", "));
            }
            let relation = if quoted { "\"next\"" } else { "next" };
            header.push_str(&format!("<{target}>; title=\"{title}\"; rel={relation}, </z>; rel=last"));
            prop_assert_eq!(next([header.as_str()]), Some(target.as_str()));
        }
    }
}
