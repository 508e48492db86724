//! The readers of the protocol's answers, as fuzz targets.

use super::{advertisement, pkt::Packets, receive_pack, sideband, transport, v0, v2, words};
use crate::fuzz::Target;

/// The advertisement of a server that can all that this client makes use of.
const CAPABLE: &[u8] = b"006a0000000000000000000000000000000000000000 capabilities^{}\0report-status side-band-64k object-format=sha1\n0000";

/// What reads a server's answers.
pub const TARGETS: &[Target] = &[
    ("advertisement", |bytes| {
        let _ = advertisement::parse(bytes);
    }),
    ("ls-refs", |bytes| {
        let _ = v2::references(bytes);
    }),
    ("fetch-v2", |bytes| {
        let _ = v2::fetched(bytes);
    }),
    ("fetch-v0", |bytes| {
        let _ = v0::fetched(bytes);
    }),
    ("pkt-line", |bytes| {
        let mut packets = Packets::new(bytes);
        while let Ok(Some(_)) = packets.next() {}
        let _ = sideband::demultiplex(&mut Packets::new(bytes));
    }),
    ("report-status", |bytes| {
        for advertised in [CAPABLE, b"0000"] {
            let capabilities = match advertisement::parse(advertised) {
                Ok(advertisement::Advertisement::V0 { capabilities, .. }) => capabilities,
                _ => Default::default(),
            };
            let _ = receive_pack::report(&capabilities, "refs/heads/main", bytes);
        }
    }),
    ("words-of-git", |bytes| {
        let _ = words::lines(bytes);
        let _ = words::of_body(Some("text/plain"), bytes);
    }),
    ("retry-after-of-git", |bytes| {
        let _ = transport::outage::retry_after(&String::from_utf8_lossy(bytes));
    }),
];
