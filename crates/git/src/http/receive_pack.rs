//! The push: one command, a pack, and the server's report (gitprotocol-pack, "Pushing Data To a Server"). Servers know
//! only protocol v0 for it.

use super::AGENT;
use super::advertisement::Capabilities;
use super::pkt::{Message, PacketError, Packets};
use super::sideband::{Bands, demultiplex};
use super::wire::{WireError, refused};
use super::words;
use crate::object::ObjectId;

/// A request to move a reference from `old` to `new`, with the objects that this needs.
///
/// # Errors
/// [`WireError::Unsupported`] of servers that would not say whether they did it.
pub(super) fn push(
    capabilities: &Capabilities,
    reference: &str,
    old: ObjectId,
    new: ObjectId,
    pack: &[u8],
) -> Result<Vec<u8>, WireError> {
    if !capabilities.has("report-status") {
        return Err(WireError::Unsupported("the server does not report the outcome of a push".into()));
    }
    let mut chosen = vec!["report-status".to_owned()];
    if capabilities.has("side-band-64k") {
        chosen.push("side-band-64k".into());
    }
    if capabilities.has("object-format") {
        chosen.push("object-format=sha1".into());
    }
    if capabilities.has("agent") {
        chosen.push(format!("agent={AGENT}"));
    }
    let command = format!("{old} {new} {reference}\0 {}", chosen.join(" "));
    Ok(Message::default().line(&command).flush().with(pack))
}

/// What the server did.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The reference is moved.
    Done,
    /// It is not, and this is the reason (`ng`).
    Refused(String),
    /// The pack could not be taken in (`unpack`).
    Unpack(String),
}

/// The server's report.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) verdict: Verdict,
    /// The output of hooks, line by line.
    pub(super) messages: Vec<String>,
}

/// Reads the report on one reference.
pub(super) fn report(capabilities: &Capabilities, reference: &str, body: &[u8]) -> Result<Report, WireError> {
    if !capabilities.has("side-band-64k") {
        let verdict = verdict(reference, body)?;
        return Ok(Report { verdict, messages: Vec::new() });
    }
    // A server that gives up before it has read the command may write an error without bands.
    if let Ok(Some(line)) = Packets::new(body).text() {
        refused(line)?;
    }
    let (bands, cut) = match demultiplex(&mut Packets::new(body)) {
        Ok(bands) => (bands, None),
        Err((error, bands)) => (bands, Some(error)),
    };
    let Bands { data, messages, fatal } = bands;
    // A verdict that arrived holds, even if the connection was cut behind it.
    match (verdict(reference, &data), fatal, cut) {
        (Ok(verdict), _, _) => Ok(Report { verdict, messages: words::lines(&messages) }),
        (Err(_), Some(said), _) => Err(WireError::Said(words::line(&said))),
        (Err(_), None, Some(PacketError::Cut)) => Err(WireError::Cut),
        (Err(error), None, _) => Err(error),
    }
}

fn verdict(reference: &str, lines: &[u8]) -> Result<Verdict, WireError> {
    let mut packets = Packets::new(lines);
    let mut unpack = None;
    loop {
        let Some(line) = packets.text()? else {
            return Err(WireError::broken("its report does not name the branch"));
        };
        let line = refused(line)?;
        let ng = |line: &[u8]| -> Option<String> {
            let reason = line.strip_prefix(b"ng ")?.strip_prefix(reference.as_bytes())?.strip_prefix(b" ")?;
            Some(words::line(reason))
        };
        if let Some(status) = line.strip_prefix(b"unpack ") {
            unpack = (status != b"ok").then(|| words::line(status));
        } else if line.strip_prefix(b"ok ") == Some(reference.as_bytes()) {
            return Ok(unpack.map_or(Verdict::Done, Verdict::Unpack));
        } else if let Some(reason) = ng(line) {
            return Ok(unpack.map_or(Verdict::Refused(reason), Verdict::Unpack));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::advertisement::{Advertisement, parse};
    use proptest::prelude::*;

    const MAIN: &str = "refs/heads/main";

    fn capabilities(list: &str) -> Capabilities {
        let line = format!("{} capabilities^{{}}\0{list}", "0".repeat(40));
        match parse(&Message::default().line(&line).flush().into_bytes()) {
            Ok(Advertisement::V0 { capabilities, .. }) => capabilities,
            other => panic!("{other:?}"),
        }
    }

    fn read(lines: &[&str]) -> Result<Verdict, WireError> {
        let body = Message::default().lines(lines).flush().into_bytes();
        report(&capabilities("report-status"), MAIN, &body).map(|report| report.verdict)
    }

    /// A report in bands: data, messages, and what comes after.
    fn banded(data: &[u8], messages: &[u8], end: &[u8]) -> Result<Report, WireError> {
        let band = |number: u8, bytes: &[u8]| {
            [format!("{:04x}", bytes.len() + 5).as_bytes(), &[number], bytes].concat()
        };
        let body = [band(2, messages), band(1, data), end.to_vec()].concat();
        report(&capabilities("report-status side-band-64k"), MAIN, &body)
    }

    #[test]
    fn the_three_verdicts_are_told_apart() {
        assert_eq!(read(&["unpack ok", "ok refs/heads/main"]), Ok(Verdict::Done));
        let refused = read(&["unpack ok", "ng refs/heads/main pre-receive hook declined"]);
        assert_eq!(refused, Ok(Verdict::Refused("pre-receive hook declined".into())));
        let broken = read(&["unpack index-pack abnormal exit", "ng refs/heads/main unpacker error"]);
        assert_eq!(broken, Ok(Verdict::Unpack("index-pack abnormal exit".into())));
    }

    #[test]
    fn a_report_on_another_branch_is_not_taken_for_ours() {
        assert!(matches!(read(&["unpack ok", "ok refs/heads/main2"]), Err(WireError::Broken(_))));
        assert!(matches!(read(&["unpack ok", "ng refs/heads/main2 no"]), Err(WireError::Broken(_))));
        assert!(matches!(read(&[]), Err(WireError::Broken(_))));
    }

    #[test]
    fn hooks_are_heard_and_a_verdict_holds_even_if_the_end_is_missing() {
        let data = Message::default().lines(["unpack ok", "ok refs/heads/main"]).flush().into_bytes();
        for end in [&b"0000"[..], b"", b"0005"] {
            let report = banded(&data, b"hello\nworld\n", end).unwrap();
            assert_eq!(
                (report.verdict, report.messages),
                (Verdict::Done, vec!["hello".to_owned(), "world".to_owned()])
            );
        }
        assert_eq!(banded(b"", b"", b""), Err(WireError::Cut));
        assert_eq!(banded(b"", b"", b"0008\x03bad"), Err(WireError::Said("bad".into())));
    }

    #[test]
    fn a_server_that_reports_nothing_is_refused() {
        let id = ObjectId::null(crate::object::SHA1);
        assert!(matches!(
            push(&capabilities("ofs-delta"), MAIN, id, id, b""),
            Err(WireError::Unsupported(_))
        ));
        let body = push(&capabilities("report-status side-band-64k"), MAIN, id, id, b"PACK").unwrap();
        let text = String::from_utf8(body).unwrap();
        assert!(text.ends_with("refs/heads/main\0 report-status side-band-64k\n0000PACK"), "{text}");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>(), lines in proptest::collection::vec("(unpack |ok |ng )?[a-z/ ]{0,30}", 0..5)) {
            let _ = verdict(MAIN, &bytes);
            let _ = banded(&bytes, &bytes, &bytes);
            let _ = read(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        }
    }
}
