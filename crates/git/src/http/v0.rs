//! Protocol v0, for servers that know no other: one request, one pack of whole commits (gitprotocol-pack).

use super::AGENT;
use super::advertisement::Capabilities;
use super::pkt::{Message, Packet, Packets};
use super::sideband::demultiplex;
use super::wire::{WireError, pack, refused};
use crate::object::ObjectId;

/// A request for the last `deepen` generations of the commit `want`, without what `filter` names.
///
/// # Errors
/// [`WireError::Unsupported`] of servers that can only send whole histories.
pub(super) fn fetch(
    capabilities: &Capabilities,
    want: ObjectId,
    deepen: u32,
    filter: Option<&str>,
) -> Result<Vec<u8>, WireError> {
    for needed in ["side-band-64k", "shallow"] {
        if !capabilities.has(needed) {
            return Err(WireError::Unsupported(format!("the server knows neither protocol v2 nor {needed}")));
        }
    }
    let optional = ["ofs-delta", "no-progress"].into_iter().filter(|name| capabilities.has(name));
    let mut chosen: Vec<String> = ["side-band-64k"].into_iter().chain(optional).map(str::to_owned).collect();
    if capabilities.has("object-format") {
        chosen.push("object-format=sha1".into());
    }
    if filter.is_some() {
        chosen.push("filter".into());
    }
    chosen.push(format!("agent={AGENT}"));
    let message = Message::default()
        .line(&format!("want {want} {}", chosen.join(" ")))
        .line(&format!("deepen {deepen}"));
    let message = message.lines(filter.map(|filter| format!("filter {filter}")));
    Ok(message.flush().line("done").into_bytes())
}

/// The pack of an answer: `shallow` lines up to a flush, `NAK`, and the bands.
pub(super) fn fetched(body: &[u8]) -> Result<Vec<u8>, WireError> {
    let mut packets = Packets::new(body);
    loop {
        match packets.next()?.ok_or(WireError::Cut)? {
            Packet::Data(line) => match refused(line.strip_suffix(b"\n").unwrap_or(line))? {
                b"NAK" => return pack(demultiplex(&mut packets)),
                line if line.starts_with(b"shallow ") || line.starts_with(b"unshallow ") => {}
                _ => return Err(WireError::broken("there is no pack")),
            },
            Packet::Flush | Packet::Delimiter | Packet::End => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_pack_comes_after_the_shallow_lines() {
        let head =
            Message::default().line("shallow ce013625030ba8dba906f756967f9e9ca394464a").flush().line("NAK");
        assert_eq!(fetched(&head.with(b"0009\x01PACK0000")).unwrap(), b"PACK");
        assert_eq!(fetched(b"0000"), Err(WireError::Cut));
        assert!(matches!(fetched(b"0006a\n"), Err(WireError::Broken(_))));
        assert_eq!(fetched(b"0009ERR x"), Err(WireError::Said("x".into())));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>()) {
            let _ = fetched(&bytes);
            let _ = fetched(&Message::default().line("NAK").with(&bytes));
        }
    }
}
