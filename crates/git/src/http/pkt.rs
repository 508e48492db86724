//! Lines with their length in front (gitprotocol-common, "pkt-line Format").

/// The longest payload of one line.
const LONGEST: usize = 65_516;

/// One line of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packet<'a> {
    /// A payload, as it was sent.
    Data(&'a [u8]),
    /// `0000`: the end of a message.
    Flush,
    /// `0001`: the end of a section.
    Delimiter,
    /// `0002`: the end of an answer, on connections that go on.
    End,
}

/// Why a stream cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PacketError {
    /// It ends in the middle of a line, or before the message's end.
    Cut,
    /// These are no lines.
    NotPackets,
}

/// The lines of a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packets<'a>(&'a [u8]);

impl<'a> Packets<'a> {
    pub(crate) fn new(stream: &'a [u8]) -> Self {
        Self(stream)
    }

    /// The next line; `None` at the end of the stream.
    pub(crate) fn next(&mut self) -> Result<Option<Packet<'a>>, PacketError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let (digits, rest) = self.0.split_at_checked(4).ok_or(PacketError::Cut)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(PacketError::NotPackets);
        }
        let digits = std::str::from_utf8(digits).map_err(|_| PacketError::NotPackets)?;
        let length = usize::from_str_radix(digits, 16).map_err(|_| PacketError::NotPackets)?;
        let packet = match length {
            0 => Packet::Flush,
            1 => Packet::Delimiter,
            2 => Packet::End,
            3 => return Err(PacketError::NotPackets),
            _ => {
                let (data, after) = rest.split_at_checked(length - 4).ok_or(PacketError::Cut)?;
                self.0 = after;
                return Ok(Some(Packet::Data(data)));
            }
        };
        self.0 = rest;
        Ok(Some(packet))
    }

    /// The next line's text without its line break; `None` at a flush, a delimiter or an end.
    ///
    /// # Errors
    /// [`PacketError::Cut`] where the stream is over.
    pub(crate) fn text(&mut self) -> Result<Option<&'a [u8]>, PacketError> {
        match self.next()?.ok_or(PacketError::Cut)? {
            Packet::Data(data) => Ok(Some(data.strip_suffix(b"\n").unwrap_or(data))),
            Packet::Flush | Packet::Delimiter | Packet::End => Ok(None),
        }
    }
}

/// Writes a message, line by line.
#[derive(Debug, Default)]
pub(crate) struct Message(Vec<u8>);

impl Message {
    /// Adds a line of text. A line that is too long for the format is cut: no request of ours comes near.
    pub(crate) fn line(mut self, text: &str) -> Self {
        let bytes = text.as_bytes();
        let bytes = bytes.get(..LONGEST - 1).unwrap_or(bytes);
        self.0.extend_from_slice(format!("{:04x}", bytes.len() + 5).as_bytes());
        self.0.extend_from_slice(bytes);
        self.0.push(b'\n');
        self
    }

    pub(crate) fn lines<T: AsRef<str>>(self, texts: impl IntoIterator<Item = T>) -> Self {
        texts.into_iter().fold(self, |message, text| message.line(text.as_ref()))
    }

    pub(crate) fn delimiter(mut self) -> Self {
        self.0.extend_from_slice(b"0001");
        self
    }

    pub(crate) fn flush(mut self) -> Self {
        self.0.extend_from_slice(b"0000");
        self
    }

    /// The message, and after it bytes that are no lines.
    pub(crate) fn with(mut self, bytes: &[u8]) -> Vec<u8> {
        self.0.extend_from_slice(bytes);
        self.0
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_flushes_and_delimiters_are_told_apart() {
        let mut packets = Packets::new(b"0006a\n00010004000200000007abc");
        assert_eq!(packets.next(), Ok(Some(Packet::Data(b"a\n"))));
        assert_eq!(packets.next(), Ok(Some(Packet::Delimiter)));
        assert_eq!(packets.next(), Ok(Some(Packet::Data(b""))));
        assert_eq!(packets.next(), Ok(Some(Packet::End)));
        assert_eq!(packets.next(), Ok(Some(Packet::Flush)));
        assert_eq!(packets.text(), Ok(Some(&b"abc"[..])));
        assert_eq!(packets.next(), Ok(None));
        assert_eq!(packets.text(), Err(PacketError::Cut));
    }

    #[test]
    fn a_cut_stream_and_a_web_page_are_told_apart() {
        for (stream, error) in [
            (&b"00"[..], PacketError::Cut),
            (b"0008abc", PacketError::Cut),
            (b"0003", PacketError::NotPackets),
            (b"<html>", PacketError::NotPackets),
            (b"+001", PacketError::NotPackets),
            ("é€".as_bytes(), PacketError::NotPackets),
        ] {
            assert_eq!(Packets::new(stream).next(), Err(error));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(texts in proptest::collection::vec("[^\n]{0,200}", 0..10)) {
            let bytes = Message::default().lines(&texts).delimiter().flush().with(b"rest");
            let mut packets = Packets::new(&bytes);
            for text in &texts {
                prop_assert_eq!(packets.text(), Ok(Some(text.as_bytes())));
            }
            prop_assert_eq!(packets.next(), Ok(Some(Packet::Delimiter)));
            prop_assert_eq!(packets.next(), Ok(Some(Packet::Flush)));
            prop_assert_eq!(packets.0, b"rest");
        }

        #[test]
        fn no_bytes_make_it_panic_or_run_for_ever(bytes in any::<Vec<u8>>()) {
            let mut packets = Packets::new(&bytes);
            let mut turns = 0;
            while let Ok(Some(_)) = packets.next() {
                turns += 1;
                prop_assert!(turns <= bytes.len());
            }
        }
    }
}
