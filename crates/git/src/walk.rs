//! From a commit to the files that are wanted, through its trees, whoever delivers the objects.
//!
//! A walk asks for objects until one is missing, and then tells which: all those that it can name by then, so that a remote
//! can bring them in one request. The walk is then begun anew; what it has seen before costs a look into a map.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::object::{Kind, Object, ObjectId, Objects, tree_of};
use crate::tree::{self, Entry, EntryKind};
use crate::{Branch, File, FileMode, GitError, Limits, RepoPath, Want};

/// The deepest folder that is looked into, counted from the wanted one.
const DEEPEST: usize = 32;
/// The most names that are shown of a folder that does not hold what is wanted.
const SHOWN: usize = 10;

/// How far a walk got.
#[derive(Debug)]
pub(crate) enum Walk {
    /// These objects are needed to go on.
    Missing(Vec<ObjectId>),
    /// The files, and every object that was looked at: the commit, the trees on the way, the blobs.
    Done { files: BTreeMap<RepoPath, File>, objects: Objects },
}

/// Looks up an object; `None` where it is not at hand.
pub(crate) type Find<'a> = &'a dyn Fn(&ObjectId) -> Result<Option<Arc<Object>>, GitError>;

/// Walks from the commit `tip` of `branch` to the files that are wanted.
pub(crate) fn walk(
    branch: &Branch,
    tip: ObjectId,
    wants: &[Want],
    limits: &Limits,
    find: Find<'_>,
) -> Result<Walk, GitError> {
    let mut walker = Walker {
        branch,
        limits,
        find,
        missing: BTreeSet::new(),
        files: BTreeMap::new(),
        objects: Objects::default(),
    };
    if let Some(commit) = walker.object(tip, Kind::Commit)? {
        let root = tree_of(&commit.bytes).ok_or_else(|| walker.broken(tip, "is a commit without a tree"))?;
        for want in wants {
            walker.want(root, want)?;
        }
    }
    if !walker.missing.is_empty() {
        return Ok(Walk::Missing(walker.missing.into_iter().collect()));
    }
    Ok(Walk::Done { files: walker.files, objects: walker.objects })
}

struct Walker<'a> {
    branch: &'a Branch,
    limits: &'a Limits,
    find: Find<'a>,
    missing: BTreeSet<ObjectId>,
    files: BTreeMap<RepoPath, File>,
    objects: Objects,
}

