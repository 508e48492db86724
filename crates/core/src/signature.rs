//! Proof that a request comes from someone who knows a shared token: HMAC-SHA256 of the body, or the token itself.
//!
//! GitHub signs its webhooks so (`X-Hub-Signature-256`), and the workflow step signs its requests the same way. Every
//! comparison takes the same time wherever the difference lies.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _, digest::common::Output};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

/// What stands before the digits of a signature.
const PREFIX: &str = "sha256=";

/// A token that cannot be used. Nobody may sign with an empty one: that signature, everybody can make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token is empty: put a long random text into its Secret, under `token`")]
pub struct KeyError;

/// A shared token. `Debug` never shows it, and it leaves no trace in memory once dropped.
#[derive(Clone)]
pub struct Key {
    token: SecretString,
    /// The state of HMAC after the token, from which each signature starts.
    keyed: Hmac<Sha256>,
}

impl Key {
    /// Takes the token of a Secret. What `echo` and editors leave at its end is never part of it.
    pub fn new(token: &SecretString) -> Result<Self, KeyError> {
        let token = token.expose_secret().trim();
        if token.is_empty() {
            return Err(KeyError);
        }
        // HMAC takes keys of any length; the error exists for other codes.
        let keyed = Hmac::new_from_slice(token.as_bytes()).map_err(|_| KeyError)?;
        Ok(Self { token: SecretString::from(token), keyed })
    }

    /// The signature of `body`, as it is sent: `sha256=` and 64 digits.
    pub fn sign(&self, body: &[u8]) -> String {
        PREFIX.to_owned() + &hex(&self.mac(body).finalize().into_bytes())
    }

    /// Whether `header` is the signature of `body`. Its digits may be of either case.
    pub fn verify(&self, header: &str, body: &[u8]) -> bool {
        let digits = header.trim().strip_prefix(PREFIX);
        digits.and_then(unhex).is_some_and(|bytes| self.mac(body).verify(&bytes).is_ok())
    }

    /// Whether `header` is `Bearer` and the token (RFC 6750).
    pub fn verify_bearer(&self, header: &str) -> bool {
        let Some((scheme, token)) = header.trim().split_once(' ') else { return false };
        // Two signatures are of one length, so that not even the token's own is told by the time.
        let given = self.mac(token.trim_start().as_bytes()).finalize();
        scheme.eq_ignore_ascii_case("bearer")
            && given == self.mac(self.token.expose_secret().as_bytes()).finalize()
    }

