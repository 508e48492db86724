//! Each field of the spec, checked alone.

use std::time::Duration;

use super::{
    DEFAULT_FIELD, DEFAULT_INTERVAL, LEAST_INTERVAL, LONGEST_INTERVAL, ResourceId, SpecError, SpecReason,
};
use crate::{
    platform::Platform,
    policy::Policy,
    spec::{self, Person, PolicySpec, TargetSpec},
    yaml::{FieldPath, Locator},
};

/// How many platforms a resource may ask for.
const MOST_PLATFORMS: usize = 16;

pub(super) fn at<E: Into<SpecReason>>(field: &'static str) -> impl FnOnce(E) -> SpecError {
    move |reason| SpecError { field, reason: reason.into() }
}

pub(super) fn expect(field: &'static str, expected: &'static str, found: String) -> Result<(), SpecError> {
    if found == expected { Ok(()) } else { Err(at(field)(SpecReason::Unexpected { expected, found })) }
}

/// Whether Kubernetes takes it as a name (RFC 1123 subdomain). It ends up in commit trailers, so no white space gets
/// through.
pub(crate) fn is_name(text: &str) -> bool {
    let alphanumeric = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let edges =
        text.as_bytes().first().is_some_and(alphanumeric) && text.as_bytes().last().is_some_and(alphanumeric);
    let inner = text.as_bytes().iter().all(|b| alphanumeric(b) || matches!(b, b'-' | b'.'));
    edges && inner && text.len() <= 253
}

pub(super) fn name(field: &'static str, text: String) -> Result<String, SpecError> {
    if is_name(&text) { Ok(text) } else { Err(at(field)(SpecReason::Name(text))) }
}

pub(super) fn secret(
    field: &'static str,
    reference: Option<spec::SecretRef>,
) -> Result<Option<String>, SpecError> {
    reference.map(|r| name(field, r.name)).transpose()
}

pub(super) fn person(field: &'static str, person: Option<Person>) -> Result<Option<Person>, SpecError> {
    if let Some(person) = &person {
        for text in [&person.name, &person.email] {
            if text.trim().is_empty() {
                return Err(at(field)(SpecReason::Empty("a commit needs a name and an address")));
            }
            if text.contains(['<', '>', '\n', '\r', '\0']) {
                return Err(at(field)(SpecReason::Person(text.clone())));
            }
        }
    }
    Ok(person)
}

pub(super) fn platforms(texts: &[String]) -> Result<Vec<Platform>, SpecError> {
    if texts.len() > MOST_PLATFORMS {
        return Err(at("spec.tags.platforms")(SpecReason::Conflict(
            "no more than 16 platforms can be asked for",
        )));
    }
    texts.iter().map(|text| text.parse()).collect::<Result<_, _>>().map_err(at("spec.tags.platforms"))
}

pub(super) fn policy(spec: PolicySpec) -> Result<Policy, SpecError> {
    let flux = [spec.numerical.is_some(), spec.alphabetical.is_some(), spec.semver.is_some()];
    let own = spec.sort.is_some() || spec.order.is_some() || spec.range.is_some();
    match flux.iter().filter(|given| **given).count() {
        0 => {}
        1 if own => {
            return Err(at("spec.policy")(SpecReason::Conflict(
                "`sort`, `order` and `range` are one shape, `numerical`, `alphabetical` and `semver` another: keep one",
            )));
        }
        1 => {}
        _ => {
            return Err(at("spec.policy")(SpecReason::Conflict(
                "keep one of `numerical`, `alphabetical`, `semver`",
            )));
        }
    }
    let policy = if let Some(flux) = spec.numerical {
        Policy::flux_numerical(flux.order.as_deref())
    } else if let Some(flux) = spec.alphabetical {
        Policy::flux_alphabetical(flux.order.as_deref())
    } else if let Some(flux) = spec.semver {
        Policy::flux_semver(&flux.range)
    } else {
        Policy::new(spec.sort.as_deref(), spec.order.as_deref(), spec.range.as_deref())
    };
    policy.map_err(at("spec.policy"))
}

