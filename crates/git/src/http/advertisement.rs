//! What a server says first: what it can do, and in the old protocol its references too (gitprotocol-http, "Smart
//! Server Response"; gitprotocol-v2, "Capability Advertisement").

use crate::object::ObjectId;

use super::pkt::{Packet, Packets};
use super::wire::{WireError, refused};

/// What a server can do: `name`, or `name=value`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Capabilities(Vec<String>);

impl Capabilities {
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|capability| capability.split('=').next() == Some(name))
    }

    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find_map(|capability| capability.strip_prefix(name)?.strip_prefix('='))
    }

    /// Whether `feature` is in the list of a command of protocol v2: `fetch=shallow filter`.
    pub(super) fn command_has(&self, command: &str, feature: &str) -> bool {
        self.value(command).is_some_and(|list| list.split(' ').any(|other| other == feature))
    }

    /// Refuses repositories whose objects have other names than SHA-1.
    fn only_sha1(self) -> Result<Self, WireError> {
        match self.value("object-format") {
            None | Some("sha1") => Ok(self),
            Some(other) => Err(other_hash(other)),
        }
    }
}

fn other_hash(name: &str) -> WireError {
    WireError::Unsupported(format!("the repository names its objects with {name}; only sha1 is supported"))
}

/// A reference, and the object that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    pub(super) name: String,
    pub(super) id: ObjectId,
}

/// What a server says first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Advertisement {
    V2(Capabilities),
    V0 { capabilities: Capabilities, references: Vec<Reference> },
}

/// Reads an advertisement, of whichever protocol.
pub(super) fn parse(body: &[u8]) -> Result<Advertisement, WireError> {
    let mut packets = Packets::new(body);
    let mut first = packets.text()?;
    if first.is_some_and(|line| line.starts_with(b"# service=")) {
        // The announcement of smart HTTP, which ends with a flush of its own.
        if packets.next()? != Some(Packet::Flush) {
            return Err(WireError::broken("the announcement of the service has no end"));
        }
        first = packets.text()?;
    }
    // A server of protocol 0 with an empty repository has nothing to say.
    let Some(first) = first else {
        return Ok(Advertisement::V0 { capabilities: Capabilities::default(), references: Vec::new() });
    };
    match refused(first)? {
        b"version 2" => {
            let mut capabilities = Vec::new();
            while let Some(line) = packets.text()? {
                capabilities.push(String::from_utf8_lossy(refused(line)?).into_owned());
            }
            Ok(Advertisement::V2(Capabilities(capabilities).only_sha1()?))
        }
        b"version 1" => {
            let first = packets.text()?.ok_or_else(|| WireError::broken("there is no capability"))?;
            references(refused(first)?, packets)
        }
        first => references(first, packets),
    }
}

fn references(first: &[u8], mut packets: Packets<'_>) -> Result<Advertisement, WireError> {
    let end = first.iter().position(|byte| *byte == 0);
    let (line, capabilities) = match end.and_then(|end| Some((first.get(..end)?, first.get(end + 1..)?))) {
        Some((line, capabilities)) => (line, String::from_utf8_lossy(capabilities)),
        None => return Err(WireError::broken("there is no capability")),
    };
    let capabilities: Vec<_> = capabilities.split_ascii_whitespace().map(str::to_owned).collect();
    let capabilities = Capabilities(capabilities).only_sha1()?;
    let mut references = Vec::new();
    // An empty repository has no reference to write its capabilities on.
    let mut line = (!line.ends_with(b" capabilities^{}")).then_some(line);
    loop {
        // Whether the server itself has a shallow clone does not matter to us.
        if let Some(line) = line.filter(|line| !line.starts_with(b"shallow ")) {
            references.extend(reference(line)?);
        }
        match packets.text()? {
            Some(next) => line = Some(refused(next)?),
            None => return Ok(Advertisement::V0 { capabilities, references }),
        }
    }
}

