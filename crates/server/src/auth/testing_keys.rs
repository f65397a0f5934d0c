//! Public keys, and tokens of the user `alice` that were signed with the other halves: **for tests only**. The private
//! keys were thrown away when this file was made, so there is nothing here to keep secret.

/// A public key in PEM, and the tokens that it verifies: the algorithm of each, and the token.
pub(super) struct Signed {
    pub(super) pem: &'static str,
    pub(super) tokens: &'static [(&'static str, &'static str)],
}

/// RSA of 2048 bits.
pub(super) const RSA: Signed = Signed {
    pem: "-----BEGIN PUBLIC KEY-----\n\
          MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAt31vmb060hCrzInFufLV\n\
          Kva6oPt8FPlBtsi7NRbQaxUJPJ54288GVI9TtfMZ9pgr/jwSSQ+aU1mX+wK8PKDG\n\
          K7QAl4Y/9KkUNWfhlb3sakdR/w2zCiEqzgm4bsmUoX3ck+aGiEBKffxvQ7yuIY4n\n\
          m6hvjeCBiZodeTyYSgT1VuQpA8nV4phMgC/SgVuYW8lX0+K3hvaMZS3JfLulbjNk\n\
          KhaKzfHm4JX/sg5Bu2n+9x0uJT1pDoNHjoSM1DHIszXWCdNFHjGqQkQTubLmQSQh\n\
          IpcIOA/2z8zkKwrWR7aqx3anvFxJs/gt9jEqbq8yNXeltzNp6g8bUvSgolem+k8b\n\
          SwIDAQAB\n\
          -----END PUBLIC KEY-----\n",
    tokens: &[
        (
            "RS256",
            "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSJ9.i2cSXLB-PoDakIGa4gKWEZ\
         vGOzTRASwaD381QW0bYtFdI2HM-6Sovq6duJnxbJe2R4q61U7hrRvYCD5_pbuU7C3D9qLO8HCFBFiSBr\
         r0LML8nrUjzzzoygk6oVhPi7GLb2rJ2NiYbPrHEPsvZ9tS6F4eosPE9lE-EYCS3e5vqGFIKz2LMV74AE\
         i_2fM8rJ4VoYymcH5x7nt4oCSoSMGRvGR9ZEeXe4h4zeoDybRKme4QLKCAiFxf-8jd7hvqmL0VoFovdA\
         gF6NKb7deg7T3W6ovKt_hkhz8FBmh0Zvxgj1rgZBCWzUEhvSUWWOSjNAQPahmdU6yEzaro7wAbtz_tNQ",
        ),
        (
            "RS384",
            "eyJhbGciOiJSUzM4NCIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSJ9.ckcwQwhXyWM-DT1wWnFwZ9\
         HOqI2dY_qcn9V8szpt_FyiPsTdF6z6mFD5GrA1a5gfKlYPBTvh4HlV7U98AgUcP7qMR_1L68vDQvQSj2\
         Wri_viLwS5AEmQbfJtoXj-hhwaVbAUv9e6ac7Ro1QzKVPD4mCUDvyJvaA59fSSWor1uHqOTwrRgK3OhS\
         yc5YZ4pfBsTzqjZoJZ82GnEnebNC1RcVXBxhDEgajg9B_0GHqq2MXVX5UYv7Opy_-WeAEq5x98iay1ct\
         yQBKTrWuQKdHn6dC95HZjUQwFLUwIgXv6vKUTuvUeWPSyQVqLrPm7cS4T46eU3lLT-fUBdUssBtpTOnw",
        ),
        (
            "RS512",
            "eyJhbGciOiJSUzUxMiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSJ9.F4c8JXynY77QJdTi8ggfIb\
         ZATesOZFtnjFXeJeLTwmVQGGwpYrUGmi8Joq8XO_S1L_-lReVzez7jd7eA-yaznyR7TMfX7gIofIcrP1\
         shdOGjJX_needLSqrsw9SKV9MguJg7AJRqmcuZdWe17FFwnUrs0SZ9RHN9bHO9naH1q9JzTQTbDfZi2K\
         FZxOVd_mvm5dnadNVXZr5blO0GBvAnQLyz5rZqRpGTjSA4o74-xkY0IC6Yrdm6uD8vo8YbRjJf6inNOw\
         8R_kEFR_YivExiqtAhXyR4mhp97Hd3Q30TOhwGMnUQB3bMWeUmPcAeWbMd8oI_CtraXbuq1m8EROchXg",
        ),
        (
            "PS256",
            "eyJhbGciOiJQUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSJ9.JOFw3Hmk2gSFi6eJZkijV1\
         7e6Q-no2DhHHC07EnDAXrF0iOvH4-7q-7JHfxIfr1IkSvAS0PTeDm319TvxPz3A0VCAAVeKN68-kr8My\
         AormDEfej3T5hf_buAggd-GnyD4bCbD_1ShY8wWU8G2PKVBWG2QNKKTEdEa1co6WLPvLeUBg2uUOzIpq\
         LnEkjQjpOISpq07QNKQwSGY_vFTp1uJHuJXZ185RPZq9gHiVeETAIIhhOwmgby28gFbqE6-UCtQLptX5\
         4tZlzV_OnNM3DaXhy87PSL-oCpcCc2JxnmIgShQ1ZtjJGN456LoYjXK3xl7bbVWfCjUAkFek1rknJWgQ",
        ),
        (
            "PS384",
            "eyJhbGciOiJQUzM4NCIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSJ9.Orj3qduErLDPldYy91mRlT\
         767EbLtaYKuR_B2u9DJ2X6LzZ5dvrOVLfIVYingO0o8lirLaRG3X2qjAbXwjTM4RCUigq6bK_-xC4UrF\
         2V2ch2tGCKcZpVbULfFMMCQuZRq3gGwe2NKd-VSCtPobXvYjok5OAunY1iThGiM-mgPmtwgHx9guasKJ\
         MqNbHbD4lRl66BhY6usamk3SNLiDuHePzkDhgValVkLdBYrW0QugD-GVyQmtJrRn1W92VpqCH2Pdu3BJ\
         tJl48gwF0m3cm1KJZ31gCa1XAISdtqBsrdQhdPnVbn01MWI_5AY8Ek9hUU2nM1EbKUvAA9vxW7aDB7ag",
        ),
        (
            "PS512",
            "eyJhbGciOiJQUzUxMiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSJ9.L9ZjzNoxzfHTjZLeM-R2dj\
         YWfgXXKwTrWG5F5HR6IUe_NFuiHLq5pBrGrduaXTy7MrWU_nNKVumPh7j6r5WxbDYm-TgvYgSTaIuGZl\
         9SwQJEd45-CUmXzbEJiWJIN_VYUxb00frYEfT5SbrQxpMR_WugAzBGazfZLAyUQaFjjtqwQbI4rP2dme\
         MJy9Ow7iIn5Y6NOCyfzn9mG8a5WVRkGuboSY4TKogvIrmauKKeo6eq9N7PBqzTrjWAv949t4Bnbl3fJ3\
         s6gOn0yAXqyyBM8hxHk59bu3fPmBB_xj_8AiryU1MHRY9nVpYTMZdEkZAuVdi34u2Y6lE0ddQVHkkujQ",
        ),
    ],
};

