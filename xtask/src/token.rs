//! `cargo xtask token`: a token for trying the server out.
//!
//! Signs with a shared secret only, and says nothing but the token on stdout, so that it can stand inside another
//! command. It knows the names of the claims and not what they may be: the server judges that.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use serde_json::{Map, Value, json};
use sha2::Sha256;

use crate::say;

/// Where the server reads its secret too.
const VARIABLE: &str = "TOKEN_HMAC_SECRET";
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
const EXAMPLES: &str = "\
Examples:
  export TOKEN_HMAC_SECRET=$(openssl rand -hex 32)    # for the server too
  cargo xtask token --user alice
  cargo xtask token --user alice --tenant acme --queues chat,mail --expires-in 10m
  cargo xtask token --user alice --channel news:today
  cargo xtask token --claims '{\"allow\":{\"subscribe\":[\"news:*\"]}}'
  websocat \"ws://127.0.0.1:3000/ws?token=$(cargo xtask token --user alice)\"";

/// Makes a token for trying the server, and prints it.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TokenArgs {
    /// Secret to sign with (HS256); other users of the machine see it here, so better leave it in
    /// the environment [default: the variable `TOKEN_HMAC_SECRET`]
    #[arg(long, conflicts_with = "secret_file")]
    secret: Option<String>,
    /// File with the secret; a line break at its end does not count.
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Who it is for (`sub`) [default: nobody, an anonymous client]
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// Whose the jobs and topics are [default: the user's own]
    #[arg(long, value_name = "NAME", conflicts_with = "channel")]
    tenant: Option<String>,
    /// The queues that may be used, as a list with commas [default: all]
    #[arg(long, value_delimiter = ',', conflicts_with = "channel")]
    queues: Option<Vec<String>>,
    /// The kinds of jobs that may be submitted, as a list with commas [default: all]
    #[arg(long, value_delimiter = ',', conflicts_with = "channel")]
    kinds: Option<Vec<String>>,
    /// Makes a token for subscribing to this channel instead of one for connecting.
    #[arg(long, value_name = "CHANNEL")]
    channel: Option<String>,
    /// How long it is good: a number with s, m, h or d; or never.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = lifetime)]
    expires_in: Lifetime,
    /// More claims, as a JSON object; they replace those of the other options.
    #[arg(long, value_name = "JSON")]
    claims: Option<String>,
}

/// How long a token is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lifetime {
    Seconds(u64),
    Forever,
}

/// Prints a token.
pub(crate) fn run(args: &TokenArgs) -> anyhow::Result<ExitCode> {
    let secret = args.read_secret()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let claims = args.all_claims(now.unwrap_or(Duration::ZERO).as_secs())?;
    say::line(sign(&Value::from(claims).to_string(), &secret));
    Ok(ExitCode::SUCCESS)
}

impl TokenArgs {
    fn read_secret(&self) -> anyhow::Result<String> {
        let secret = match (&self.secret, &self.secret_file) {
            (Some(secret), _) => secret.clone(),
            (None, Some(path)) => in_file(path)?,
            (None, None) => std::env::var(VARIABLE).ok().with_context(|| {
                format!("no secret: set {VARIABLE} as for the server, or give --secret-file")
            })?,
        };
        if secret.is_empty() {
            bail!("the secret is empty");
        }
        Ok(secret)
    }

    fn all_claims(&self, now: u64) -> anyhow::Result<Map<String, Value>> {
        let end = match self.expires_in {
            Lifetime::Seconds(seconds) => Some(now.saturating_add(seconds)),
            Lifetime::Forever => None,
        };
        let mut claims = Map::from_iter([("iat".to_owned(), json!(now))]);
        for (name, value) in [
            ("exp", end.map(Value::from)),
            ("sub", self.user.clone().map(Value::from)),
            ("channel", self.channel.clone().map(Value::from)),
            ("tenant", self.tenant.clone().map(Value::from)),
            ("queues", self.queues.clone().map(Value::from)),
            ("kinds", self.kinds.clone().map(Value::from)),
        ] {
            claims.extend(value.map(|value| (name.to_owned(), value)));
        }
        if let Some(text) = &self.claims {
            let more: Map<String, Value> =
                serde_json::from_str(text).context("--claims is no JSON object")?;
            claims.extend(more);
        }
        Ok(claims)
    }
}

