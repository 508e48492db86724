//! Why an answer cannot be used, before it is known what was attempted with it.

use super::pkt::PacketError;
use super::sideband::Bands;
use super::words;
use crate::pack::PackError;
use crate::{GitError, Outage};

/// Why an answer cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum WireError {
    /// It was cut.
    Cut,
    /// The server says so itself: an `ERR` line or the third band.
    Said(String),
    /// It makes no sense.
    Broken(String),
    /// It makes sense, but not to this program.
    Unsupported(String),
    /// It is too much.
    TooLarge(String),
}

impl WireError {
    pub(super) fn of(self, attempt: &str) -> GitError {
        let attempt = attempt.to_owned();
        match self {
            Self::Cut => GitError::Unreachable { attempt, outage: Outage::Cut, source: None },
            Self::Said(words) => GitError::Server { attempt, words },
            Self::Broken(reason) => GitError::Protocol { attempt, reason },
            Self::Unsupported(reason) => GitError::Unsupported { attempt, reason },
            Self::TooLarge(limit) => GitError::TooLarge { attempt, limit },
        }
    }

    pub(super) fn broken(reason: &str) -> Self {
        Self::Broken(format!("the server's answer makes no sense: {reason}"))
    }
}

impl From<PacketError> for WireError {
    fn from(error: PacketError) -> Self {
        match error {
            PacketError::Cut => Self::Cut,
            PacketError::NotPackets => Self::broken("it does not consist of pkt-lines"),
        }
    }
}

impl From<PackError> for WireError {
    fn from(error: PackError) -> Self {
        match error {
            PackError::Cut => Self::Cut,
            PackError::Broken(reason) => {
                Self::Broken(format!("the pack that the server sent is broken: {reason}"))
            }
            PackError::TooLarge(limit) => Self::TooLarge(limit),
        }
    }
}

/// A line that may be an error of the server (gitprotocol-pack, `ERR`).
pub(super) fn refused(line: &[u8]) -> Result<&[u8], WireError> {
    match line.strip_prefix(b"ERR ") {
        Some(said) => Err(WireError::Said(words::line(said))),
        None => Ok(line),
    }
}

/// The pack of an answer whose bands were taken apart.
pub(super) fn pack(bands: Result<Bands, (PacketError, Bands)>) -> Result<Vec<u8>, WireError> {
    let (bands, error) = match bands {
        Ok(bands) => (bands, None),
        Err((error, bands)) => (bands, Some(error)),
    };
    match (bands.fatal, error) {
        (Some(said), _) => Err(WireError::Said(words::line(&said))),
        (None, Some(error)) => Err(error.into()),
        (None, None) => Ok(bands.data),
    }
}
