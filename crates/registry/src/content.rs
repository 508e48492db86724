//! Manifests and blobs of one repository: what all reading but that of tags is made of.

use image_gitops_core::image::{Digest, Repository};
use reqwest::{Method, StatusCode};

use crate::auth::Session;
use crate::error::RegistryError;
use crate::http::{Answer, Call, Request};

/// The digest of an index is wanted where there is one: without its types, a registry gives one platform's manifest.
pub(crate) const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json";
/// A blob comes in one form.
pub(crate) const ANY: &str = "*/*";

/// The most bytes of a manifest that registries must take (distribution-spec, "Pushing Manifests").
pub(crate) const MANIFEST_BYTES: usize = 4 << 20;

/// One repository's manifests and blobs, read as a part of one call.
pub(crate) struct Content<'a> {
    pub(crate) session: &'a Session,
    pub(crate) repository: &'a Repository,
    pub(crate) call: &'a mut Call,
}

impl Content<'_> {
    /// Asks for what lies at a path below the repository, whatever the answer's status.
    pub(crate) async fn ask(
        &mut self,
        method: Method,
        path: &str,
        accept: &'static str,
        most: usize,
    ) -> Result<Answer, RegistryError> {
        let request = Request {
            method,
            url: self.session.url(self.repository, path)?,
            accept,
            authorization: None,
            form: None,
            answer_bytes: most.min(self.session.http.limits.answer_bytes),
        };
        self.session.send(self.call, self.repository, request).await
    }

    /// Reads what must be there.
    pub(crate) async fn get(
        &mut self,
        path: &str,
        accept: &'static str,
        most: usize,
    ) -> Result<Vec<u8>, RegistryError> {
        let answer = self.ask(Method::GET, path, accept, most).await?;
        match answer.status {
            StatusCode::OK => Ok(answer.body),
            _ => Err(self.refused(&answer)),
        }
    }

    /// What an answer that is no success comes to.
    pub(crate) fn refused(&self, answer: &Answer) -> RegistryError {
        self.session.refused(self.call, self.repository, answer)
    }

    /// A digest that a manifest names: it becomes a part of a path, and came from the registry.
    pub(crate) fn digest(&self, named: &str) -> Result<Digest, RegistryError> {
        Digest::new(named).map_err(|error| self.session.no_registry(self.call, error.to_string()))
    }

    /// What a manifest or a configuration says.
    pub(crate) fn parse<T: serde::de::DeserializeOwned>(&self, body: &[u8]) -> Result<T, RegistryError> {
        serde_json::from_slice(body)
            .map_err(|error| self.session.no_registry(self.call, format!("it sends no manifest: {error}")))
    }
}