pub(super) fn target(
    spec: Option<TargetSpec>,
    id: &ResourceId,
    namespace: Option<String>,
) -> Result<Locator, SpecError> {
    let conflict = |text| Err(at("spec.target")(SpecReason::Conflict(text)));
    let Some(spec) = spec else {
        return Ok(Locator::Marker { policy: format!("{}:{}", id.namespace, id.name) });
    };
    match (spec.marker, spec.application, spec.component) {
        (Some(policy), None, None) if spec.path.is_none() => match policy.split_once(':') {
            Some((namespace, marker_name)) if !namespace.is_empty() && !marker_name.is_empty() => {
                Ok(Locator::Marker { policy })
            }
            _ => conflict(
                "`marker` is written namespace:name, as in the comment {\"$imagepolicy\": \"namespace:name\"}",
            ),
        },
        (Some(_), _, _) => conflict("`marker` stands alone, without `application`, `component` and `path`"),
        (None, Some(application), Some(component)) if !application.is_empty() && !component.is_empty() => {
            Ok(Locator::Field {
                application,
                namespace,
                component,
                path: FieldPath::new(spec.path.as_deref().unwrap_or(DEFAULT_FIELD))
                    .map_err(at("spec.target.path"))?,
            })
        }
        _ => conflict(
            "name `application` and `component`, or give a `marker`, or leave `target` out to use markers of this resource's name",
        ),
    }
}

pub(super) fn interval(text: Option<&str>) -> Result<Duration, SpecError> {
    text.map_or(Ok(DEFAULT_INTERVAL), |text| parse_interval(text).map_err(at("spec.interval")))
}

/// Parses `1h30m`, `2m`, `10s`, as Kubernetes writes lengths of time. Less than [`LEAST_INTERVAL`] is refused, and more
/// than [`LONGEST_INTERVAL`].
pub fn parse_interval(text: &str) -> Result<Duration, SpecReason> {
    match parse_duration(text)? {
        interval if interval < LEAST_INTERVAL => Err(SpecReason::IntervalTooShort(text.to_owned())),
        interval if interval > LONGEST_INTERVAL => Err(SpecReason::IntervalTooLong(text.to_owned())),
        interval => Ok(interval),
    }
}

/// Parses a length of time.
pub(super) fn parse_duration(text: &str) -> Result<Duration, SpecReason> {
    let malformed = || SpecReason::Interval(text.to_owned());
    let mut seconds: u64 = 0;
    let mut rest = text;
    let mut last_unit = u64::MAX;
    while !rest.is_empty() || text.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, tail) = rest.split_at(digits);
        let (unit, tail) = match tail.as_bytes().first() {
            Some(b'h') => (3600, tail.get(1..)),
            Some(b'm') => (60, tail.get(1..)),
            Some(b's') => (1, tail.get(1..)),
            _ => return Err(malformed()),
        };
        // Each unit once, the largest first: `2m2m` is more likely a slip than a wish.
        if unit >= last_unit {
            return Err(malformed());
        }
        last_unit = unit;
        let number: u64 = number.parse().map_err(|_| malformed())?;
        seconds = number.checked_mul(unit).and_then(|n| seconds.checked_add(n)).ok_or_else(malformed)?;
        rest = tail.unwrap_or_default();
    }
    Ok(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> Option<u64> {
        interval(Some(text)).ok().map(|d| d.as_secs())
    }

    #[test]
    fn an_interval_is_written_as_kubernetes_does() {
        assert_eq!(interval(None).unwrap(), DEFAULT_INTERVAL);
        assert_eq!(seconds("10s"), Some(10));
        assert_eq!(seconds("2m"), Some(120));
        assert_eq!(seconds("1h30m"), Some(5400));
        assert_eq!(seconds("8760h"), Some(365 * 24 * 3600));
        for bad in [
            "",
            "2",
            "m",
            "2d",
            "-2m",
            "2m2m",
            "1.5m",
            "99999999999999999999h",
            "5000000000000000h",
            "8760h1s",
            "9s",
            "0m",
            "2 m",
        ] {
            assert_eq!(seconds(bad), None, "{bad:?} was taken");
        }
    }

    #[test]
    fn names_that_could_forge_a_trailer_are_refused() {
        for bad in ["", "A", "a b", "a\nb", "-a", "a-", "é", &"a".repeat(254)] {
            assert!(name("metadata.name", bad.to_owned()).is_err(), "{bad:?} was taken");
        }
        assert!(name("metadata.name", "backoffice-dev.back-2".into()).is_ok());
    }

    #[test]
    fn the_same_order_word_keeps_the_meaning_of_the_shape_it_is_written_in() {
        let own =
            |order: &str| policy(PolicySpec { order: Some(order.into()), ..PolicySpec::default() }).unwrap();
        let flux = |order: &str| {
            let numerical = Some(spec::FluxOrder { order: Some(order.into()) });
            policy(PolicySpec { numerical, ..PolicySpec::default() }).unwrap()
        };
        assert_eq!(own("desc").to_string(), flux("asc").to_string());
        assert_eq!(own("asc").to_string(), flux("desc").to_string());
        assert_ne!(own("asc").to_string(), own("desc").to_string());
    }
}
