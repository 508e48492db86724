//! Protocol v2: its two commands, `ls-refs` and `fetch` (gitprotocol-v2).

use super::AGENT;
use super::advertisement::{Capabilities, Reference, reference};
use super::pkt::{Message, Packet, Packets};
use super::sideband::demultiplex;
use super::wire::{WireError, pack, refused};
use crate::object::ObjectId;

/// What to fetch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fetch<'a> {
    /// Objects to send, whatever the filter says of them.
    pub(super) wants: &'a [ObjectId],
    /// How many generations of commits to send.
    pub(super) deepen: Option<u32>,
    /// What to leave out.
    pub(super) filter: Option<&'a str>,
}

fn command(name: &str, capabilities: &Capabilities) -> Message {
    let mut message = Message::default().line(&format!("command={name}"));
    if capabilities.has("agent") {
        message = message.line(&format!("agent={AGENT}"));
    }
    if capabilities.has("object-format") {
        message = message.line("object-format=sha1");
    }
    message.delimiter()
}

/// A request for the references whose full names start with `prefix`.
pub(super) fn ls_refs(capabilities: &Capabilities, prefix: &str) -> Vec<u8> {
    command("ls-refs", capabilities).line(&format!("ref-prefix {prefix}")).flush().into_bytes()
}

/// The references of an answer.
pub(super) fn references(body: &[u8]) -> Result<Vec<Reference>, WireError> {
    let mut packets = Packets::new(body);
    let mut references = Vec::new();
    while let Some(line) = packets.text()? {
        references.extend(reference(refused(line)?)?);
    }
    Ok(references)
}

/// A request for objects, in one go: nothing of ours is offered as a base.
pub(super) fn fetch(capabilities: &Capabilities, fetch: Fetch<'_>) -> Vec<u8> {
    let mut message = command("fetch", capabilities).lines(["no-progress", "ofs-delta"]);
    message = message.lines(fetch.wants.iter().map(|id| format!("want {id}")));
    message = message.lines(fetch.deepen.map(|depth| format!("deepen {depth}")));
    message = message.lines(fetch.filter.map(|filter| format!("filter {filter}")));
    message.line("done").flush().into_bytes()
}

/// The pack of an answer.
pub(super) fn fetched(body: &[u8]) -> Result<Vec<u8>, WireError> {
    let mut packets = Packets::new(body);
    loop {
        match packets.next()?.ok_or(WireError::Cut)? {
            Packet::Data(line) => {
                // Of the sections only the last one matters: where a shallow history ends can be told from its commits.
                if refused(line.strip_suffix(b"\n").unwrap_or(line))? == b"packfile" {
                    return pack(demultiplex(&mut packets));
                }
            }
            Packet::Delimiter => {}
            Packet::Flush | Packet::End => return Err(WireError::broken("there is no pack")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::SHA1;
    use proptest::prelude::*;

    #[test]
    fn a_fetch_names_what_it_wants_and_what_to_leave_out() {
        let id = ObjectId::null(SHA1);
        let bytes =
            fetch(&Capabilities::default(), Fetch { wants: &[id], deepen: Some(1), filter: Some("tree:0") });
        let text = String::from_utf8(bytes).unwrap();
        let expected = format!(
            "0012command=fetch\n00010010no-progress\n000eofs-delta\n0032want {id}\n000ddeepen 1\n0012filter tree:0\n0009done\n0000"
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn sections_before_the_pack_are_passed_over() {
        let head =
            Message::default().lines(["shallow-info", "shallow ce013625030ba8dba906f756967f9e9ca394464a"]);
        let body = head.delimiter().line("packfile").with(b"0009\x01PACK0000");
        assert_eq!(fetched(&body).unwrap(), b"PACK");
    }

    #[test]
    fn refusals_are_kept_and_cuts_are_noticed() {
        let refused = Message::default().line("ERR upload-pack: not our ref ce01").into_bytes();
        assert_eq!(fetched(&refused), Err(WireError::Said("upload-pack: not our ref ce01".into())));
        let fatal = Message::default().line("packfile").with(b"000c\x03too big0000");
        assert_eq!(fetched(&fatal), Err(WireError::Said("too big".into())));
        assert_eq!(fetched(&Message::default().line("packfile").with(b"0009\x01PACK")), Err(WireError::Cut));
        assert_eq!(fetched(b""), Err(WireError::Cut));
        assert_eq!(references(b"0000"), Ok(Vec::new()));
        assert_eq!(references(b""), Err(WireError::Cut));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>(), lines in proptest::collection::vec("[a-f0-9 -]{0,60}", 0..6)) {
            let _ = fetched(&bytes);
            let _ = references(&bytes);
            let _ = references(&Message::default().lines(&lines).flush().into_bytes());
            let _ = fetched(&Message::default().lines(&lines).line("packfile").with(&bytes));
        }
    }
}
