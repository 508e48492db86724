//! Reading: the few objects that are wanted, in the cheapest way that the server offers.

use std::sync::Arc;

use super::transport::{Again, Call, Service};
use super::wire::WireError;
use super::{Dialect, Http, Server, v0, v2};
use crate::object::{ObjectId, Objects};
use crate::pack::{self, PackError};
use crate::walk::{Walk, walk};
use crate::{Branch, GitError, History, Snapshot, Transfer, Want, history};

/// The most generations that are asked for where the server sends all their files too.
const UNFILTERED: u32 = 256;
/// The size from which a pack is worth a thread, in bytes.
const LARGE: usize = 256 << 10;
/// The most rounds of a walk: one a level.
const ROUNDS: usize = 64;

impl Http {
    pub(crate) async fn snapshot(&self, branch: &Branch, wants: &[Want]) -> Result<Snapshot, GitError> {
        let mut call = self.reading(branch);
        loop {
            let greeting = self.greeting(&mut call).await?;
            match self.read_tip(&mut call, &greeting.dialect, branch, wants).await {
                Err(error) if self.outdated(&greeting, &error) => {}
                result => return result,
            }
        }
    }

    /// The files at the tip, wherever that is by the time they are read.
    async fn read_tip(
        &self,
        call: &mut Call,
        dialect: &Dialect,
        branch: &Branch,
        wants: &[Want],
    ) -> Result<Snapshot, GitError> {
        let mut tip = self.find_tip(call, dialect, branch).await?;
        loop {
            match self.read(call, dialect, branch, tip, wants).await {
                // What was the tip may be gone by now: a forced push came in between.
                Err(error @ GitError::Server { .. }) => {
                    let now = match dialect {
                        Dialect::V2(_) => self.find_tip(call, dialect, branch).await?,
                        Dialect::V0 { .. } => return Err(error),
                    };
                    if now == tip {
                        return Err(error);
                    }
                    tip = now;
                }
                result => return result,
            }
        }
    }

    /// The files of one commit. The ways are tried from the cheapest on: a server that refuses one may take the next.
    async fn read(
        &self,
        call: &mut Call,
        dialect: &Dialect,
        branch: &Branch,
        tip: ObjectId,
        wants: &[Want],
    ) -> Result<Snapshot, GitError> {
        let filters = match dialect {
            Dialect::V2(server) => server.capabilities.command_has("fetch", "filter"),
            Dialect::V0 { .. } => false,
        };
        let first = match self.memory().transfer {
            _ if !filters => Transfer::Shallow,
            Some(transfer) => transfer,
            None => Transfer::Lazy,
        };
        let mut transfer = first;
        loop {
            let error = match self.read_by(call, dialect, transfer, branch, tip, wants).await {
                Ok(snapshot) => {
                    self.memory().transfer = Some(transfer);
                    return Ok(snapshot);
                }
                Err(error) => error,
            };
            transfer = match transfer {
                Transfer::Lazy if refuses(&error) => Transfer::Blobless,
                Transfer::Blobless if refuses(&error) => Transfer::Shallow,
                _ => return Err(error),
            };
            tracing::debug!(error = &error as &dyn std::error::Error, %transfer, "the server refuses; trying another way");
        }
    }

    async fn read_by(
        &self,
        call: &mut Call,
        dialect: &Dialect,
        transfer: Transfer,
        branch: &Branch,
        tip: ObjectId,
        wants: &[Want],
    ) -> Result<Snapshot, GitError> {
        let mut known = self.memory().objects.clone();
        for round in 0..ROUNDS {
            let missing = match walk(branch, tip, wants, &self.limits, &|id| Ok(known.get(id).cloned()))? {
                Walk::Missing(missing) => missing,
                Walk::Done { files, objects } => {
                    self.remember(&objects);
                    let (branch, cost) = (branch.clone(), call.cost);
                    return Ok(Snapshot { branch, tip, transfer, files, cost, objects });
                }
            };
            let all = transfer != Transfer::Lazy && round == 0;
            let asked = if all { vec![tip] } else { missing.clone() };
            let deepen = asked.contains(&tip).then_some(1);
            let filter = match transfer {
                Transfer::Lazy => Some("tree:0"),
                Transfer::Blobless => Some("blob:none"),
                Transfer::Shallow | Transfer::Local => None,
            };
            let sent = self.fetch(call, dialect, &known, &asked, deepen, filter).await?;
            let found = |id: &ObjectId| sent.get(id).is_some();
            if !asked.iter().all(found) || transfer == Transfer::Shallow && !missing.iter().any(found) {
                let reason = "the server did not send all objects that were asked for".into();
                return Err(GitError::Protocol { attempt: call.attempt.clone(), reason });
            }
            known.extend(sent);
        }
        let limit = format!("{ROUNDS} folders one in another");
        Err(GitError::TooLarge { attempt: call.attempt.clone(), limit })
    }

