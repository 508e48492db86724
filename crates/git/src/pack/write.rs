//! From objects to a pack. Objects are written whole: a push is a few kilobytes, and no delta is worth its code.

use std::io::{self, Write as _};

use gix::zlib::Compression;
use gix::zlib::stream::deflate;

use crate::object::{Kind, Objects, SHA1};

/// A pack of exactly these objects.
pub(crate) fn write(objects: &Objects) -> io::Result<Vec<u8>> {
    let count = u32::try_from(objects.len()).map_err(io::Error::other)?;
    let mut pack = b"PACK\0\0\0\x02".to_vec();
    pack.extend(count.to_be_bytes());
    for (_, object) in objects.iter() {
        header(&mut pack, object.kind, object.bytes.len());
        let mut compressed = deflate::Write::new(pack, Compression::DEFAULT);
        compressed.write_all(&object.bytes)?;
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

/// The kind and the size: four bits of it in the first byte, then seven a byte.
fn header(pack: &mut Vec<u8>, kind: Kind, size: usize) {
    let number: u8 = match kind {
        Kind::Commit => 1,
        Kind::Tree => 2,
        Kind::Blob => 3,
        Kind::Tag => 4,
    };
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
