//! Decimal numbers of any length, compared digit by digit: a float would take two timestamps of 17 digits for equal.

use std::{borrow::Cow, cmp::Ordering};

/// A decimal number: an optional sign, digits, and optionally a point and digits. Zeros that change nothing do not count:
/// `0010` equals `10`, `1.50` equals `1.5`, `-0` equals `0`. `inf`, `nan`, exponents and hexadecimal are no numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number<'k> {
    negative: bool,
    /// Without leading zeros; empty for zero.
    integer: Cow<'k, str>,
    /// Without trailing zeros.
    fraction: Cow<'k, str>,
}

impl<'k> Number<'k> {
    /// Reads a number; `None` if `text` is none.
    pub fn parse(text: Cow<'k, str>) -> Option<Self> {
        match text {
            Cow::Borrowed(text) => Self::borrowed(text),
            Cow::Owned(text) => Number::borrowed(&text).map(Number::into_owned),
        }
    }

    fn borrowed(text: &'k str) -> Option<Self> {
        let (minus, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (integer, fraction) = match digits.split_once('.') {
            Some((integer, fraction)) if is_digits(fraction) => (integer, fraction),
            Some(_) => return None,
            None => (digits, ""),
        };
        if !is_digits(integer) {
            return None;
        }
        let integer = integer.trim_start_matches('0');
        let fraction = fraction.trim_end_matches('0');
        let zero = integer.is_empty() && fraction.is_empty();
        Some(Self { negative: minus && !zero, integer: integer.into(), fraction: fraction.into() })
    }

    fn into_owned<'o>(self) -> Number<'o> {
        Number {
            negative: self.negative,
            integer: Cow::Owned(self.integer.into_owned()),
            fraction: Cow::Owned(self.fraction.into_owned()),
        }
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

impl Ord for Number<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let magnitude = || {
            let integers = self.integer.len().cmp(&other.integer.len());
            let integers = integers.then_with(|| self.integer.cmp(&other.integer));
            // Without trailing zeros, the order of fractions is that of their texts.
            integers.then_with(|| self.fraction.cmp(&other.fraction))
        };
        match (self.negative, other.negative) {
            (false, false) => magnitude(),
            (true, true) => magnitude().reverse(),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }
}

impl PartialOrd for Number<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Option<Number<'_>> {
        Number::parse(Cow::Borrowed(text))
    }

    #[test]
    fn numbers_are_ordered_by_value_at_any_length() {
        let long = "9".repeat(100);
        let longer = format!("1{}", "0".repeat(100));
        let ascending = [
            "-20",
            "-3",
            "-2.5",
            "-2.25",
            "-0.1",
            "0",
            "0.05",
            "0.1",
            "0.25",
            "1",
            "1.05",
            "1.5",
            "2",
            "10",
            "20240115123045123",
            "20240115123045124",
            &long,
            &longer,
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(number(a).unwrap().cmp(&number(b).unwrap()), i.cmp(&j), "{a} and {b}");
            }
        }
    }

    #[test]
    fn zeros_that_change_nothing_do_not_count() {
        for (a, b) in
            [("0010", "10"), ("1.50", "1.5"), ("-0", "0"), ("+7", "7"), ("0.0", "-00"), ("3.0", "3")]
        {
            assert_eq!(number(a), number(b), "{a} and {b}");
            assert_eq!(number(a).unwrap().cmp(&number(b).unwrap()), Ordering::Equal, "{a} and {b}");
        }
    }

    #[test]
    fn what_only_a_float_parser_takes_is_no_number() {
        for text in [
            "", "-", "+", ".", "1.", ".5", "1.2.3", "inf", "-inf", "nan", "NaN", "12e5", "0x1f", "1_000",
            "1,5", " 1", "1 ", "--1", "+-1", "١", "½",
        ] {
            assert_eq!(number(text), None, "{text:?} was taken");
        }
    }
}
