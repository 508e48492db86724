//! From a pack to its objects.

use std::collections::HashMap;
use std::sync::Arc;

use gix::hash::oid;
use gix::zlib::{Inflate, Status};

use super::delta;
use crate::Limits;
use crate::object::{Kind, Object, ObjectId, Objects, SHA1};

const HEADER: usize = 12;
const ID: usize = 20;

/// Why a pack cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PackError {
    /// It ends too early.
    Cut,
    /// It is not a pack, or its parts do not fit together.
    Broken(&'static str),
    /// It holds more than is allowed.
    TooLarge(String),
}

/// What an entry is, before it is resolved.
enum Entry {
    Whole(Object),
    On(Base, Vec<u8>),
}

/// What a delta stands on.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Base {
    /// The entry that starts there.
    Offset(usize),
    Id(ObjectId),
}

/// Where it starts, and its instructions.
type Delta = (usize, Vec<u8>);

/// Reads every object of a pack and names it by its hash. Deltas may stand on objects of the pack, in any order, and on those of
/// `known`.
pub(crate) fn read(pack: &[u8], known: &Objects, limits: &Limits) -> Result<Objects, PackError> {
    let count = header(pack, limits)?;
    let end = pack.len().checked_sub(ID).ok_or(PackError::Cut)?;
    let mut reader = Reader {
        pack: pack.get(..end).ok_or(PackError::Cut)?,
        at: HEADER,
        inflate: Inflate::default(),
        unpacked: 0,
        limits,
    };
    let mut resolved = Resolved::default();
    let mut waiting: HashMap<Base, Vec<Delta>> = HashMap::new();
    for _ in 0..count {
        let offset = reader.at;
        match reader.entry()? {
            Entry::Whole(object) => resolved.add(offset, object)?,
            Entry::On(base, delta) => waiting.entry(base).or_default().push((offset, delta)),
        }
    }
    if reader.at != end {
        return Err(PackError::Broken("there is more in it than it announces"));
    }
    verify(pack, end)?;
    let on_known = waiting.keys().filter_map(|base| match base {
        Base::Id(id) => Some((*base, Arc::clone(known.get(id)?))),
        Base::Offset(_) => None,
    });
    resolved.ready.extend(on_known);
    // A delta may stand on a later object. Each object wakes those that wait for it: time grows with their number only.
    while let Some((base, object)) = resolved.ready.pop() {
        for (offset, delta) in waiting.remove(&base).unwrap_or_default() {
            let bytes = delta::apply(&object.bytes, &delta, limits.object_bytes)
                .ok_or(PackError::Broken("a delta does not fit its base"))?;
            reader.count(bytes.len())?;
            resolved.add(offset, Object { kind: object.kind, bytes })?;
        }
    }
    match waiting.is_empty() {
        true => Ok(resolved.objects),
        false => Err(PackError::Broken("a delta stands on an object that is not there")),
    }
}

#[derive(Default)]
struct Resolved {
    objects: Objects,
    /// By what deltas may name them; those that wait for them are not woken yet.
    ready: Vec<(Base, Arc<Object>)>,
}

impl Resolved {
    fn add(&mut self, offset: usize, object: Object) -> Result<(), PackError> {
        let id = object.id().map_err(|_| PackError::Broken("an object is made to collide with another"))?;
        let object = Arc::new(object);
        let names = [Base::Offset(offset), Base::Id(id)];
        self.ready.extend(names.map(|name| (name, Arc::clone(&object))));
        self.objects.insert(id, object);
        Ok(())
    }
}

/// The number of entries, from the pack's first bytes.
fn header(pack: &[u8], limits: &Limits) -> Result<usize, PackError> {
    if !pack.starts_with(b"PACK") {
        return Err(if pack.len() < 4 {
            PackError::Cut
        } else {
            PackError::Broken("it does not start with PACK")
        });
    }
    let number =
        |at: usize| -> Option<u32> { Some(u32::from_be_bytes(pack.get(at..at + 4)?.try_into().ok()?)) };
    if !matches!(number(4).ok_or(PackError::Cut)?, 2 | 3) {
        return Err(PackError::Broken("it is of an unknown version"));
    }
    match usize::try_from(number(8).ok_or(PackError::Cut)?) {
        Ok(count) if count <= limits.objects => Ok(count),
        _ => Err(PackError::TooLarge(format!("{} objects in one answer", limits.objects))),
    }
}

