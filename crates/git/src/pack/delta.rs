//! Deltas: a list of "copy from the base" and "insert these bytes" (gitformat-pack, "Deltified representation").

/// Applies a delta to its base; `None` where it does not fit the base, or makes anything but what it announces, or more than
/// `most` bytes.
pub(super) fn apply(base: &[u8], delta: &[u8], most: usize) -> Option<Vec<u8>> {
    let mut rest = delta;
    if size(&mut rest)? != base.len() {
        return None;
    }
    let announced = size(&mut rest).filter(|announced| *announced <= most)?;
    let mut out = Vec::with_capacity(announced);
    while let Some((&operation, after)) = rest.split_first() {
        rest = after;
        let bytes = if operation & 0x80 != 0 {
            let offset = operand(&mut rest, operation & 0x0f)?;
            let length = match operand(&mut rest, (operation >> 4) & 0x07)? {
                0 => 0x1_0000,
                length => length,
            };
            base.get(offset..offset.checked_add(length)?)?
        } else {
            // 0 is reserved.
            let (bytes, after) = rest.split_at_checked(usize::from(operation)).filter(|_| operation != 0)?;
            rest = after;
            bytes
        };
        if bytes.len() > announced - out.len() {
            return None;
        }
        out.extend_from_slice(bytes);
    }
    (out.len() == announced).then_some(out)
}

/// The delta that makes `new` of `base`, where one stretch in the middle is all that differs: copy what is before it, insert
/// it, copy what is behind it. That is all that an edit of this program ever changes, in a file as in a tree.
pub(super) fn make(base: &[u8], new: &[u8]) -> Vec<u8> {
    let before = base.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (base_rest, new_rest) =
        (base.get(before..).unwrap_or_default(), new.get(before..).unwrap_or_default());
    let behind = base_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    let inserted = new_rest.get(..new_rest.len() - behind).unwrap_or_default();
    let mut delta = Vec::new();
    write_size(&mut delta, base.len());
    write_size(&mut delta, new.len());
    copy(&mut delta, 0, before);
    for chunk in inserted.chunks(0x7f) {
        delta.push(u8::try_from(chunk.len()).unwrap_or_default());
        delta.extend_from_slice(chunk);
    }
    copy(&mut delta, base.len() - behind, behind);
    delta
}

/// Copies of `length` bytes from `offset` on: as many operations as it takes, since one copies 16 MB at the most.
fn copy(delta: &mut Vec<u8>, mut offset: usize, mut length: usize) {
    const MOST: usize = 0xff_ffff;
    while length > 0 {
        let part = length.min(MOST);
        let at = delta.len();
        delta.push(0x80);
        let mut operation = 0x80;
        for (value, bytes, first) in [(offset, 4, 0), (part, 3, 4)] {
            for (bit, byte) in
                value.to_le_bytes().into_iter().take(bytes).enumerate().filter(|(_, byte)| *byte != 0)
            {
                operation |= 1 << (first + bit);
                delta.push(byte);
            }
        }
        if let Some(first) = delta.get_mut(at) {
            *first = operation;
        }
        offset += part;
        length -= part;
    }
}

fn write_size(delta: &mut Vec<u8>, mut size: usize) {
    loop {
        let low = u8::try_from(size & 0x7f).unwrap_or_default();
        size >>= 7;
        if size == 0 {
            return delta.push(low);
        }
        delta.push(low | 0x80);
    }
}

/// A size, seven bits a byte, the lowest first.
fn size(rest: &mut &[u8]) -> Option<usize> {
    let mut size = 0_usize;
    let mut shift = 0;
    loop {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        size |= usize::from(byte & 0x7f).checked_shl(shift).filter(|_| shift < 56)?;
        shift += 7;
        if byte & 0x80 == 0 {
            return Some(size);
        }
    }
}

/// An offset or a length, of which only the bytes named by `mask` are there.
fn operand(rest: &mut &[u8], mask: u8) -> Option<usize> {
    let mut value = 0;
    for bit in 0..4 {
        if mask & (1 << bit) != 0 {
            let (byte, after) = rest.split_first()?;
            *rest = after;
            value |= usize::from(*byte) << (8 * bit);
        }
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn prop_a_delta_that_is_made_is_applied_to_the_same_bytes(
            before in proptest::collection::vec(any::<u8>(), 0..300),
            old in proptest::collection::vec(any::<u8>(), 0..300),
            new in proptest::collection::vec(any::<u8>(), 0..300),
            behind in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let (base, new) = ([&before[..], &old, &behind].concat(), [&before[..], &new, &behind].concat());
            prop_assert_eq!(apply(&base, &make(&base, &new), new.len()), Some(new));
        }
    }

    #[test]
    fn a_change_in_much_that_stays_makes_a_small_delta() {
        let base: Vec<u8> = (0..40_000_000_u32).map(|n| n.to_le_bytes()[1]).collect();
        let mut new = base.clone();
        new.splice(20_000_000..20_000_003, *b"changed");
        let delta = make(&base, &new);
        assert!(delta.len() < 60, "{} bytes", delta.len());
        assert_eq!(apply(&base, &delta, new.len()).unwrap(), new);
    }

    #[test]
    fn copies_and_inserts_make_the_new_bytes() {
        // base size 10, result size 8, copy 4 bytes from 6, insert "abcd"
        let delta = [10, 8, 0x91, 6, 4, 4, b'a', b'b', b'c', b'd'];
        assert_eq!(apply(b"0123456789", &delta, 100).unwrap(), b"6789abcd");
    }

    #[test]
    fn a_delta_that_does_not_fit_is_refused() {
        let base = b"0123456789";
        for delta in [
            &[][..],
            &[10],
            &[9, 1, 1, b'a'],
            &[10, 2, 1, b'a'],
            &[10, 1, 2, b'a', b'b'],
            &[10, 1, 0],
            &[10, 1, 2, b'a'],
            &[10, 8, 0x91, 6, 8],
            &[10, 4, 0x91, 6],
            &[10, 101, 1, b'a'],
            &[0xff; 12],
        ] {
            assert_eq!(apply(base, delta, 100), None, "{delta:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(base in proptest::collection::vec(any::<u8>(), 0..40), delta in any::<Vec<u8>>()) {
            let _ = apply(&base, &delta, 1000);
            let mut fitting = vec![base.len() as u8, 30];
            fitting.extend(delta);
            let _ = apply(&base, &fitting, 1000);
        }
    }
}
