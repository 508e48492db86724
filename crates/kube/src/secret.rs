//! Secrets: those of users, read by name only; and the two that the service makes for itself.

use std::collections::BTreeMap;

use image_gitops_core::{
    resource::ResourceId,
    secret::{Secret, SecretError},
};
use k8s_openapi::{ByteString, api::core::v1 as core};
use kube::{
    Api,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
};
use secrecy::{SecretString, zeroize::Zeroize as _};
use serde_json::json;

use crate::{Cluster, KubeError, error::has_code};

/// A Secret of a user, as it was at one moment.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// What it holds, or why that cannot be used.
    pub secret: Result<Secret, std::sync::Arc<SecretError>>,
    /// Its version: another one means that it was changed, and that clients made from it are to be made anew.
    pub version: String,
}

/// Access to Secrets by name. Nothing is listed, watched or kept.
#[derive(Clone)]
pub struct Secrets(Cluster);

impl Secrets {
    /// Access to the Secrets of a cluster.
    pub fn new(cluster: Cluster) -> Self {
        Self(cluster)
    }

    fn api(&self, namespace: &str) -> Api<core::Secret> {
        Api::namespaced(self.0.client.clone(), namespace)
    }

    /// Reads one; `None` where it is not there.
    pub async fn get(&self, id: &ResourceId) -> Result<Option<Fetched>, KubeError> {
        let found = self.api(&id.namespace).get_opt(&id.name).await;
        let Some(secret) = found.map_err(KubeError::of(format!("read the Secret {id}")))? else {
            return Ok(None);
        };
        let version = secret.metadata.resource_version.clone().unwrap_or_default();
        let values = secret.data.unwrap_or_default().into_iter().map(|(key, ByteString(bytes))| (key, bytes));
        Ok(Some(Fetched { secret: Secret::from_bytes(values).map_err(Into::into), version }))
    }

    /// The token of the Secret `name` in the program's own namespace, which is made with a random one where there is none.
    /// `fixed` are values that it must hold besides: one that differs is put right.
    pub async fn own(&self, name: &str, fixed: &[(&str, &str)]) -> Result<SecretString, KubeError> {
        let api = self.api(&self.0.namespace);
        let attempt = || format!("keep the Secret {}/{name}", self.0.namespace);
        for _ in 0..3 {
            let Some(secret) = api.get_opt(name).await.map_err(KubeError::of(attempt()))? else {
                let made = made(name, fixed)?;
                match api.create(&PostParams::default(), &made).await {
                    // Another replica was faster: its token counts.
                    Err(error) if has_code(&error, &[409]) => continue,
                    other => other.map_err(KubeError::of(attempt()))?,
                };
                continue;
            };
            let mut data = secret.data.unwrap_or_default();
            let text = |key: &str| data.get(key).and_then(|ByteString(bytes)| str::from_utf8(bytes).ok());
            let mut wrong: BTreeMap<&str, String> = BTreeMap::new();
            for (key, value) in fixed {
                if text(key) != Some(*value) {
                    wrong.insert(key, (*value).to_owned());
                }
            }
            let token = text("token").map(|token| token.trim().to_owned()).filter(|token| !token.is_empty());
            let token = match token {
                Some(token) => token,
                None => {
                    let token = random_token()?;
                    wrong.insert("token", token.clone());
                    token
                }
            };
            if !wrong.is_empty() {
                let patch = Patch::Merge(json!({ "stringData": wrong }));
                api.patch(name, &PatchParams::default(), &patch).await.map_err(KubeError::of(attempt()))?;
            }
            data.values_mut().for_each(|ByteString(bytes)| bytes.zeroize());
            return Ok(token.into());
        }
        Err(KubeError::Contended { attempt: attempt() })
    }
}

fn made(name: &str, fixed: &[(&str, &str)]) -> Result<core::Secret, KubeError> {
    let mut data: BTreeMap<String, String> =
        fixed.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    data.insert("token".into(), random_token()?);
    let labels = [("app.kubernetes.io/managed-by".to_owned(), "image-gitops".to_owned())];
    Ok(core::Secret {
        metadata: ObjectMeta { name: Some(name.into()), labels: Some(labels.into()), ..Default::default() },
        string_data: Some(data),
        type_: Some("Opaque".into()),
        ..Default::default()
    })
}

/// 256 bits from the operating system, in hexadecimal.
fn random_token() -> Result<String, KubeError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| KubeError::Failed {
        attempt: "make a random token".into(),
        source: Box::new(error),
    })?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
