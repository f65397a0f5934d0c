//! Why the keys of the settings can't be used.

use std::io;
use std::path::{Path, PathBuf};

use super::args::InvalidAuthArgs;
use super::jwk::NoKeySet;
use super::key::KeyError;

/// Why there is nothing to verify tokens with. Holds names of files, never what is in them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// Settings that can't hold together.
    #[error(transparent)]
    Args(#[from] InvalidAuthArgs),
    /// A file can't be read.
    #[error("could not read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file of a key is longer than any key.
    #[error("{} is longer than {max} bytes", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The longest that is read.
        max: usize,
    },
    /// The secret is empty.
    #[error("the secret in {} is empty", .0.display())]
    EmptySecret(PathBuf),
    /// The secret is no text.
    #[error("the secret in {} is no UTF-8", .0.display())]
    BinarySecret(PathBuf),
    /// A public key is none.
    #[error("the key in {} can't be used", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        source: KeyError,
    },
    /// A set of keys is none.
    #[error("the set of keys in {} can't be used", path.display())]
    KeySet {
        /// The file.
        path: PathBuf,
        /// Why.
        source: NoKeySet,
    },
    /// No token could be verified with the set.
    #[error("the set of keys in {} holds none that can be used: RSA, EC on P-256 or P-384, or Ed25519 with a `kid`", .0.display())]
    NoUsableKey(PathBuf),
}

/// The whole file, which may be `max` bytes long.
pub(super) fn read(path: &Path, max: usize) -> Result<Vec<u8>, SetupError> {
    use io::Read as _;

    let failed = |source| SetupError::Read {
        path: path.to_owned(),
        source,
    };
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    let mut start = file.take(max as u64 + 1);
    start.read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > max {
        let path = path.to_owned();
        return Err(SetupError::TooLong { path, max });
    }
    Ok(bytes)
}