/// P-256.
pub(super) const EC256: Signed = Signed {
    pem: "-----BEGIN PUBLIC KEY-----\n\
          MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEnIIk9PuFaTPopdJ+ixx59/ST+uQm\n\
          ghFCep0Seo9PzYcbkK4ivGEcivepL6q35i1evsHyly4qf09GjLXcQU/fsg==\n\
          -----END PUBLIC KEY-----\n",
    tokens: &[(
        "ES256",
        "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSJ9.zC-KEvXQ7dtWUw4l5e9ygy\
         Sjvrw7OwX-9zoXOdqWlkhBU_2Kz5XZw_Qe_xHgXKiixHfiwjBUjnne5WCZndY6Uw",
    )],
};

/// P-384.
pub(super) const EC384: Signed = Signed {
    pem: "-----BEGIN PUBLIC KEY-----\n\
          MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAENxr3jFbOfmHd2TcpdhBK7HeTyUtRmQZx\n\
          pGaeGFzNVNX6FFilLSPV0k8iOIVwkJpi7ZnvJwo3OEONOtQ57jvXb2GUlifhorMy\n\
          YXzlUDU3xxvnXOvM0mx3GVO8FtZ7dBrc\n\
          -----END PUBLIC KEY-----\n",
    tokens: &[(
        "ES384",
        "eyJhbGciOiJFUzM4NCIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSJ9.SnmyDLnQTwFX20PJyvL0Cj\
         IY8mEIsYSYlGDhsGIetD8xU1xIeAnmHhFuxVrLLtX5l3ejBsX-FCYqOvTcVHJUgNu4GwtmUAf9rOQpFE\
         xaL3Ye6mrIV42y9_v2gPLor8Rr",
    )],
};

