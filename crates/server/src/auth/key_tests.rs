//! Every kind of public key, from PEM.

use jsonwebtoken::Algorithm;
use serde_json::json;

use super::error::Reason;
use super::key::{Key, KeyError};
use super::testing::{args, sign_with, token, verifier};
use super::testing_keys::{EC256, EC384, ED, RSA, RSA_1024, RSA_PKCS1, Signed};
use super::{SetupError, Verifier};

const ALL: [Signed; 4] = [RSA, EC256, EC384, ED];

/// A verifier with these keys in files.
fn with(keys: &[&str]) -> Verifier {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Vec::new();
    for (index, pem) in keys.iter().enumerate() {
        let path = folder.path().join(index.to_string());
        std::fs::write(&path, pem).unwrap();
        settings.push(format!("--token-public-key-file={}", path.display()));
    }
    let settings: Vec<_> = settings.iter().map(String::as_str).collect();
    verifier(&settings)
}

#[tokio::test]
async fn each_key_verifies_its_own_tokens_and_no_others() {
    for (index, key) in ALL.iter().enumerate() {
        let verifier = with(&[key.pem]);
        for (other, tokens) in ALL.iter().map(|key| key.tokens).enumerate() {
            for (algorithm, token) in tokens {
                let read = verifier.connection(token).await;
                if index == other {
                    assert_eq!(read.unwrap().user, "alice", "{algorithm}");
                } else {
                    let error = read.unwrap_err();
                    assert_eq!(error, Reason::Algorithm.into(), "{algorithm}");
                }
            }
        }
    }
}

#[tokio::test]
async fn several_keys_work_side_by_side() {
    let verifier = with(&ALL.map(|key| key.pem));
    for (algorithm, token) in ALL.iter().flat_map(|key| key.tokens) {
        assert!(verifier.connection(token).await.is_ok(), "{algorithm}");
    }
    let verifier = with(&[RSA_PKCS1]);
    assert!(verifier.connection(RSA.tokens[0].1).await.is_ok());
}

#[tokio::test]
async fn a_changed_token_is_refused() {
    let verifier = with(&ALL.map(|key| key.pem));
    for (algorithm, good) in ALL.iter().flat_map(|key| key.tokens) {
        let (header, rest) = good.split_once('.').unwrap();
        let (_, signature) = rest.split_once('.').unwrap();
        let claims = token("", r#"{"sub":"bob"}"#, b"");
        let forged = format!(
            "{header}{}{signature}",
            claims.trim_end_matches('.').to_owned() + "."
        );
        let error = verifier.connection(&forged).await.unwrap_err();
        assert_eq!(error, Reason::Signature.into(), "{algorithm}");
        for signature in [&b""[..], &[0; 64], &[0; 96], &[0; 256], &[255; 256]] {
            let header = format!(r#"{{"alg":"{algorithm}"}}"#);
            let forged = token(&header, r#"{"sub":"bob"}"#, signature);
            let error = verifier.connection(&forged).await.unwrap_err();
            assert_eq!(error, Reason::Signature.into(), "{algorithm}");
        }
    }
}

#[tokio::test]
async fn a_public_key_is_no_shared_secret() {
    let pem = RSA.pem.as_bytes();
    let trimmed = RSA.pem.trim().as_bytes();
    let der = pkcs1::der::pem::decode_vec(pem).unwrap().1;
    let only_rsa = with(&[RSA.pem]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, RSA.pem).unwrap();
    let file = format!("--token-public-key-file={}", file.display());
    let both = verifier(&[&file, "--token-hmac-secret", super::testing::SECRET]);
    for secret in [pem, trimmed, &der] {
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            let forged = sign_with(algorithm, secret, &json!({"sub": "admin"}));
            let error = only_rsa.connection(&forged).await.unwrap_err();
            assert_eq!(error, Reason::Algorithm.into());
            let error = both.connection(&forged).await.unwrap_err();
            assert_eq!(error, Reason::Signature.into());
        }
    }
}

#[test]
fn what_is_no_key_is_refused_when_it_is_read() {
    let bad = |text: &str| Key::pem(text.as_bytes()).unwrap_err();
    assert_eq!(bad(""), KeyError::Pem);
    assert_eq!(bad("hello"), KeyError::Pem);
    assert_eq!(bad(RSA_1024), KeyError::RsaBits(1024));
    let certificate = RSA.pem.replace("PUBLIC KEY", "CERTIFICATE");
    assert_eq!(bad(&certificate), KeyError::Label);
    let private = RSA.pem.replace("PUBLIC KEY", "PRIVATE KEY");
    assert_eq!(bad(&private), KeyError::Label);
    let broken = RSA.pem.replace("MIIBIjAN", "MIIBIjAM");
    assert_eq!(bad(&broken), KeyError::Pem);
    // An X25519 key, which signs nothing.
    let other = ED.pem.replace("MCowBQYDK2Vw", "MCowBQYDK2Vu");
    assert_eq!(bad(&other), KeyError::Kind);
    assert_eq!(Key::ed(&[1; 31]).unwrap_err(), KeyError::Numbers);
    let point = [&[4][..], &[1; 64]].concat();
    let off_the_curve = Key::ec(&point, Algorithm::ES256);
    assert_eq!(off_the_curve.unwrap_err(), KeyError::Numbers);
    assert_eq!(
        Key::ec(&[], Algorithm::ES256).unwrap_err(),
        KeyError::Numbers
    );
}

#[test]
fn an_error_names_the_file_and_not_what_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    let error = |option: &str, text: &[u8]| {
        std::fs::write(&path, text).unwrap();
        let setting = format!("--{option}={}", path.display());
        let error = Verifier::new(&args(&[&setting])).unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains("key.pem") && !text.contains("hush"), "{text}");
        error
    };
    let wrong = error("token-public-key-file", b"hush");
    assert!(matches!(wrong, SetupError::Key { .. }));
    let long = error("token-public-key-file", "x".repeat(70_000).as_bytes());
    assert!(matches!(long, SetupError::TooLong { .. }));
    let empty = error("token-hmac-secret-file", b"\n");
    assert!(matches!(empty, SetupError::EmptySecret(_)));
    let binary = error("token-hmac-secret-file", b"hush\xff");
    assert!(matches!(binary, SetupError::BinarySecret(_)));
    std::fs::remove_file(&path).unwrap();
    let setting = format!("--token-hmac-secret-file={}", path.display());
    let missing = Verifier::new(&args(&[&setting])).unwrap_err();
    assert!(matches!(missing, SetupError::Read { .. }));
}

#[tokio::test]
async fn a_line_break_at_the_end_of_a_secret_does_not_count() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, format!("{}\r\n", super::testing::SECRET)).unwrap();
    let verifier = verifier(&["--token-hmac-secret-file", path.to_str().unwrap()]);
    let token = super::testing::sign(&json!({"sub": "alice"}));
    assert!(verifier.connection(&token).await.is_ok());
}
