//! Opening a repository on disk: what it is, what it is not, and what its configuration forbids.

use std::path::{Path, PathBuf};

use gix::bstr::ByteSlice as _;

use super::failure;
use crate::GitError;

/// An open repository. Blocking, like everything in this folder but the door.
pub(super) struct Repository {
    pub(super) git: gix::Repository,
    /// As the user wrote it, for messages.
    pub(super) path: PathBuf,
}

impl Repository {
    /// Opens a bare repository, a working tree, or a linked working tree.
    ///
    /// Only the repository's own configuration counts, not the user's nor the machine's, so that the same resource does
    /// the same everywhere. It is read whoever owns the folder: nothing in it can make us run a program.
    pub(super) fn open(path: &Path) -> Result<Self, GitError> {
        let folder = existing(path)?;
        let options = gix::open::Options::isolated()
            .with(gix::sec::Trust::Full)
            .filter_config_section(|_| true)
            .strict_config(true);
        let mut git = match gix::open_opts(&folder, options) {
            Ok(git) => git,
            Err(error) => {
                // Git's own words for "too new for me" come after what we know to be the reason.
                supported(path, &extensions(&folder))?;
                return Err(failure::open(path, error));
            }
        };
        supported(path, git.config_snapshot().plumbing())?;
        // What a commit holds is what its id says, not what somebody replaced it by locally.
        git.objects.ignore_replacements = true;
        Ok(Self { git, path: path.to_owned() })
    }

    /// A value of the repository's configuration as text.
    pub(super) fn config(&self, key: &str) -> Option<String> {
        self.git.config_snapshot().string(key).map(|value| value.to_str_lossy().into_owned())
    }
}

/// The folder meant: as git does, `name` also finds `name.git`.
fn existing(path: &Path) -> Result<PathBuf, GitError> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => Ok(path.to_owned()),
        Ok(_) => Err(failure::not_git(path, "it is a file")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let mut longer = path.as_os_str().to_owned();
            longer.push(".git");
            match PathBuf::from(longer) {
                folder if folder.is_dir() => Ok(folder),
                _ => Err(failure::not_found(path)),
            }
        }
        Err(error) => Err(failure::io(path, "open the repository", error)),
    }
}

/// The configuration of a repository that could not be opened; empty where there is none.
fn extensions(folder: &Path) -> gix::config::File {
    [folder.join(".git/config"), folder.join("config")]
        .into_iter()
        .find_map(|file| gix::config::File::from_path_no_includes(file, gix::config::Source::Local).ok())
        .unwrap_or_default()
}

/// Refuses what would be misread: another hash, another store of references.
fn supported(path: &Path, config: &gix::config::File) -> Result<(), GitError> {
    let value = |key: &str| config.string(key).map(|value| value.to_str_lossy().to_ascii_lowercase());
    match value("extensions.objectFormat").as_deref() {
        None | Some("sha1") => {}
        Some(other) => {
            return Err(failure::unsupported(path, format!("its objects are named by {other}, not by sha1")));
        }
    }
    match value("extensions.refStorage").as_deref() {
        None | Some("files") => Ok(()),
        Some(other) => {
            Err(failure::unsupported(path, format!("its references are stored as {other}, not as files")))
        }
    }
}
