//! Objects of a repository on disk: loose, packed or borrowed from another repository.

use std::path::Path;

use gix::objs::{Exists as _, Find as _, Write as _};

use super::failure;
use super::repository::Repository;
use crate::GitError;
use crate::object::{Object, ObjectId, Objects};

impl Repository {
    /// Reads one object of at most `limit` bytes; `None` where the repository does not have it.
    pub(super) fn read(&self, id: &ObjectId, limit: usize) -> Result<Option<Object>, GitError> {
        let attempt = || format!("read object {id}");
        let store = &*self.git.objects;
        // The size is asked first: an object of gigabytes must not be unpacked to find out that it is.
        let Some(header) =
            gix::odb::Header::try_header(store, id).map_err(|e| failure::git(&self.path, attempt(), e))?
        else {
            return Ok(None);
        };
        if header.size() > limit as u64 {
            return Err(failure::too_large(&self.path, attempt(), header.size(), limit));
        }
        let mut bytes = Vec::new();
        let found = store.try_find(id, &mut bytes).map_err(|e| failure::git(&self.path, attempt(), e))?;
        let Some(kind) = found.map(|data| data.kind) else { return Ok(None) };
        Ok(Some(Object { kind, bytes }))
    }

    /// Writes the objects that the repository does not have yet, each by an atomic rename.
    pub(super) fn write(&self, objects: &Objects) -> Result<(), GitError> {
        for (id, object) in objects.iter() {
            if self.git.objects.exists(id) {
                continue;
            }
            self.make_room(id)?;
            let attempt = || format!("write object {id}");
            let written = self.git.objects.write_buf(object.kind, &object.bytes);
            let written = written.map_err(|e| failure::git(&self.path, attempt(), e))?;
            if written != *id {
                return Err(failure::corrupt(&self.path, attempt(), format!("it was written as {written}")));
            }
        }
        Ok(())
    }

    /// Makes the folder of an object as open as its neighbours: in a repository that a group shares, one that only
    /// we may write to would block the next push of everybody else.
    fn make_room(&self, id: &ObjectId) -> Result<(), GitError> {
        let root = self.git.common_dir().join("objects");
        let hex = id.to_string();
        let (head, _) = hex.split_at(2);
        let folder = root.join(head);
        let make = |folder: &Path| match std::fs::create_dir(folder) {
            Ok(()) => std::fs::set_permissions(folder, std::fs::metadata(&root)?.permissions()),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        };
        make(&folder).map_err(|error| failure::io(&self.path, "write an object", error))
    }

    /// Whether objects can be written: by a file that is gone at once, with a name that git sweeps away if we cannot.
    pub(super) fn try_write(&self) -> Result<(), GitError> {
        let name = format!("tmp_obj_check_{}_{:08x}", std::process::id(), fastrand::u32(..));
        let file = self.git.common_dir().join("objects").join(name);
        let tried = std::fs::File::create_new(&file).and_then(|_| std::fs::remove_file(&file));
        tried.map_err(|error| failure::io(&self.path, "write an object", error))
    }
}