impl Walker<'_> {
    fn want(&mut self, root: ObjectId, want: &Want) -> Result<(), GitError> {
        let path = want.path();
        let mut folder: Option<RepoPath> = None;
        let mut id = root;
        let mut parts = path.parts().peekable();
        while let Some(part) = parts.next() {
            let Some(object) = self.object(id, Kind::Tree)? else { return Ok(()) };
            let entries = self.entries(id, &object)?;
            let Some(entry) = entries.iter().find(|entry| entry.name == part.as_bytes()) else {
                return Err(GitError::PathNotFound {
                    branch: self.branch.clone(),
                    path: path.clone(),
                    missing: part.to_owned(),
                    parent: folder,
                    there: likeliest(&entries, part),
                });
            };
            let at = match &folder {
                Some(folder) => RepoPath::new(&format!("{folder}/{part}"))?,
                None => RepoPath::new(part)?,
            };
            let last = parts.peek().is_none();
            match (entry.kind, want) {
                (EntryKind::Tree, Want::Folder(_) | Want::Either(_)) if last => {
                    return self.folder(entry.id, &at);
                }
                (EntryKind::Tree, _) if !last => {}
                (EntryKind::File { executable }, Want::File(_) | Want::Either(_)) if last => {
                    return self.file(entry.id, executable, &at);
                }
                (kind, _) => return Err(self.in_the_way(path, at, kind)),
            }
            (folder, id) = (Some(at), entry.id);
        }
        Ok(())
    }

    fn file(&mut self, id: ObjectId, executable: bool, path: &RepoPath) -> Result<(), GitError> {
        if let Some(object) = self.object(id, Kind::Blob)? {
            let mode = if executable { FileMode::Executable } else { FileMode::Regular };
            self.files.insert(path.clone(), File { id, mode, bytes: object.bytes.clone() });
        }
        Ok(())
    }

    /// Every YAML file below a folder.
    fn folder(&mut self, id: ObjectId, path: &RepoPath) -> Result<(), GitError> {
        let mut found = 0;
        let mut waiting = false;
        let mut open = vec![(id, path.clone(), 0)];
        while let Some((id, folder, depth)) = open.pop() {
            let Some(object) = self.object(id, Kind::Tree)? else {
                waiting = true;
                continue;
            };
            for entry in self.entries(id, &object)? {
                // A name that is not UTF-8 or that git itself would refuse cannot be what a person asks for.
                let Ok(name) = std::str::from_utf8(entry.name) else { continue };
                let Ok(at) = RepoPath::new(&format!("{folder}/{name}")) else { continue };
                match entry.kind {
                    EntryKind::Tree if depth == DEEPEST => {
                        return Err(self.too_large(path, format!("{DEEPEST} folders deep")));
                    }
                    EntryKind::Tree => open.push((entry.id, at, depth + 1)),
                    EntryKind::File { executable } if name.ends_with(".yaml") || name.ends_with(".yml") => {
                        found += 1;
                        if found > self.limits.files {
                            return Err(self.too_large(path, format!("{} YAML files", self.limits.files)));
                        }
                        self.file(entry.id, executable, &at)?;
                    }
                    _ => {}
                }
            }
        }
        if found == 0 && !waiting {
            return Err(GitError::EmptyFolder { branch: self.branch.clone(), path: path.clone() });
        }
        Ok(())
    }

    /// An object of a kind, noted as missing where it is not at hand.
    fn object(&mut self, id: ObjectId, kind: Kind) -> Result<Option<Arc<Object>>, GitError> {
        let object = if kind == Kind::Tree && id.is_empty_tree() {
            // Nobody needs to store it, and so some do not.
            Some(Arc::new(Object { kind, bytes: Vec::new() }))
        } else {
            (self.find)(&id)?
        };
        let Some(object) = object else {
            self.missing.insert(id);
            return Ok(None);
        };
        if object.kind != kind {
            return Err(self.broken(id, &format!("is a {} and should be a {kind}", object.kind)));
        }
        self.objects.insert(id, Arc::clone(&object));
        Ok(Some(object))
    }

    fn entries<'t>(&self, id: ObjectId, object: &'t Object) -> Result<Vec<Entry<'t>>, GitError> {
        tree::entries(&object.bytes).ok_or_else(|| self.broken(id, "is a broken tree"))
    }

    fn in_the_way(&self, path: &RepoPath, at: RepoPath, kind: EntryKind) -> GitError {
        let kind = match kind {
            EntryKind::Tree => "a folder",
            EntryKind::File { .. } => "a file",
            EntryKind::Symlink => "a symbolic link",
            EntryKind::Submodule => "a submodule",
            EntryKind::Other => "of a kind that Git does not know",
        };
        GitError::PathKind { branch: self.branch.clone(), path: path.clone(), at, kind }
    }

    fn too_large(&self, path: &RepoPath, limit: String) -> GitError {
        GitError::TooLarge { attempt: format!("read the folder {path} of {}", self.branch), limit }
    }

    fn broken(&self, id: ObjectId, what: &str) -> GitError {
        GitError::Protocol {
            attempt: format!("read {}", self.branch),
            reason: format!("the object {id} {what}"),
        }
    }
}

