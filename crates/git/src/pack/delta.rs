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
