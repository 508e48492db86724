//! A text with parts left out, and where in the file the rest stands.

use std::ops::Range;

/// Where the bytes of a text stand in the file.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Each part's first byte in the text and in the file, in order.
    parts: Vec<(usize, usize)>,
}

impl Places {
    /// All in one part that starts at the byte `base` of the file.
    pub(super) fn from(base: usize) -> Self {
        Self { parts: vec![(0, base)] }
    }

    /// From the byte `text` of the text on, its bytes stand at `file` and behind.
    pub(super) fn push(&mut self, text: usize, file: usize) {
        self.parts.push((text, file));
    }

    /// The place of a range that is not torn by what was left out.
    ///
    /// Where two parts meet, a range that starts there belongs to the second, and one that ends there to the first. So
    /// does an empty one: the parser puts a value that is left out behind what comes before it, or before what comes
    /// next, and next comes the first byte of what was left out.
    pub(super) fn of(&self, range: Range<usize>) -> Range<usize> {
        let ends = self.parts.partition_point(|(text, _)| *text < range.end);
        let starts = match range.is_empty() {
            true => ends,
            false => self.parts.partition_point(|(text, _)| *text <= range.start),
        };
        let place = |parts: usize, at: usize| {
            let (text, file) = self.parts.get(parts.saturating_sub(1)).copied().unwrap_or_default();
            file + (at - text.min(at))
        };
        place(starts, range.start)..place(ends, range.end)
    }
}

/// What of `range` lies in none of `cuts`, which lie in it in order.
pub(super) fn without(range: Range<usize>, cuts: &[Range<usize>]) -> impl Iterator<Item = Range<usize>> {
    let starts = std::iter::once(range.start).chain(cuts.iter().map(|cut| cut.end));
    let ends = cuts.iter().map(|cut| cut.start).chain([range.end]);
    starts.zip(ends).map(|(start, end)| start..end).filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_stand_where_their_bytes_do() {
        // 0123456789 without 3..5 and 8..10, in a file from 100 on.
        let mut places = Places::from(100);
        places.push(3, 105);
        for (range, place) in [
            (0..1, 100..101),
            (0..3, 100..103),
            (3..4, 105..106),
            (3..6, 105..108),
            (3..3, 103..103),
            (6..6, 108..108),
            (0..0, 100..100),
        ] {
            assert_eq!(places.of(range.clone()), place, "{range:?}");
        }
        assert_eq!(Places::default().of(2..3), 2..3);
    }

    #[test]
    fn what_is_not_cut_remains() {
        for (cuts, parts) in [
            (vec![], "10..20"),
            (vec![12..14, 15..16], "10..12 14..15 16..20"),
            (vec![10..12, 19..20], "12..19"),
        ] {
            let left: Vec<String> = without(10..20, &cuts).map(|part| format!("{part:?}")).collect();
            assert_eq!(left.join(" "), parts);
        }
    }
}