/// Some names of a folder, those first that begin like the one that is missing.
fn likeliest(entries: &[Entry<'_>], missing: &str) -> Vec<String> {
    let missing = missing.to_lowercase();
    let alike =
        |name: &str| name.to_lowercase().chars().zip(missing.chars()).take_while(|(a, b)| a == b).count();
    let mut names: Vec<String> =
        entries.iter().map(|entry| String::from_utf8_lossy(entry.name).escape_debug().to_string()).collect();
    names.sort_by_key(|name| std::cmp::Reverse(alike(name)));
    names.truncate(SHOWN);
    names
}

/// An object of a tree with the given entries, for tests.
#[cfg(test)]
pub(crate) fn tree_object(entries: &[(&str, &str, ObjectId)]) -> Object {
    let mut bytes = Vec::new();
    for (mode, name, id) in entries {
        bytes.extend_from_slice(format!("{mode} {name}\0").as_bytes());
        bytes.extend_from_slice(id.as_slice());
    }
    Object { kind: Kind::Tree, bytes }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Repository {
        objects: Objects,
        tip: ObjectId,
    }

    /// `app.yaml`, `run` (executable), `link`, `module`, `docs/a.md`, `k/app.yaml`, `k/deep/b.yml`, `k/link.yaml` (a link).
    fn repository() -> Repository {
        let mut objects = Objects::default();
        let blob = |objects: &mut Objects, text: &str| {
            objects.add(Object { kind: Kind::Blob, bytes: text.as_bytes().to_vec() }).unwrap()
        };
        let (one, two, link) =
            (blob(&mut objects, "one"), blob(&mut objects, "two"), blob(&mut objects, "k/app.yaml"));
        let deep = objects.add(tree_object(&[("100644", "b.yml", two)])).unwrap();
        let k = objects
            .add(tree_object(&[
                ("100644", "app.yaml", one),
                ("40000", "deep", deep),
                ("120000", "link.yaml", link),
            ]))
            .unwrap();
        let docs = objects.add(tree_object(&[("100644", "a.md", one)])).unwrap();
        let root = tree_object(&[
            ("100644", "app.yaml", one),
            ("40000", "docs", docs),
            ("40000", "k", k),
            ("120000", "link", link),
            ("160000", "module", one),
            ("100755", "run", two),
        ]);
        let root = objects.add(root).unwrap();
        let commit =
            format!("tree {root}\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nx\n").into_bytes();
        let tip = objects.add(Object { kind: Kind::Commit, bytes: commit }).unwrap();
        Repository { objects, tip }
    }

    fn path(text: &str) -> RepoPath {
        RepoPath::new(text).unwrap()
    }

    fn run(want: Want) -> Result<Walk, GitError> {
        let Repository { objects, tip } = repository();
        walk(&Branch::new("main").unwrap(), tip, &[want], &Limits::default(), &|id| {
            Ok(objects.get(id).cloned())
        })
    }

    fn found(want: Want) -> Vec<(String, String)> {
        match run(want).unwrap() {
            Walk::Done { files, .. } => files
                .into_iter()
                .map(|(path, file)| (path.to_string(), String::from_utf8(file.bytes).unwrap()))
                .collect(),
            Walk::Missing(ids) => panic!("{ids:?}"),
        }
    }

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    #[test]
    fn a_file_and_a_folder_are_told_apart_by_the_tree() {
        assert_eq!(found(Want::Either(path("app.yaml"))), pairs(&[("app.yaml", "one")]));
        assert_eq!(found(Want::File(path("run"))), pairs(&[("run", "two")]));
        let below = pairs(&[("k/app.yaml", "one"), ("k/deep/b.yml", "two")]);
        assert_eq!(found(Want::Either(path("k"))), below);
        assert_eq!(found(Want::Folder(path("k"))), below);
    }

    #[test]
    fn what_is_in_the_way_is_named_with_its_kind() {
        for (want, at, kind) in [
            (Want::File(path("k")), "k", "a folder"),
            (Want::Folder(path("app.yaml")), "app.yaml", "a file"),
            (Want::Either(path("app.yaml/x")), "app.yaml", "a file"),
            (Want::Either(path("link")), "link", "a symbolic link"),
            (Want::Either(path("link/x")), "link", "a symbolic link"),
            (Want::Either(path("module/x.yaml")), "module", "a submodule"),
            (Want::Either(path("module")), "module", "a submodule"),
        ] {
            match run(want.clone()) {
                Err(GitError::PathKind { at: found, kind: is, .. }) => {
                    assert_eq!((found.as_str(), is), (at, kind))
                }
                other => panic!("{want:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_missing_path_says_what_there_is_instead() {
        match run(Want::File(path("k/App.yml"))) {
            Err(GitError::PathNotFound { parent, there, missing, .. }) => {
                assert_eq!((parent, missing.as_str()), (Some(path("k")), "App.yml"));
                assert_eq!(there, ["app.yaml", "deep", "link.yaml"]);
            }
            other => panic!("{other:?}"),
        }
        assert!(matches!(run(Want::Either(path("docs"))), Err(GitError::EmptyFolder { .. })));
    }

    #[test]
    fn missing_objects_are_asked_for_level_by_level_and_no_others() {
        let Repository { objects, tip } = repository();
        let mut known = Objects::default();
        let wants = [Want::File(path("app.yaml")), Want::File(path("k/deep/b.yml"))];
        let mut asked = Vec::new();
        loop {
            let branch = Branch::new("main").unwrap();
            match walk(&branch, tip, &wants, &Limits::default(), &|id| Ok(known.get(id).cloned())).unwrap() {
                Walk::Done { objects, .. } => {
                    assert_eq!(asked, [1, 1, 2, 1, 1]);
                    assert_eq!(objects.len(), 6);
                    return;
                }
                Walk::Missing(ids) => {
                    asked.push(ids.len());
                    ids.into_iter().for_each(|id| known.insert(id, Arc::clone(objects.get(&id).unwrap())));
                }
            }
        }
    }

    #[test]
    fn too_many_files_are_refused() {
        let Repository { objects, tip } = repository();
        let limits = Limits { files: 1, ..Limits::default() };
        let wants = [Want::Folder(path("k"))];
        let result =
            walk(&Branch::new("main").unwrap(), tip, &wants, &limits, &|id| Ok(objects.get(id).cloned()));
        assert!(matches!(result, Err(GitError::TooLarge { .. })));
    }

    #[test]
    fn an_object_of_another_kind_is_not_taken() {
        let Repository { mut objects, .. } = repository();
        let blob = objects.add(Object { kind: Kind::Blob, bytes: b"tree".to_vec() }).unwrap();
        let result = walk(&Branch::new("main").unwrap(), blob, &[], &Limits::default(), &|id| {
            Ok(objects.get(id).cloned())
        });
        assert!(matches!(result, Err(GitError::Protocol { .. })));
    }
}
