//! Who may use the admin API.

use std::path::PathBuf;

use service::Secret;

/// Who may use the admin API and the dashboard.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct AdminArgs {
    /// What must be sent as `Authorization: Bearer …` to use the admin API. Without one, whoever reaches the address may;
    /// only loopback addresses are then listened on. Better in the environment or a file: others see command lines.
    #[arg(
        long,
        env = "ADMIN_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true
    )]
    pub admin_token: Option<Secret>,
    /// A file that holds the token; a newline at its end does not belong to it
    #[arg(
        long,
        env = "ADMIN_TOKEN_FILE",
        value_name = "FILE",
        conflicts_with = "admin_token"
    )]
    pub admin_token_file: Option<PathBuf>,
    /// Pages of which other origins may use the admin API: `https://ops.example.com`, with `*` for any characters; several
    /// with commas between. Without any, only its own
    #[arg(
        long = "admin-origins",
        env = "ADMIN_ORIGINS",
        value_name = "ORIGINS",
        value_delimiter = ','
    )]
    pub allowed_origins: Vec<String>,
}

/// Why the settings can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdminArgsError {
    /// The file can't be read.
    #[error("the admin token's file {0} can't be read: {1}")]
    File(PathBuf, #[source] std::io::Error),
    /// A short token can be guessed.
    #[error(
        "the admin token has {0} characters; it must have at least {MIN_TOKEN}, as `openssl rand -hex 32` makes them"
    )]
    Short(usize),
}

/// How short a token may be, in characters.
const MIN_TOKEN: usize = 16;

impl AdminArgs {
    /// Whether a token is asked for.
    pub const fn needs_token(&self) -> bool {
        self.admin_token.is_some()
    }

    /// Reads the token's file, and refuses a token that can be guessed.
    pub fn resolve(mut self) -> Result<Self, AdminArgsError> {
        if let Some(path) = self.admin_token_file.take() {
            let text = std::fs::read_to_string(&path);
            let text = text.map_err(|error| AdminArgsError::File(path, error))?;
            self.admin_token = Some(text.trim_end_matches(['\r', '\n']).into());
        }
        match self
            .admin_token
            .as_ref()
            .map(|token| token.reveal().chars().count())
        {
            Some(length) if length < MIN_TOKEN => Err(AdminArgsError::Short(length)),
            _ => Ok(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AdminArgs, AdminArgsError};

    #[test]
    fn a_token_may_be_in_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "0123456789abcdef\n").unwrap();
        let args = AdminArgs {
            admin_token_file: Some(file.path().to_owned()),
            ..AdminArgs::default()
        };
        let token = args.resolve().unwrap().admin_token.unwrap();
        assert!(token.is("0123456789abcdef"));
    }

    #[test]
    fn what_can_be_guessed_is_no_token() {
        for token in ["", "secret"] {
            let args = AdminArgs {
                admin_token: Some(token.into()),
                ..AdminArgs::default()
            };
            assert!(matches!(args.resolve(), Err(AdminArgsError::Short(_))));
        }
        assert!(!AdminArgs::default().resolve().unwrap().needs_token());
    }
}
