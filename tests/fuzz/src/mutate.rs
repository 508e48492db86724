//! Other inputs made from those of a corpus, the same ones from the same seed.

use fastrand::Rng;

/// Words that stand for something to one of the parsers.
const WORDS: [&str; 40] = [
    "\0",
    "\n",
    "\r\n",
    "\t",
    "\u{feff}",
    "é",
    "٣",
    "\"",
    "'",
    "\\",
    "{",
    "}",
    "[",
    "]",
    "<",
    ">",
    ": ",
    "- ",
    "#",
    "&a ",
    "*a",
    "<<: ",
    "!!str ",
    "|\n",
    "---\n",
    "...\n",
    "{{ }}",
    "$1",
    "${ts}",
    "(?P<a>",
    "){9999}",
    ".*",
    "nan",
    "1e999",
    "18446744073709551616",
    "-1",
    "0000",
    "ffff",
    "@sha256:",
    "../",
];

/// One input made from one of the corpus, by one to eight changes.
pub fn mutate(rng: &mut Rng, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = pick(rng, corpus);
    for _ in 0..rng.usize(1..=8) {
        change(rng, &mut bytes, corpus);
    }
    bytes
}

fn pick(rng: &mut Rng, corpus: &[Vec<u8>]) -> Vec<u8> {
    rng.choice(corpus).cloned().unwrap_or_default()
}

fn change(rng: &mut Rng, bytes: &mut Vec<u8>, corpus: &[Vec<u8>]) {
    let at = rng.usize(..=bytes.len());
    let end = (at + rng.usize(1..64)).min(bytes.len());
    match rng.u8(..9) {
        0 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << rng.u8(..8);
            }
        }
        1 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = rng.u8(..);
            }
        }
        2 => bytes.truncate(at),
        3 => drop(bytes.drain(at..end)),
        // A piece twice, or many times: what is counted, nested or put on a stack.
        4 => {
            let times = 1 << rng.u8(..8);
            let piece = bytes.get(at..end).unwrap_or_default().repeat(times);
            bytes.splice(at..at, piece);
        }
        5 | 6 => {
            let word = rng.choice(WORDS).unwrap_or_default();
            bytes.splice(at..at, word.bytes());
        }
        // A piece of another input.
        7 => {
            let other = pick(rng, corpus);
            let from = rng.usize(..=other.len());
            let to = (from + rng.usize(1..200)).min(other.len());
            bytes.splice(at..end, other.get(from..to).unwrap_or_default().iter().copied());
        }
        // A number's neighbours: lengths and counts that are off by one.
        _ => {
            if let Some(digit) = bytes.get_mut(at).filter(|byte| byte.is_ascii_hexdigit()) {
                *digit = if rng.bool() { digit.wrapping_add(1) } else { digit.wrapping_sub(1) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_inputs_and_another_seed_others() {
        let corpus = [b"0006a\n0000".to_vec(), b"apiVersion: v1\n".to_vec()];
        let made = |seed| {
            let mut rng = Rng::with_seed(seed);
            (0..100).map(|_| mutate(&mut rng, &corpus)).collect::<Vec<_>>()
        };
        assert_eq!(made(1), made(1));
        assert_ne!(made(1), made(2));
    }
}
