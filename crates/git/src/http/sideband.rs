//! Three streams in one (gitprotocol-pack, "Packfile Data"): data, messages for people, and a last word before giving up.

use super::pkt::{Packet, PacketError, Packets};

/// The most bytes of messages that are kept.
const LONGEST: usize = 64 << 10;

/// What arrived on the streams.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Bands {
    /// Band 1.
    pub(crate) data: Vec<u8>,
    /// Band 2: progress and the output of hooks.
    pub(crate) messages: Vec<u8>,
    /// Band 3: why the server gave up, if it did.
    pub(crate) fatal: Option<Vec<u8>>,
}

/// Takes the streams apart, up to the flush that ends them. Of a stream that was cut, what had arrived is in the second part
/// of the error.
pub(crate) fn demultiplex(packets: &mut Packets<'_>) -> Result<Bands, (PacketError, Bands)> {
    let mut bands = Bands::default();
    loop {
        let line = match packets.next() {
            Ok(Some(Packet::Data(line))) => line,
            Ok(Some(Packet::Flush | Packet::Delimiter | Packet::End)) => return Ok(bands),
            // Nothing comes after a last word: the flush may be missing.
            Ok(None) if bands.fatal.is_some() => return Ok(bands),
            Ok(None) => return Err((PacketError::Cut, bands)),
            Err(error) => return Err((error, bands)),
        };
        match line.split_first() {
            Some((1, data)) => bands.data.extend_from_slice(data),
            Some((2, text)) => {
                let room = LONGEST.saturating_sub(bands.messages.len());
                bands.messages.extend_from_slice(text.get(..room).unwrap_or(text));
            }
            Some((3, text)) => bands.fatal.get_or_insert_default().extend_from_slice(text),
            // An empty line keeps a connection open.
            None => {}
            Some(_) => return Err((PacketError::NotPackets, bands)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_three_bands_are_put_together_each() {
        let stream = b"0006\x01a0008\x02hi\n0006\x01b0008\x03no\n0000";
        let bands = demultiplex(&mut Packets::new(stream)).unwrap();
        let expected = Bands { data: b"ab".into(), messages: b"hi\n".into(), fatal: Some(b"no\n".into()) };
        assert_eq!(bands, expected);
    }

    #[test]
    fn a_stream_without_its_end_was_cut() {
        let (error, bands) = demultiplex(&mut Packets::new(b"0006\x01a")).unwrap_err();
        assert_eq!((error, bands.data.as_slice()), (PacketError::Cut, &b"a"[..]));
        assert!(demultiplex(&mut Packets::new(b"0006\x03a")).is_ok());
        assert_eq!(demultiplex(&mut Packets::new(b"0006\x09a0000")).unwrap_err().0, PacketError::NotPackets);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>()) {
            let _ = demultiplex(&mut Packets::new(&bytes));
        }
    }
}