    /// Keeps objects for later calls; if that is too much, these and no others.
    fn remember(&self, objects: &Objects) {
        let mut memory = self.memory();
        memory.objects.extend(objects.clone());
        if memory.objects.bytes() > self.limits.remembered_bytes {
            memory.objects = objects.clone();
        }
        if memory.objects.bytes() > self.limits.remembered_bytes {
            memory.objects = Objects::default();
        }
    }

    /// One request for objects.
    async fn fetch(
        &self,
        call: &mut Call,
        dialect: &Dialect,
        known: &Objects,
        wants: &[ObjectId],
        deepen: Option<u32>,
        filter: Option<&str>,
    ) -> Result<Objects, GitError> {
        let (door, request) = match dialect {
            Dialect::V2(Server { door, capabilities }) => {
                (door, v2::fetch(capabilities, v2::Fetch { wants, deepen, filter }))
            }
            Dialect::V0 { door, capabilities, .. } => {
                let want = wants.first().copied().unwrap_or_else(|| ObjectId::null(crate::object::SHA1));
                let request = v0::fetch(capabilities, want, deepen.unwrap_or(1), filter);
                (door, request.map_err(|error| call.fail(error))?)
            }
        };
        let body = self.transport.rpc(call, door, Service::UploadPack, request, Again::Yes).await?;
        let pack = match dialect {
            Dialect::V2(_) => v2::fetched(&body),
            Dialect::V0 { .. } => v0::fetched(&body),
        };
        let objects = match pack {
            Ok(pack) => self.unpack(pack, known).await.map_err(WireError::from),
            Err(error) => Err(error),
        };
        let objects = objects.map_err(|error| call.fail(error))?;
        call.cost.objects += objects.len();
        Ok(objects)
    }

    /// Reads a pack; a large one beside the asynchronous threads, which it would hold up.
    async fn unpack(&self, pack: Vec<u8>, known: &Objects) -> Result<Objects, PackError> {
        if pack.len() < LARGE {
            return pack::read(&pack, known, &self.limits);
        }
        let (known, limits) = (known.clone(), self.limits.clone());
        let read = tokio::task::spawn_blocking(move || pack::read(&pack, &known, &limits));
        read.await.unwrap_or(Err(PackError::Broken("reading it was interrupted")))
    }

    pub(crate) async fn history(&self, snapshot: &Snapshot, depth: u32) -> Result<History, GitError> {
        let tip = snapshot.tip;
        if let Some((read_for, deep, history)) = &self.memory().history
            && *read_for == tip
            && (*deep >= depth || history.complete)
        {
            return Ok(History::clone(history));
        }
        let mut call =
            self.transport.call(format!("read the history of {} of {}", snapshot.branch, self.url));
        let history = loop {
            let greeting = self.greeting(&mut call).await?;
            match self.generations(&mut call, &greeting.dialect, tip, depth).await {
                Err(error) if self.outdated(&greeting, &error) => {}
                result => break result?,
            }
        };
        self.memory().history = Some((tip, depth, Arc::new(history.clone())));
        Ok(history)
    }

    /// The commits up to `tip`, so many generations of them.
    async fn generations(
        &self,
        call: &mut Call,
        dialect: &Dialect,
        tip: ObjectId,
        depth: u32,
    ) -> Result<History, GitError> {
        let filters = match dialect {
            Dialect::V2(server) => server.capabilities.command_has("fetch", "filter"),
            Dialect::V0 { capabilities, .. } => capabilities.has("filter"),
        };
        let (depth, filter) = if filters { (depth, Some("tree:0")) } else { (depth.min(UNFILTERED), None) };
        let sent = self.fetch(call, dialect, &Objects::default(), &[tip], Some(depth.max(1)), filter).await?;
        Ok(history::log(tip, &sent))
    }
}

/// Whether a server refuses what was asked of it, so that asking otherwise may help.
fn refuses(error: &GitError) -> bool {
    matches!(error, GitError::Server { .. } | GitError::Protocol { .. } | GitError::NotGit { .. })
}
