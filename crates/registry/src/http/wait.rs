//! How long a registry asks to wait.
//!
//! Three forms are in use: `Retry-After` in seconds, `Retry-After` as a date (RFC 9110, section 10.2.3), and GHCR's
//! words in the body, with a duration as Go prints it: `retry-after: 1.16676ms, allowed: 44000/minute`.

use std::time::{Duration, SystemTime};

/// The wait that an answer asks for, from its `Retry-After` header or else its body; a date in the past is no wait.
pub(crate) fn asked(header: Option<&str>, body: &[u8], now: SystemTime) -> Option<Duration> {
    header.and_then(|value| from_header(value, now)).or_else(|| from_body(body))
}

fn from_header(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    if let Ok(date) = httpdate::parse_http_date(value) {
        return Some(date.duration_since(now).unwrap_or_default());
    }
    // Not in the RFC, but sent: the same as in the body.
    go_duration(value)
}

fn from_body(body: &[u8]) -> Option<Duration> {
    const MARK: &[u8] = b"retry-after:";
    let at = body.windows(MARK.len()).position(|window| window.eq_ignore_ascii_case(MARK))?;
    let rest = body.get(at + MARK.len()..)?;
    let rest = String::from_utf8_lossy(rest.get(..64).unwrap_or(rest));
    let rest = rest.trim_start();
    let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '.')).unwrap_or(rest.len());
    go_duration(rest.get(..end)?)
}

/// Parses what Go's `time.Duration` prints: `1h2m3.5s`, `1.16676ms`, `50µs`.
fn go_duration(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let (number, after) = rest.split_at_checked(end)?;
        let number: f64 = number.parse().ok()?;
        let end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(end)?;
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        total = total.checked_add(Duration::try_from_secs_f64(number * seconds).ok()?)?;
        rest = after;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn the_forms_in_use_are_understood() {
        let now = at(1_700_000_000);
        let later = httpdate::fmt_http_date(at(1_700_000_030));
        let earlier = httpdate::fmt_http_date(at(1_600_000_000));
        let ghcr = br#"{"errors":[{"code":"TOOMANYREQUESTS","message":"retry-after: 1.16676ms, allowed: 44000/minute"}]}"#;
        for (header, body, wait) in [
            (Some("2"), &b""[..], Some(Duration::from_secs(2))),
            (Some(" 0 "), b"", Some(Duration::ZERO)),
            (Some(later.as_str()), b"", Some(Duration::from_secs(30))),
            (Some(earlier.as_str()), b"", Some(Duration::ZERO)),
            (Some("1m30s"), b"", Some(Duration::from_secs(90))),
            (None, ghcr, Some(Duration::from_nanos(1_166_760))),
            (None, b"Retry-After:  250\xc2\xb5s", Some(Duration::from_micros(250))),
            (None, b"RETRY-AFTER: 1h0m1.5s", Some(Duration::from_millis(3_601_500))),
            (Some("3"), b"retry-after: 9s", Some(Duration::from_secs(3))),
            (Some("soon"), b"retry-after: 9s", Some(Duration::from_secs(9))),
            (None, b"retry-after: ", None),
            (None, b"retry-after: 9", None),
            (None, b"retry-after: 9 seconds", None),
            (Some("-1"), b"", None),
            (Some("soon"), b"slow down", None),
        ] {
            assert_eq!(asked(header, body, now), wait, "{header:?} {}", String::from_utf8_lossy(body));
        }
    }

    proptest! {
        #[test]
        fn nothing_a_registry_sends_makes_it_panic(header in ".*", body in any::<Vec<u8>>(), text in "[0-9.a-zµ:-]*") {
            let _ = asked(Some(&header), &body, SystemTime::now());
            let _ = asked(None, format!("retry-after: {text}").as_bytes(), SystemTime::now());
            let _ = asked(Some(&text), &[], SystemTime::UNIX_EPOCH);
        }

        #[test]
        fn a_duration_that_go_prints_is_read_back(h in 0u64..1000, m in 0u64..60, s in 0u64..60, ms in 0u64..1000) {
            let text = format!("{h}h{m}m{s}.{ms:03}s");
            let wait = Duration::from_millis(((h * 60 + m) * 60 + s) * 1000 + ms);
            let read = asked(None, format!("toomanyrequests: retry-after: {text}, allowed").as_bytes(), at(0)).unwrap();
            prop_assert!(read.abs_diff(wait) < Duration::from_micros(1), "{text}: {read:?}");
        }

        #[test]
        fn a_date_that_is_printed_is_read_back(now in 0u64..4_000_000_000, wait in 0u64..1_000_000) {
            let date = httpdate::fmt_http_date(at(now + wait));
            prop_assert_eq!(asked(Some(&date), &[], at(now)), Some(Duration::from_secs(wait)));
        }
    }
}