/// Ed25519.
pub(super) const ED: Signed = Signed {
    pem: "-----BEGIN PUBLIC KEY-----\n\
          MCowBQYDK2VwAyEAFG7MRKg0q15z/+UO4Ido8Yq7ZzoVoHsekzT9eCtKGow=\n\
          -----END PUBLIC KEY-----\n",
    tokens: &[(
        "EdDSA",
        "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSJ9.IguoNQhx4sSTv-9bvInbT4\
         BG9JEtV7yaDrpM16kutKVUKkdenvkj7TKyN_LfeRoIqDIPgITZT7xXhlwSPSoXAQ",
    )],
};

/// The same RSA key in its own form.
pub(super) const RSA_PKCS1: &str = "-----BEGIN RSA PUBLIC KEY-----\n\
     MIIBCgKCAQEAt31vmb060hCrzInFufLVKva6oPt8FPlBtsi7NRbQaxUJPJ54288G\n\
     VI9TtfMZ9pgr/jwSSQ+aU1mX+wK8PKDGK7QAl4Y/9KkUNWfhlb3sakdR/w2zCiEq\n\
     zgm4bsmUoX3ck+aGiEBKffxvQ7yuIY4nm6hvjeCBiZodeTyYSgT1VuQpA8nV4phM\n\
     gC/SgVuYW8lX0+K3hvaMZS3JfLulbjNkKhaKzfHm4JX/sg5Bu2n+9x0uJT1pDoNH\n\
     joSM1DHIszXWCdNFHjGqQkQTubLmQSQhIpcIOA/2z8zkKwrWR7aqx3anvFxJs/gt\n\
     9jEqbq8yNXeltzNp6g8bUvSgolem+k8bSwIDAQAB\n\
     -----END RSA PUBLIC KEY-----\n";

/// Too short.
pub(super) const RSA_1024: &str = "-----BEGIN PUBLIC KEY-----\n\
     MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC/SME658I5RUzCzzpmtKWPkkTE\n\
     n/kW6lSQJORG4eXOuxI5EGM/z9w3l4O9CAGZzfqCb8m33r8P9exKB8cLoitKh0r+\n\
     pcR01c1XxQHKs5jN3RheDensfvOE6WIT25pqCV1qE5dK2eMM8WLBHi1eh1D7KkVz\n\
     Vw01ARmV+84OE2/JIwIDAQAB\n\
     -----END PUBLIC KEY-----\n";

/// `RSA` as a JWK.
pub(super) const RSA_JWK: &[(&str, &str)] = &[
    ("kty", "RSA"),
    (
        "n",
        "t31vmb060hCrzInFufLVKva6oPt8FPlBtsi7NRbQaxUJPJ54288GVI9TtfMZ9pgr_jwSSQ-aU1mX-wK8\
         PKDGK7QAl4Y_9KkUNWfhlb3sakdR_w2zCiEqzgm4bsmUoX3ck-aGiEBKffxvQ7yuIY4nm6hvjeCBiZod\
         eTyYSgT1VuQpA8nV4phMgC_SgVuYW8lX0-K3hvaMZS3JfLulbjNkKhaKzfHm4JX_sg5Bu2n-9x0uJT1p\
         DoNHjoSM1DHIszXWCdNFHjGqQkQTubLmQSQhIpcIOA_2z8zkKwrWR7aqx3anvFxJs_gt9jEqbq8yNXel\
         tzNp6g8bUvSgolem-k8bSw",
    ),
    ("e", "AQAB"),
];

/// `EC256` as a JWK.
pub(super) const EC256_JWK: &[(&str, &str)] = &[
    ("kty", "EC"),
    ("crv", "P-256"),
    ("x", "nIIk9PuFaTPopdJ-ixx59_ST-uQmghFCep0Seo9PzYc"),
    ("y", "G5CuIrxhHIr3qS-qt-YtXr7B8pcuKn9PRoy13EFP37I"),
];

/// `EC384` as a JWK.
pub(super) const EC384_JWK: &[(&str, &str)] = &[
    ("kty", "EC"),
    ("crv", "P-384"),
    (
        "x",
        "Nxr3jFbOfmHd2TcpdhBK7HeTyUtRmQZxpGaeGFzNVNX6FFilLSPV0k8iOIVwkJpi",
    ),
    (
        "y",
        "7ZnvJwo3OEONOtQ57jvXb2GUlifhorMyYXzlUDU3xxvnXOvM0mx3GVO8FtZ7dBrc",
    ),
];

/// `ED` as a JWK.
pub(super) const ED_JWK: &[(&str, &str)] = &[
    ("kty", "OKP"),
    ("crv", "Ed25519"),
    ("x", "FG7MRKg0q15z_-UO4Ido8Yq7ZzoVoHsekzT9eCtKGow"),
];
