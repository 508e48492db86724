//! Trees as the bytes they are: `<mode> <name>\0<20 bytes of id>`, over and over (gitformat-object, "Tree").
//!
//! A tree is edited by replacing the 20 bytes of one id. Nothing is decoded and written again, so no other entry can
//! change, however odd it is.

use crate::object::ObjectId;

/// The length of an id in a tree.
const ID: usize = 20;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntryKind {
    Tree,
    File {
        executable: bool,
    },
    Symlink,
    Submodule,
    /// A mode that Git does not know.
    Other,
}

/// One entry of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    pub(crate) kind: EntryKind,
    pub(crate) name: &'a [u8],
    pub(crate) id: ObjectId,
    /// Where its id starts in the tree.
    id_at: usize,
}

/// The entries of a tree, in order; `None` where its bytes are not those of a tree.
pub(crate) fn entries(tree: &[u8]) -> Option<Vec<Entry<'_>>> {
    let mut all = Vec::new();
    let mut rest = tree;
    while !rest.is_empty() {
        let space = rest.iter().position(|byte| *byte == b' ')?;
        let (mode, after) = (rest.get(..space)?, rest.get(space + 1..)?);
        let end = after.iter().position(|byte| *byte == 0)?;
        let (name, after) = (after.get(..end)?, after.get(end + 1..)?);
        let id = gix::hash::oid::try_from_bytes(after.get(..ID)?).ok()?.to_owned();
        if name.is_empty() {
            return None;
        }
        all.push(Entry { kind: kind(mode)?, name, id, id_at: tree.len() - after.len() });
        rest = after.get(ID..)?;
    }
    Some(all)
}

/// What a mode means. Old programs wrote modes with leading zeros and with group bits: both are understood.
fn kind(mode: &[u8]) -> Option<EntryKind> {
    let digits = std::str::from_utf8(mode).ok().filter(|mode| (1..=7).contains(&mode.len()))?;
    if !digits.bytes().all(|digit| (b'0'..=b'7').contains(&digit)) {
        return None;
    }
    let mode = u32::from_str_radix(digits, 8).ok()?;
    Some(match mode & 0o170_000 {
        0o040_000 => EntryKind::Tree,
        0o100_000 => EntryKind::File { executable: mode & 0o100 != 0 },
        0o120_000 => EntryKind::Symlink,
        0o160_000 => EntryKind::Submodule,
        _ => EntryKind::Other,
    })
}

/// The entry of that name.
pub(crate) fn entry<'a>(tree: &'a [u8], name: &[u8]) -> Option<Entry<'a>> {
    entries(tree)?.into_iter().find(|entry| entry.name == name)
}

/// The tree with another id at the entry `name`, and otherwise the same bytes; `None` if there is no such entry.
pub(crate) fn with_id(tree: &[u8], name: &[u8], id: &ObjectId) -> Option<Vec<u8>> {
    let at = entry(tree, name)?.id_at;
    let mut new = tree.to_vec();
    new.get_mut(at..at + ID)?.copy_from_slice(id.as_slice());
    Some(new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tree(entries: &[(&str, &str, u8)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (mode, name, id) in entries {
            bytes.extend_from_slice(format!("{mode} {name}\0").as_bytes());
            bytes.extend_from_slice(&[*id; ID]);
        }
        bytes
    }

    #[test]
    fn every_kind_of_entry_is_told_apart_even_with_modes_of_old_programs() {
        let bytes = tree(&[
            ("100644", "a", 1),
            ("100755", "b", 2),
            ("100664", "c", 3),
            ("120000", "d", 4),
            ("160000", "e", 5),
            ("40000", "f", 6),
            ("040000", "g", 7),
            ("0100644", "h", 8),
            ("0", "i", 9),
        ]);
        use EntryKind::{File, Other, Submodule, Symlink, Tree};
        let kinds: Vec<_> = entries(&bytes).unwrap().iter().map(|entry| entry.kind).collect();
        let (plain, executable) = (File { executable: false }, File { executable: true });
        assert_eq!(kinds, [plain, executable, plain, Symlink, Submodule, Tree, Tree, plain, Other]);
    }

    #[test]
    fn what_is_not_a_tree_is_not_read_as_one() {
        for bytes in [
            &b"100644 a"[..],
            b"100644 a\0short",
            b"abc a\0aaaaaaaaaaaaaaaaaaaa",
            b" a\0aaaaaaaaaaaaaaaaaaaa",
            b"100644 \0aaaaaaaaaaaaaaaaaaaa",
        ] {
            assert_eq!(entries(bytes), None);
        }
        assert_eq!(entries(b""), Some(Vec::new()));
    }

    proptest! {
        #[test]
        fn an_edit_changes_twenty_bytes_and_no_other(
            names in proptest::collection::btree_set("[ -.0-~é]{1,12}", 1..20), pick in any::<usize>(), zero in any::<bool>(),
        ) {
            let mode = if zero { "0100644" } else { "100644" };
            let list: Vec<_> = names.iter().map(|name| (mode, name.as_str(), 7)).collect();
            let (old, name) = (tree(&list), list[pick % list.len()].1);
            let new = with_id(&old, name.as_bytes(), &ObjectId::from_bytes_or_panic(&[9; ID])).unwrap();
            let changed: Vec<_> = (0..old.len()).filter(|i| old[*i] != new[*i]).collect();
            prop_assert_eq!(new.len(), old.len());
            prop_assert_eq!(changed.len(), ID);
            let id = entry(&new, name.as_bytes()).unwrap().id;
            prop_assert_eq!(id.as_slice(), &[9; ID]);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>(), name in any::<Vec<u8>>()) {
            let _ = with_id(&bytes, &name, &ObjectId::null(crate::object::SHA1));
        }

        #[test]
        fn gix_reads_the_same_entries(names in proptest::collection::btree_set("[a-z]{1,8}", 0..12)) {
            let list: Vec<_> = names.iter().map(|name| ("100644", name.as_str(), name.len() as u8)).collect();
            let bytes = tree(&list);
            let theirs = gix::objs::TreeRef::from_bytes(&bytes, crate::object::SHA1).unwrap();
            let ours = entries(&bytes).unwrap();
            prop_assert_eq!(theirs.entries.len(), ours.len());
            for (their, our) in theirs.entries.iter().zip(ours) {
                let name: &[u8] = their.filename;
                prop_assert_eq!((name, their.oid.to_owned()), (our.name, our.id));
            }
        }
    }
}
