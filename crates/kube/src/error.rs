//! Why the cluster could not be asked or changed.

/// Why a call failed. Every variant says what was attempted; [`KubeError::hint`] says what can be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KubeError {
    /// There is no cluster to talk to.
    #[error("cannot find out how to reach the cluster")]
    Config(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The API server refused.
    #[error("cannot {attempt}: the API server says: {message} ({code})")]
    Refused {
        /// What was attempted: `read the Secret dev/ghcr`.
        attempt: String,
        /// The API server's words.
        message: String,
        /// The HTTP status.
        code: u16,
    },
    /// No answer came, or none that makes sense.
    #[error("cannot {attempt}")]
    Failed {
        /// What was attempted.
        attempt: String,
        /// What happened.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The object changed each time it was about to be changed.
    #[error("cannot {attempt}: somebody else changes it all the time")]
    Contended {
        /// What was attempted.
        attempt: String,
    },
}

impl KubeError {
    /// Wraps an error of the client, saying what was attempted.
    pub(crate) fn of(attempt: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        move |error| match error {
            kube::Error::Api(status) => {
                Self::Refused { attempt: attempt.into(), message: status.message, code: status.code }
            }
            other => Self::Failed { attempt: attempt.into(), source: Box::new(other) },
        }
    }

    /// What a person can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Config(_) => Some(
                "run it in a pod with a service account, or point KUBECONFIG at a file that kubectl can use",
            ),
            Self::Refused { code: 401 | 403, .. } => {
                Some("the service account may not do this: compare its roles with docs/reference/kubevela.md")
            }
            _ => None,
        }
    }
}

/// Whether the API server said so with this status.
pub(crate) fn has_code(error: &kube::Error, codes: &[u16]) -> bool {
    matches!(error, kube::Error::Api(status) if codes.contains(&status.code))
}
