//! From objects to a pack. What differs in one stretch from an object that the server has is written as a delta to that
//! one: a root with thousands of folders, or a file of megabytes, costs a few dozen bytes then.

use std::io::{self, Write as _};

use gix::zlib::Compression;
use gix::zlib::stream::deflate;

use super::delta;
use crate::commit::Bases;
use crate::object::{Kind, Objects, SHA1};

/// The number of a delta to an object that is named by its id (`OBJ_REF_DELTA`).
const REF_DELTA: u8 = 7;

/// A pack of exactly these objects. It is thin where `bases` names objects that the receiver has: "thin" is what
/// gitformat-pack calls a pack with deltas to objects outside it.
pub(crate) fn write(objects: &Objects, bases: &Bases) -> io::Result<Vec<u8>> {
    let count = u32::try_from(objects.len()).map_err(io::Error::other)?;
    let mut pack = b"PACK\0\0\0\x02".to_vec();
    pack.extend(count.to_be_bytes());
    for (id, object) in objects.iter() {
        let base = bases.get(id).map(|(base, old)| (base, delta::make(&old.bytes, &object.bytes)));
        let bytes = match &base {
            Some((base, delta)) if delta.len() < object.bytes.len() / 2 => {
                header(&mut pack, REF_DELTA, delta.len());
                pack.extend_from_slice(base.as_slice());
                delta
            }
            _ => {
                header(&mut pack, number(object.kind), object.bytes.len());
                &object.bytes
            }
        };
        let mut compressed = deflate::Write::new(pack, Compression::DEFAULT);
        compressed.write_all(bytes)?;
        compressed.flush()?;
        pack = compressed.into_inner();
    }
    let mut hasher = gix::hash::hasher(SHA1);
    hasher.update(&pack);
    pack.extend(
        hasher.try_finalize().map_err(|_| io::Error::other("the pack's hash is made to collide"))?.as_slice(),
    );
    Ok(pack)
}

fn number(kind: Kind) -> u8 {
    match kind {
        Kind::Commit => 1,
        Kind::Tree => 2,
        Kind::Blob => 3,
        Kind::Tag => 4,
    }
}

/// The kind and the size: four bits of it in the first byte, then seven a byte.
fn header(pack: &mut Vec<u8>, number: u8, size: usize) {
    let low = |rest: usize, bits: u32| u8::try_from(rest & ((1 << bits) - 1)).unwrap_or_default();
    let mut byte = number << 4 | low(size, 4);
    let mut rest = size >> 4;
    while rest > 0 {
        pack.push(byte | 0x80);
        byte = low(rest, 7);
        rest >>= 7;
    }
    pack.push(byte);
}
