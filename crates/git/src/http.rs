//! A repository behind smart HTTP.
//!
//! `pkt` and `sideband` are the framing, `advertisement`, `v2`, `v0` and `receive_pack` the messages in it, `transport` the
//! requests that carry them. `fetch` and `push` put them together.

mod advertisement;
mod fetch;
#[cfg(feature = "fuzz")]
pub(crate) mod fuzz;
mod pkt;
mod push;
mod receive_pack;
mod refusal;
mod sideband;
mod transport;
mod v0;
mod v2;
mod wire;
mod words;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::advertisement::{Advertisement, Capabilities, Reference};
use self::transport::{Again, Call, Door, Service, Transport};
use crate::object::{ObjectId, Objects};
use crate::{Access, Branch, GitError, History, Limits, Pushed, RemoteUrl, Transfer};

/// What we call ourselves in Git's protocol.
const AGENT: &str = concat!("image-gitops/", env!("CARGO_PKG_VERSION"));
/// And over HTTP. Some hosts answer Git only to what calls itself git.
const USER_AGENT: &str = concat!("git/2.0 (image-gitops/", env!("CARGO_PKG_VERSION"), ")");

/// A repository behind smart HTTP.
#[derive(Debug)]
pub(crate) struct Http {
    url: RemoteUrl,
    transport: Transport,
    limits: Limits,
    memory: Mutex<Memory>,
}

/// What is remembered between calls. Objects never change; the rest is forgotten as soon as a call fails.
#[derive(Debug, Default)]
struct Memory {
    objects: Objects,
    server: Option<Server>,
    /// The way that worked last.
    transfer: Option<Transfer>,
    /// The last history, with the tip and the depth that it was read for.
    history: Option<(ObjectId, u32, Arc<History>)>,
}

/// A server of protocol v2: it needs not be asked again what it can do.
#[derive(Clone, Debug)]
struct Server {
    door: Door,
    capabilities: Capabilities,
}

/// What a server says of its references, whichever protocol it speaks.
#[derive(Clone, Debug)]
enum Dialect {
    V2(Server),
    V0 { door: Door, capabilities: Capabilities, references: Vec<Reference> },
}

/// A dialect, and whether it was remembered from an earlier call.
#[derive(Debug)]
struct Greeting {
    dialect: Dialect,
    remembered: bool,
}

impl Http {
    pub(crate) fn new(url: RemoteUrl, access: Access, limits: Limits) -> Result<Self, GitError> {
        let transport = Transport::new(&url, access, &limits)?;
        Ok(Self { url, transport, limits, memory: Mutex::default() })
    }

    /// See [`Transport::discreet`].
    pub(crate) fn discreet<T>(&self, result: Result<T, GitError>) -> Result<T, GitError> {
        self.transport.discreet(result)
    }

    /// See [`Transport::discreet_push`].
    pub(crate) fn discreet_push(&self, result: Result<Pushed, GitError>) -> Result<Pushed, GitError> {
        self.transport.discreet_push(result)
    }

    pub(crate) async fn tip(&self, branch: &Branch) -> Result<ObjectId, GitError> {
        let mut call = self.reading(branch);
        loop {
            let greeting = self.greeting(&mut call).await?;
            match self.find_tip(&mut call, &greeting.dialect, branch).await {
                Err(error) if self.outdated(&greeting, &error) => {}
                result => return result,
            }
        }
    }

    fn reading(&self, branch: &Branch) -> Call {
        self.transport.call(format!("read the branch {branch} of {}", self.url))
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // Nobody panics while holding it; and what is in it holds in any case.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the server can do: as it is remembered, or asked anew.
    async fn greeting(&self, call: &mut Call) -> Result<Greeting, GitError> {
        let server = self.memory().server.clone();
        Ok(match server {
            Some(server) => Greeting { dialect: Dialect::V2(server), remembered: true },
            None => Greeting { dialect: self.greet(call).await?, remembered: false },
        })
    }

    /// Whether an error may come from a server that is no longer what is remembered of it. It is forgotten then, and the
    /// thing is to be done again.
    fn outdated(&self, greeting: &Greeting, error: &GitError) -> bool {
        let outdated = greeting.remembered && changed(error);
        if outdated {
            *self.memory() = Memory::default();
        }
        outdated
    }

    /// Asks the server what it can do.
    async fn greet(&self, call: &mut Call) -> Result<Dialect, GitError> {
        let (door, body) = self.transport.advertisement(call, Service::UploadPack).await?;
        Ok(match advertisement::parse(&body).map_err(|error| call.fail(error))? {
            Advertisement::V2(capabilities) => {
                let server = Server { door, capabilities };
                self.memory().server = Some(server.clone());
                Dialect::V2(server)
            }
            Advertisement::V0 { capabilities, references } => Dialect::V0 { door, capabilities, references },
        })
    }

    /// The tip of a branch.
    async fn find_tip(
        &self,
        call: &mut Call,
        dialect: &Dialect,
        branch: &Branch,
    ) -> Result<ObjectId, GitError> {
        let name = branch.reference();
        let listed;
        let references = match dialect {
            Dialect::V0 { references, .. } => references,
            Dialect::V2(server) => {
                listed = self.list(call, server, &name).await?;
                &listed
            }
        };
        if let Some(found) = references.iter().find(|reference| reference.name == name) {
            return Ok(found.id);
        }
        let branches = match dialect {
            Dialect::V0 { references, .. } => references.clone(),
            Dialect::V2(server) => self.list(call, server, "refs/heads/").await?,
        };
        Err(self.no_branch(branch, &branches))
    }

    async fn list(&self, call: &mut Call, server: &Server, prefix: &str) -> Result<Vec<Reference>, GitError> {
        let request = v2::ls_refs(&server.capabilities, prefix);
        let body = self.transport.rpc(call, &server.door, Service::UploadPack, request, Again::Yes).await?;
        v2::references(&body).map_err(|error| call.fail(error))
    }

    /// The error for a branch that is not among the references.
    fn no_branch(&self, branch: &Branch, references: &[Reference]) -> GitError {
        /// The most branches that are shown.
        const SHOWN: usize = 10;
        let (url, branch) = (self.url.to_string(), branch.clone());
        let names = references.iter().filter_map(|reference| reference.name.strip_prefix("refs/heads/"));
        let known: Vec<String> = names.take(SHOWN).map(|name| words::line(name.as_bytes())).collect();
        if known.is_empty() {
            return GitError::EmptyRepository { url, branch };
        }
        GitError::BranchNotFound { url, branch, known }
    }
}

/// Whether an error may come from a server that is no longer what it was.
fn changed(error: &GitError) -> bool {
    matches!(
        error,
        GitError::NotGit { .. }
            | GitError::Protocol { .. }
            | GitError::Server { .. }
            | GitError::Unsupported { .. }
            | GitError::Denied { .. }
            | GitError::RepositoryNotFound { .. }
    )
}