/// As the server reads such a file.
fn in_file(path: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("could not read {}", path.display()))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}

fn lifetime(text: &str) -> Result<Lifetime, String> {
    if text == "never" {
        return Ok(Lifetime::Forever);
    }
    let units = [('s', 1), ('m', 60), ('h', 3600), ('d', 24 * 3600)];
    let read = units.iter().find_map(|(unit, seconds)| {
        let number: u64 = text.strip_suffix(*unit)?.parse().ok()?;
        number.checked_mul(*seconds)
    });
    read.map(Lifetime::Seconds)
        .ok_or_else(|| "a number with s, m, h or d, such as 90s or 1h; or never".to_owned())
}

fn sign(claims: &str, secret: &str) -> String {
    let [header, claims] = [HEADER, claims].map(|part| URL_SAFE_NO_PAD.encode(part));
    let text = format!("{header}.{claims}");
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length is one");
    mac.update(text.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
    format!("{text}.{signature}")
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};
    use serde_json::{Value, json};

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        token: TokenArgs,
    }

    fn args(line: &[&str]) -> TokenArgs {
        Line::try_parse_from(["token"].iter().chain(line))
            .unwrap()
            .token
    }

    fn claims(line: &[&str]) -> Value {
        args(line).all_claims(1000).unwrap().into()
    }

    #[test]
    fn the_signature_is_that_of_others() {
        // The example of jwt.io.
        let claims = r#"{"sub":"1234567890","name":"John Doe","iat":1516239022}"#;
        assert_eq!(
            sign(claims, "your-256-bit-secret"),
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiw\
             iaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"
        );
    }

    #[test]
    fn options_are_claims() {
        Line::command().debug_assert();
        assert_eq!(claims(&[]), json!({"iat": 1000, "exp": 4600}));
        assert_eq!(claims(&["--expires-in=never"]), json!({"iat": 1000}));
        let line = ["--user=alice", "--tenant=acme", "--queues=a,b", "--kinds=c"];
        let all = json!({"iat": 1000, "exp": 4600, "sub": "alice", "tenant": "acme",
                         "queues": ["a", "b"], "kinds": ["c"]});
        assert_eq!(claims(&line), all);
        let line = ["--user=alice", "--channel=news:a", "--expires-in=2m"];
        let all = json!({"iat": 1000, "exp": 1120, "sub": "alice", "channel": "news:a"});
        assert_eq!(claims(&line), all);
    }

    #[test]
    fn more_claims_come_last() {
        let line = ["--user=alice", r#"--claims={"sub":"bob","info":{"a":1}}"#];
        let all = json!({"iat": 1000, "exp": 4600, "sub": "bob", "info": {"a": 1}});
        assert_eq!(claims(&line), all);
        for bad in ["", "[]", "1", "{"] {
            let args = args(&["--claims", bad]);
            assert!(args.all_claims(1000).is_err(), "{bad}");
        }
    }

    #[test]
    fn times_have_a_unit() {
        for (text, seconds) in [
            ("0s", 0),
            ("90s", 90),
            ("2m", 120),
            ("1h", 3600),
            ("7d", 604_800),
        ] {
            assert_eq!(lifetime(text), Ok(Lifetime::Seconds(seconds)));
        }
        for bad in ["", "1", "h", "1w", "-1h", "1.5h", "99999999999999999d"] {
            assert!(lifetime(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn options_that_contradict_are_refused() {
        for line in [
            ["--secret=a", "--secret-file=b"],
            ["--channel=a", "--queues=b"],
            ["--channel=a", "--tenant=b"],
        ] {
            let parsed = Line::try_parse_from(["token"].iter().chain(&line));
            assert!(parsed.is_err(), "{line:?}");
        }
    }

    #[test]
    fn a_secret_comes_from_a_file() {
        let path = std::env::temp_dir().join(format!("xtask-token-{}", std::process::id()));
        std::fs::write(&path, "hush\n").unwrap();
        let from_file = args(&["--secret-file", path.to_str().unwrap()]).read_secret();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(from_file.unwrap(), "hush");
        assert!(args(&["--secret="]).read_secret().is_err());
    }
}