/// A line `<id> <name>`, with attributes after a second space in protocol v2. `None` for a branch without a commit.
pub(super) fn reference(line: &[u8]) -> Result<Option<Reference>, WireError> {
    let broken = || WireError::broken("a line is no reference");
    let mut words = line.split(|byte| *byte == b' ');
    let (id, name) = (words.next().ok_or_else(broken)?, words.next().ok_or_else(broken)?);
    match id.len() {
        _ if id == b"unborn" => return Ok(None),
        40 => {}
        64 if id.iter().all(u8::is_ascii_hexdigit) => return Err(other_hash("sha256")),
        _ => return Err(broken()),
    }
    let id = ObjectId::from_hex(id).map_err(|_| broken())?;
    Ok(Some(Reference { name: String::from_utf8_lossy(name).into_owned(), id }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::pkt::Message;
    use proptest::prelude::*;

    const ID: &str = "ce013625030ba8dba906f756967f9e9ca394464a";

    fn announced(service: &str) -> Message {
        Message::default().line(&format!("# service={service}")).flush()
    }

    #[test]
    fn protocol_2_lists_what_it_can_do() {
        let lines = [
            "version 2",
            "agent=git/2.39.5",
            "ls-refs=unborn",
            "fetch=shallow wait-for-done filter",
            "object-format=sha1",
        ];
        // With and without the announcement: not every server sends it.
        for message in [announced("git-upload-pack"), Message::default()] {
            let Advertisement::V2(capabilities) = parse(&message.lines(lines).flush().into_bytes()).unwrap()
            else {
                panic!()
            };
            assert!(capabilities.has("ls-refs") && !capabilities.has("ls"));
            assert!(capabilities.command_has("fetch", "filter"));
            assert!(
                !capabilities.command_has("fetch", "wait")
                    && !capabilities.command_has("object-format", "filter")
            );
        }
    }

    #[test]
    fn protocol_0_lists_its_references() {
        let message = announced("git-receive-pack")
            .line(&format!("{ID} refs/heads/main\0report-status side-band-64k agent=git/2"))
            .line(&format!("{ID} refs/heads/other"))
            .line(&format!("{ID} .have"))
            .line(&format!("shallow {ID}"))
            .flush();
        let Advertisement::V0 { capabilities, references } = parse(&message.into_bytes()).unwrap() else {
            panic!()
        };
        let names: Vec<_> = references.iter().map(|reference| reference.name.as_str()).collect();
        assert_eq!(names, ["refs/heads/main", "refs/heads/other", ".have"]);
        assert!(capabilities.has("report-status") && capabilities.value("agent") == Some("git/2"));
    }

    #[test]
    fn an_empty_repository_has_capabilities_and_no_reference() {
        let silent = parse(&announced("x").flush().into_bytes()).unwrap();
        assert!(matches!(silent, Advertisement::V0 { references, .. } if references.is_empty()));
        let zero = "0".repeat(40);
        let message = announced("x").line(&format!("{zero} capabilities^{{}}\0report-status")).flush();
        let Advertisement::V0 { capabilities, references } = parse(&message.into_bytes()).unwrap() else {
            panic!()
        };
        assert!(references.is_empty() && capabilities.has("report-status"));
    }

    #[test]
    fn other_hashes_are_refused_in_clear_words() {
        let v2 = Message::default().lines(["version 2", "object-format=sha256"]).flush();
        let v0 = Message::default().line(&format!("{} refs/heads/main\0agent=x", "a".repeat(64))).flush();
        for message in [v2, v0] {
            assert!(
                matches!(parse(&message.into_bytes()), Err(WireError::Unsupported(why)) if why.contains("sha256"))
            );
        }
    }

    #[test]
    fn an_error_line_is_kept_and_other_things_are_told_apart() {
        let said = announced("x").line("ERR no\x1b[1m access").flush().into_bytes();
        assert_eq!(parse(&said), Err(WireError::Said("no access".into())));
        assert_eq!(parse(b""), Err(WireError::Cut));
        assert_eq!(parse(&Message::default().line("version 2").into_bytes()), Err(WireError::Cut));
        assert!(matches!(parse(b"<html>"), Err(WireError::Broken(_))));
        assert!(matches!(
            parse(&Message::default().line("abc def\0x").flush().into_bytes()),
            Err(WireError::Broken(_))
        ));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>(), lines in proptest::collection::vec("[a-f0-9 =\0]{0,90}", 0..6)) {
            let _ = parse(&bytes);
            let _ = parse(&announced("x").lines(&lines).flush().into_bytes());
            let _ = parse(&Message::default().line("version 2").lines(&lines).flush().into_bytes());
            let _ = reference(&bytes);
        }
    }
}
