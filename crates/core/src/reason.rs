//! Why a resource is as it is, in one word: the reason of its conditions, of Events, and of reports as JSON.
//!
//! Each has a row in `docs/troubleshooting.md`; a test holds the two together.

use std::fmt;

use serde::Serialize;

/// One list for the words, their order and the type.
macro_rules! reasons {
    ($($(#[$doc:meta])+ $name:ident,)+) => {
        /// Why a resource is as it is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        pub enum Reason {
            $($(#[$doc])+ $name,)+
        }

        /// Every reason, in the order of the documentation.
        pub const ALL: &[Reason] = &[$(Reason::$name),+];

        impl Reason {
            /// The word itself, as Kubernetes wants reasons: CamelCase.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }
        }
    };
}

reasons! {
    /// Nothing newer is allowed.
    UpToDate,
    /// A commit was made in this pass.
    Updated,
    /// A person decided otherwise: a revert, a pin, a tag written by hand.
    Held,
    /// Something newer waits for its time: a window, its age.
    Waiting,
    /// `spec.suspend` is true.
    Suspended,
    /// Our update made the component unhealthy: nothing newer is written.
    Unhealthy,
    /// Nothing is known yet.
    Progressing,
    /// The registry does not answer, or not in time.
    RegistryUnreachable,
    /// The registry refuses the credential, or wants one.
    RegistryDenied,
    /// The registry asks to wait.
    RegistryThrottled,
    /// The registry has no such image.
    ImageNotFound,
    /// What answers is not a registry, or answers nonsense.
    NotARegistry,
    /// The registry lists no tag, or none that the policy allows.
    NoTagAllowed,
    /// None of the newer tags is signed by whom the resource names.
    NotSigned,
    /// The Git server does not answer, or not in time.
    GitUnreachable,
    /// The Git server refuses the credential, or wants one.
    GitDenied,
    /// There is no such repository, or none that the credential may see.
    RepositoryNotFound,
    /// The repository has no such branch.
    BranchNotFound,
    /// The branch has no such file.
    PathNotFound,
    /// What answers is not a Git server, or not one that can be used.
    NotAGitServer,
    /// A rule of the Git server forbids the push.
    PushRefused,
    /// Others pushed too often meanwhile.
    BranchMoved,
    /// The file cannot be changed in one value with proof.
    FileNotEditable,
    /// The file does not hold the Application, the component, the field or the marker.
    TargetNotFound,
    /// Another resource writes the same place.
    TargetShared,
    /// A Secret that the resource names is not there.
    SecretNotFound,
    /// A Secret or certificate cannot be used.
    CredentialUnusable,
    /// A server that the resource names, or is sent on to, may not be asked.
    HostNotAllowed,
    /// Git holds the image, but the Application in the cluster could not be changed.
    DeployFailed,
    /// The resource itself cannot be used.
    InvalidSpec,
}

/// When to try again after a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// With the interval, as after a success.
    AtInterval,
    /// Soon, and less often with each failure: it may heal by itself.
    Soon,
    /// When the resource changes: waiting does not help.
    OnChange,
}

impl Reason {
    /// Whether all is as it should be.
    pub fn is_ready(self) -> bool {
        matches!(self, Self::UpToDate | Self::Updated | Self::Held | Self::Waiting | Self::Suspended)
    }

    /// When to try again.
    pub fn retry(self) -> Retry {
        match self {
            Self::RegistryUnreachable
            | Self::RegistryThrottled
            | Self::GitUnreachable
            | Self::BranchMoved
            | Self::DeployFailed
            | Self::Progressing => Retry::Soon,
            Self::InvalidSpec => Retry::OnChange,
            _ => Retry::AtInterval,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
