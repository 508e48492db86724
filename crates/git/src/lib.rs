//! Reads a few objects of a remote branch, writes one commit on top of it, and pushes it as a lease. No git program is run.
//!
//! ```no_run
//! # async fn example() -> Result<(), image_gitops_git::GitError> {
//! use image_gitops_core::credential::Credential;
//! use image_gitops_git::{Access, Branch, Identity, Limits, Remote, RemoteUrl, RepoPath, Want};
//!
//! let url = RemoteUrl::parse("https://github.com/owner/name")?;
//! let access = Access { credential: Credential::token("ghp_..."), ..Access::default() };
//! let remote = Remote::new(url, access, Limits::default())?;
//!
//! let path = RepoPath::new("kubevela/app.yaml")?;
//! let snapshot = remote.snapshot(&Branch::new("main")?, &[Want::File(path.clone())]).await?;
//! let robot = Identity::new("image-gitops", "image-gitops@users.noreply.github.com")?;
//! let commit = snapshot.commit(&[(path, b"image: a:2\n".to_vec())], &robot, &robot, 1_700_000_000, "Update a")?;
//! let pushed = remote.push(commit).await?;
//! println!("{}", pushed.commit);
//! # Ok(())
//! # }
//! ```
//!
//! Rooms: [`url`](RemoteUrl) and [`name`](Branch) hold what was validated once; `object`, `tree` and `pack` are Git's formats;
//! `walk` finds files in a tree, whoever delivers its objects; `snapshot` and `commit` are what callers work with;
//! `http` is the wire, `local` a repository on disk, and `remote` chooses between the two.

mod commit;
mod error;
#[cfg(feature = "fuzz")]
#[doc(hidden)]
pub mod fuzz;
mod history;
mod http;
mod local;
mod name;
mod object;
mod pack;
mod remote;
mod snapshot;
mod tree;
mod url;
mod walk;

pub use commit::{Commit, Pushed};
pub use error::{GitError, Outage, Tried};
pub use history::{History, Logged};
pub use name::{Branch, Identity, RepoPath};
pub use object::ObjectId;
pub use remote::{Access, Limits, Remote};
pub use snapshot::{Cost, File, FileMode, Snapshot, Transfer, Want};
pub use url::RemoteUrl;