/// Compares the pack's hash with the one at its end.
fn verify(pack: &[u8], end: usize) -> Result<(), PackError> {
    let broken = PackError::Broken("its checksum is wrong");
    let (body, trailer) = pack.split_at_checked(end).ok_or(PackError::Cut)?;
    let mut hasher = gix::hash::hasher(SHA1);
    hasher.update(body);
    match (hasher.try_finalize(), oid::try_from_bytes(trailer)) {
        (Ok(actual), Ok(announced)) if actual == announced => Ok(()),
        _ => Err(broken),
    }
}

struct Reader<'a> {
    /// Without the checksum at the end.
    pack: &'a [u8],
    at: usize,
    inflate: Inflate,
    unpacked: usize,
    limits: &'a Limits,
}

impl Reader<'_> {
    fn byte(&mut self) -> Result<u8, PackError> {
        let byte = *self.pack.get(self.at).ok_or(PackError::Cut)?;
        self.at += 1;
        Ok(byte)
    }

    fn entry(&mut self) -> Result<Entry, PackError> {
        let start = self.at;
        let first = self.byte()?;
        let mut size = usize::from(first & 0x0f);
        let mut shift = 4;
        let mut more = first & 0x80 != 0;
        while more {
            let byte = self.byte()?;
            if shift > 48 {
                return Err(self.too_large());
            }
            size |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            more = byte & 0x80 != 0;
        }
        let kind = match (first >> 4) & 0x07 {
            1 => Kind::Commit,
            2 => Kind::Tree,
            3 => Kind::Blob,
            4 => Kind::Tag,
            6 => {
                let distance = self.distance()?;
                let base = start.checked_sub(distance).filter(|base| *base < start);
                let base = base.ok_or(PackError::Broken("a delta stands on an object outside of it"))?;
                return Ok(Entry::On(Base::Offset(base), self.data(size)?));
            }
            7 => {
                let id = self.pack.get(self.at..self.at + ID).ok_or(PackError::Cut)?;
                let base = oid::try_from_bytes(id).map_err(|_| PackError::Cut)?.to_owned();
                self.at += ID;
                return Ok(Entry::On(Base::Id(base), self.data(size)?));
            }
            _ => return Err(PackError::Broken("it holds an entry of an unknown kind")),
        };
        Ok(Entry::Whole(Object { kind, bytes: self.data(size)? }))
    }

    /// How far before an entry its base starts: seven bits a byte, the highest first, and 1 added at every continuation.
    fn distance(&mut self) -> Result<usize, PackError> {
        let mut byte = self.byte()?;
        let mut distance = usize::from(byte & 0x7f);
        while byte & 0x80 != 0 {
            byte = self.byte()?;
            distance = distance
                .checked_add(1)
                .and_then(|distance| distance.checked_mul(128))
                .ok_or(PackError::Broken("a delta stands on an object outside of it"))?
                | usize::from(byte & 0x7f);
        }
        Ok(distance)
    }

    /// The unpacked data of an entry, which must be exactly `size` bytes.
    fn data(&mut self, size: usize) -> Result<Vec<u8>, PackError> {
        if size > self.limits.object_bytes {
            return Err(self.too_large());
        }
        self.count(size)?;
        let input = self.pack.get(self.at..).ok_or(PackError::Cut)?;
        let mut out = vec![0; size];
        self.inflate.reset();
        let (status, read, written) = self
            .inflate
            .once(input, &mut out)
            .map_err(|_| PackError::Broken("an entry is not compressed data"))?;
        if status != Status::StreamEnd || written != size {
            let cut = read == input.len();
            return Err(if cut {
                PackError::Cut
            } else {
                PackError::Broken("an entry has another size than it announces")
            });
        }
        self.at += read;
        Ok(out)
    }

    /// Counts bytes that are about to be taken.
    fn count(&mut self, bytes: usize) -> Result<(), PackError> {
        self.unpacked = self.unpacked.saturating_add(bytes);
        if self.unpacked > self.limits.unpacked_bytes {
            return Err(PackError::TooLarge(format!(
                "{} MiB of objects in one answer",
                self.limits.unpacked_bytes >> 20
            )));
        }
        Ok(())
    }

    fn too_large(&self) -> PackError {
        PackError::TooLarge(format!("{} MiB in one object", self.limits.object_bytes >> 20))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use gix::zlib::Compression;
    use gix::zlib::stream::deflate;
    use proptest::prelude::*;

    use super::*;
    use crate::commit::Bases;
    use crate::pack::write;

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut out = deflate::Write::new(Vec::new(), Compression::DEFAULT);
        out.write_all(bytes).unwrap();
        out.flush().unwrap();
        out.into_inner()
    }

    /// A pack of entries that are already encoded.
    fn pack(entries: &[Vec<u8>]) -> Vec<u8> {
        let mut pack = b"PACK\0\0\0\x02".to_vec();
        pack.extend((entries.len() as u32).to_be_bytes());
        pack.extend(entries.concat());
        let mut hasher = gix::hash::hasher(SHA1);
        hasher.update(&pack);
        pack.extend(hasher.try_finalize().unwrap().as_slice());
        pack
    }

    fn entry(kind: u8, head: &[u8], bytes: &[u8]) -> Vec<u8> {
        assert!(bytes.len() < 16);
        [&[kind << 4 | bytes.len() as u8], head, &zlib(bytes)].concat()
    }

    fn blob(text: &[u8]) -> Object {
        Object { kind: Kind::Blob, bytes: text.to_vec() }
    }

    /// "0123456789" becomes "6789abcd".
    const DELTA: [u8; 10] = [10, 8, 0x91, 6, 4, 4, b'a', b'b', b'c', b'd'];

    fn read_all(pack: &[u8]) -> Result<Objects, PackError> {
        read(pack, &Objects::default(), &Limits::default())
    }

    #[test]
    fn deltas_are_resolved_by_offset_by_id_from_later_objects_and_from_known_ones() {
        let base = blob(b"0123456789");
        let id = base.id().unwrap();
        let new = blob(b"6789abcd").id().unwrap();
        let whole = entry(3, &[], &base.bytes);
        let by_offset = entry(6, &[whole.len() as u8], &DELTA);
        let by_id = entry(7, id.as_slice(), &DELTA);
        for entries in
            [vec![whole.clone(), by_offset], vec![whole.clone(), by_id.clone()], vec![by_id.clone(), whole]]
        {
            let objects = read_all(&pack(&entries)).unwrap();
            assert_eq!((objects.len(), objects.get(&new).unwrap().kind), (2, Kind::Blob));
        }
        let thin = pack(&[by_id]);
        assert_eq!(
            read_all(&thin).unwrap_err(),
            PackError::Broken("a delta stands on an object that is not there")
        );
        let mut known = Objects::default();
        known.add(base).unwrap();
        assert!(read(&thin, &known, &Limits::default()).unwrap().get(&new).is_some());
    }

    #[test]
    fn limits_hold_before_anything_is_unpacked() {
        let pack = pack(&[entry(3, &[], b"0123456789"), entry(3, &[], b"abcdefghij")]);
        let limits = Limits::default();
        for limits in [
            Limits { objects: 1, ..limits.clone() },
            Limits { object_bytes: 9, ..limits.clone() },
            Limits { unpacked_bytes: 19, ..limits.clone() },
        ] {
            assert!(matches!(read(&pack, &Objects::default(), &limits), Err(PackError::TooLarge(_))));
        }
        assert_eq!(read(&pack, &Objects::default(), &limits).unwrap().len(), 2);
    }

    #[test]
    fn a_pack_that_was_cut_is_never_taken_for_a_whole_one() {
        let whole = pack(&[entry(3, &[], b"0123456789"), entry(3, &[], b"abcdefghij")]);
        for end in 0..whole.len() {
            assert!(read_all(&whole[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn a_delta_on_itself_is_refused() {
        assert!(matches!(read_all(&pack(&[entry(6, &[0], &DELTA)])), Err(PackError::Broken(_))));
        assert!(matches!(read_all(&pack(&[entry(6, &[200, 1], &DELTA)])), Err(PackError::Broken(_))));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(texts in proptest::collection::vec(any::<Vec<u8>>(), 0..8)) {
            let mut objects = Objects::default();
            for text in &texts {
                objects.add(blob(text)).unwrap();
            }
            let back = read_all(&write(&objects, &Bases::new()).unwrap()).unwrap();
            prop_assert_eq!(back.len(), objects.len());
            for (id, object) in objects.iter() {
                prop_assert_eq!(back.get(id), Some(object));
            }
        }

        #[test]
        fn changed_bytes_are_noticed_and_never_panic(at in 0usize..200, value in any::<u8>()) {
            let base = blob(b"0123456789");
            let whole = entry(3, &[], &base.bytes);
            let mut bytes = pack(&[whole.clone(), entry(6, &[whole.len() as u8], &DELTA), entry(7, base.id().unwrap().as_slice(), &DELTA)]);
            let at = at % bytes.len();
            prop_assume!(bytes[at] != value);
            bytes[at] = value;
            // Version 3 is read like version 2, but the checksum tells the change.
            prop_assert!(read_all(&bytes).is_err());
        }

        #[test]
        fn no_bytes_make_it_panic(count in 0u32..4, bytes in any::<Vec<u8>>()) {
            let mut pack = b"PACK\0\0\0\x02".to_vec();
            pack.extend(count.to_be_bytes());
            pack.extend(bytes);
            let _ = read_all(&pack);
        }
    }
}
