//! Places at which a test ends the program as a crash would: at once, with nothing cleaned up and nobody told.
//!
//! `IMAGE_GITOPS_FAILPOINT` names the place. Only in debug builds: in a release build no place does anything, and no name
//! is in the program. The tests take the list from this file, so that none can be forgotten there.

/// One list for the places, their order in a pass and the type.
macro_rules! failpoints {
    ($($(#[$doc:meta])+ $place:ident = $name:literal,)+) => {
        /// A place in a pass.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Failpoint {
            $($(#[$doc])+ $place,)+
        }

        #[cfg(debug_assertions)]
        impl Failpoint {
            /// Every place, in the order of a pass.
            #[allow(dead_code, reason = "for the tests, which read this file too")]
            pub(crate) const ALL: &[Self] = &[$(Self::$place),+];

            /// What the variable calls it.
            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Self::$place => $name,)+
                }
            }
        }
    };
}

failpoints! {
    /// This replica holds the Lease and has done nothing with it.
    LeaseTaken = "lease-taken",
    /// The Secrets are read.
    SecretsRead = "secrets-read",
    /// Nothing was asked of registry and Git.
    PassBegun = "pass-begun",
    /// The registry has listed the tags.
    TagsListed = "tags-listed",
    /// The branch was read.
    BranchRead = "branch-read",
    /// It is decided what to write, and how the file looks then.
    Decided = "decided",
    /// The commit is made, and nobody has it.
    CommitMade = "commit-made",
    /// The server has answered that the commit is on the branch.
    PushAnswered = "push-answered",
    /// The server has answered that somebody else was faster.
    BranchMoved = "branch-moved",
    /// The Application in the cluster holds what Git says.
    ApplicationPatched = "application-patched",
    /// The status is written.
    StatusWritten = "status-written",
    /// The Application carries the mark by which KubeVela looks at it again.
    ApplicationMarked = "application-marked",
    /// The Events are written.
    EventsSent = "events-sent",
    /// All is done.
    PassEnded = "pass-ended",
}

impl Failpoint {
    /// Ends the program here if a test asked for it.
    pub(crate) fn reach(self) {
        #[cfg(debug_assertions)]
        if std::env::var_os("IMAGE_GITOPS_FAILPOINT").is_some_and(|name| name == self.name()) {
            tracing::error!(failpoint = self.name(), "ending here, as a test asks");
            std::process::abort();
        }
    }
}