    fn mac(&self, body: &[u8]) -> Hmac<Sha256> {
        self.keyed.clone().chain_update(body)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key([REDACTED])")
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn unhex(text: &str) -> Option<Output<Hmac<Sha256>>> {
    let mut bytes = Output::<Hmac<Sha256>>::default();
    if text.len() != 2 * bytes.len() {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        for digit in digits {
            *byte = *byte << 4 | u8::try_from(char::from(*digit).to_digit(16)?).ok()?;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(token: &str) -> Key {
        Key::new(&SecretString::from(token)).unwrap()
    }

    /// RFC 4231, cases 1 to 4, 6 and 7. Most of its keys are no text, which a token is: so HMAC is asked directly.
    #[test]
    fn signatures_are_those_of_rfc_4231() {
        for (key, body, expected) in [
            (
                vec![0x0b; 20],
                b"Hi There".to_vec(),
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe".to_vec(),
                b"what do ya want for nothing?".to_vec(),
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                vec![0xaa; 20],
                vec![0xdd; 50],
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
            ),
            (
                (1..=25).collect(),
                vec![0xcd; 50],
                "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
            ),
            (
                vec![0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First".to_vec(),
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
            (
                vec![0xaa; 131],
                b"This is a test using a larger than block-size key and a larger than block-size data. \
                  The key needs to be hashed before being used by the HMAC algorithm."
                    .to_vec(),
                "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
            ),
        ] {
            let mac = Hmac::<Sha256>::new_from_slice(&key).unwrap().chain_update(body).finalize();
            assert_eq!(hex(&mac.into_bytes()), expected);
        }
        assert!(key("Jefe").verify(
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            b"what do ya want for nothing?",
        ));
    }

    /// The values that GitHub documents for those who check their own code.
    #[test]
    fn a_signature_of_github_is_taken_in_either_case() {
        const SIGNATURE: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert!(!key("it's a secret to everybody").verify(SIGNATURE, b"Hello, World!"));
        let key = key("It's a Secret to Everybody");
        assert_eq!(key.sign(b"Hello, World!"), SIGNATURE);
        assert!(key.verify(SIGNATURE, b"Hello, World!"));
        assert!(key.verify(&format!(" sha256={} ", SIGNATURE[7..].to_uppercase()), b"Hello, World!"));
        for bad in [
            "",
            "sha256=",
            &SIGNATURE[7..],
            &SIGNATURE[..70],
            &format!("{SIGNATURE}0"),
            &SIGNATURE.replace("sha256", "sha1"),
            &SIGNATURE.replace("757107ea", "757107eb"),
            &SIGNATURE.replace("757107ea", "757107eg"),
            &SIGNATURE.replace("757107ea", "757107é"),
        ] {
            assert!(!key.verify(bad, b"Hello, World!"), "{bad:?} was taken");
        }
        assert!(!key.verify(SIGNATURE, b"Hello, World"));
    }

    #[test]
    fn a_token_is_taken_without_what_surrounds_it_and_never_empty() {
        for token in ["", "\n", " \t"] {
            assert_eq!(Key::new(&SecretString::from(token)).unwrap_err(), KeyError);
        }
        assert_eq!(key("t0ken\n").sign(b"x"), key("t0ken").sign(b"x"));
    }

    #[test]
    fn a_bearer_is_the_whole_token_and_nothing_else() {
        let key = key("t0ken");
        for good in ["Bearer t0ken", "bearer t0ken", "BEARER  t0ken "] {
            assert!(key.verify_bearer(good), "{good:?} was refused");
        }
        for bad in
            ["", "t0ken", "Bearer", "Bearer ", "Bearer t0ke", "Bearer t0ken1", "Bearer T0ken", "Basic t0ken"]
        {
            assert!(!key.verify_bearer(bad), "{bad:?} was taken");
        }
    }

    #[test]
    fn debug_output_never_shows_the_token() {
        assert_eq!(format!("{:?}", key("s3cret")), "Key([REDACTED])");
    }

    proptest! {
        #[test]
        fn what_was_signed_is_verified_and_one_bit_more_is_not(
            token in "\\PC*[!-~]",
            body in prop::collection::vec(any::<u8>(), 1..200),
            bit in any::<prop::sample::Index>(),
            other in "\\PC*[!-~]",
        ) {
            let signature = key(&token).sign(&body);
            prop_assert!(key(&token).verify(&signature, &body));
            prop_assert_eq!(key(&token).verify_bearer(&format!("Bearer {}", other.trim())), other.trim() == token.trim());
            if other.trim() != token.trim() {
                prop_assert!(!key(&other).verify(&signature, &body));
            }

            let flip = |bytes: &[u8]| {
                let mut bytes = bytes.to_vec();
                let at = bit.index(bytes.len() * 8);
                bytes[at / 8] ^= 1 << (at % 8);
                bytes
            };
            prop_assert!(!key(&token).verify(&signature, &flip(&body)));
            let mac = unhex(&signature[PREFIX.len()..]).unwrap();
            let flipped = PREFIX.to_owned() + &hex(&flip(&mac));
            prop_assert!(!key(&token).verify(&flipped, &body));
            // In the text, a bit may be that which tells the digits' case.
            if let Ok(text) = String::from_utf8(flip(signature.as_bytes())) {
                let same = text.eq_ignore_ascii_case(&signature) && text.starts_with(PREFIX);
                prop_assert_eq!(key(&token).verify(&text, &body), same);
            }
        }

        #[test]
        fn any_header_is_taken_or_refused(header in "(sha256=|Bearer )?\\PC{0,80}", body in any::<Vec<u8>>()) {
            let key = key("t0ken");
            prop_assert!(!key.verify(&header, &body) && !key.verify_bearer(&header));
        }
    }
}
