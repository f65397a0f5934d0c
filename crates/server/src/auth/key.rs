//! A key that tokens are verified with, and the algorithms that it is for.
//!
//! The algorithms follow from the key, never from a token: so a public key is never taken for a shared secret. A key
//! that could not verify anything is refused when it is read, not when the first token comes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, Validation};
use pkcs1::der::pem;
use serde::de::IgnoredAny;
use spki::{ObjectIdentifier, SubjectPublicKeyInfoRef};

use super::claims::Claims;
use super::error::Reason;

/// How many bits an RSA key has: fewer are not safe, and more are not read by the library.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// A key.
#[derive(Clone, Debug)]
pub(super) struct Key {
    decoding: DecodingKey,
    /// Which algorithms; claims are checked elsewhere.
    validation: Validation,
}

/// Why a public key is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not the text of a public key.
    #[error("it is no public key in PEM (`-----BEGIN PUBLIC KEY-----`)")]
    Pem,
    /// A private key, a certificate, or something else.
    #[error("it is no public key but something else in PEM")]
    Label,
    /// Another kind of key.
    #[error("only RSA, EC on P-256 or P-384, and Ed25519 keys are supported")]
    Kind,
    /// Too weak or too long.
    #[error("an RSA key must have from 2048 to 4096 bits, it has {0}")]
    RsaBits(usize),
    /// The numbers are no key.
    #[error("its numbers are not a key")]
    Numbers,
}

impl Key {
    /// A shared secret.
    pub(super) fn secret(secret: &str) -> Self {
        let decoding = DecodingKey::from_secret(secret.as_bytes());
        Self::new(decoding, AlgorithmFamily::Hmac.algorithms())
    }

    /// The public key in a PEM file: the first, if there are several.
    pub(super) fn pem(text: &[u8]) -> Result<Self, KeyError> {
        let (label, der) = pem::decode_vec(text).map_err(|_| KeyError::Pem)?;
        match label {
            "PUBLIC KEY" => {}
            "RSA PUBLIC KEY" => return Self::rsa_der(&der),
            _ => return Err(KeyError::Label),
        }
        let info = SubjectPublicKeyInfoRef::try_from(&der[..]).map_err(|_| KeyError::Pem)?;
        let bytes = info.subject_public_key.as_bytes().ok_or(KeyError::Pem)?;
        match info.algorithm.oid {
            RSA => Self::rsa_der(bytes),
            EC => match info.algorithm.parameters_oid() {
                Ok(P256) => Self::ec(bytes, Algorithm::ES256),
                Ok(P384) => Self::ec(bytes, Algorithm::ES384),
                _ => Err(KeyError::Kind),
            },
            ED25519 => Self::ed(bytes),
            _ => Err(KeyError::Kind),
        }
    }

    fn rsa_der(der: &[u8]) -> Result<Self, KeyError> {
        let key = pkcs1::RsaPublicKey::try_from(der).map_err(|_| KeyError::Numbers)?;
        Self::rsa(key.modulus.as_bytes(), key.public_exponent.as_bytes())
    }

    /// An RSA key, from its modulus and exponent, the highest byte first.
    pub(super) fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, KeyError> {
        let start = modulus.iter().take_while(|byte| **byte == 0).count();
        let modulus = &modulus[start..];
        let unused = modulus.first().map_or(0, |byte| byte.leading_zeros());
        let bits = modulus.len() * 8 - unused as usize;
        if !RSA_BITS.contains(&bits) {
            return Err(KeyError::RsaBits(bits));
        }
        if exponent.is_empty() || exponent.len() > 4 {
            return Err(KeyError::Numbers);
        }
        let decoding = DecodingKey::from_rsa_raw_components(modulus, exponent);
        Ok(Self::new(decoding, AlgorithmFamily::Rsa.algorithms()))
    }

    /// A key on a curve, from its point in SEC 1's form; the algorithm says which curve.
    pub(super) fn ec(point: &[u8], algorithm: Algorithm) -> Result<Self, KeyError> {
        Self::new(DecodingKey::from_ec_der(point), &[algorithm]).checked()
    }

    /// An Ed25519 key.
    pub(super) fn ed(bytes: &[u8]) -> Result<Self, KeyError> {
        // The library would cut a longer one, and panic for a shorter one.
        if bytes.len() != 32 {
            return Err(KeyError::Numbers);
        }
        Self::new(DecodingKey::from_ed_der(bytes), &[Algorithm::EdDSA]).checked()
    }

    fn new(decoding: DecodingKey, algorithms: &[Algorithm]) -> Self {
        let mut validation = Validation::new(algorithms[0]);
        validation.algorithms = algorithms.to_vec();
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        Self {
            decoding,
            validation,
        }
    }

    /// Tries it on a token with no signature: the library has no other way to say that a key is one.
    fn checked(self) -> Result<Self, KeyError> {
        let header = format!(r#"{{"alg":"{:?}"}}"#, self.validation.algorithms[0]);
        let token = format!("{}.e30.", URL_SAFE_NO_PAD.encode(header));
        let opened = jsonwebtoken::decode::<IgnoredAny>(token, &self.decoding, &self.validation);
        let error = opened.err().map(jsonwebtoken::errors::Error::into_kind);
        match error {
            Some(ErrorKind::InvalidSignature) => Ok(self),
            _ => Err(KeyError::Numbers),
        }
    }

    /// The same key for one algorithm only, if it is for that one.
    pub(super) fn only(mut self, algorithm: Algorithm) -> Option<Self> {
        let is_for = self.is_for(algorithm);
        self.validation.algorithms = vec![algorithm];
        is_for.then_some(self)
    }

    /// Whether tokens of this algorithm may be verified with it.
    pub(super) fn is_for(&self, algorithm: Algorithm) -> bool {
        self.validation.algorithms.contains(&algorithm)
    }

    /// What the token says, if it is signed with this key.
    pub(super) fn open(&self, token: &str) -> Result<Claims, Reason> {
        let opened = jsonwebtoken::decode(token, &self.decoding, &self.validation);
        opened
            .map(|data| data.claims)
            .map_err(|error| match error.kind() {
                ErrorKind::InvalidAlgorithm => Reason::Algorithm,
                // The header has been read before, so these are about the claims, which are read after the
                // signature, or about a signature that is not in base 64.
                ErrorKind::Json(_) | ErrorKind::Utf8(_) | ErrorKind::Base64(_) => Reason::Claims,
                _ => Reason::Signature,
            })
    }
}
