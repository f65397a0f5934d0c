//! Which tenant a token belongs to.
//!
//! Tenants stand before the first dot of topics, so none holds a dot. A user can't take another's tenant by taking a
//! name that this rule makes, nor that of everybody who has no token.

use std::fmt::Write as _;

use protocol::Tenant;
use sha2::{Digest as _, Sha256};

/// The start of names that are made here.
const MADE: &str = "u-";
/// The longest user id that is a tenant as it is: it leaves room for a topic behind it.
const MAX_USER_BYTES: usize = 40;

/// The tenant that is named, or that of the user; none if the named one can't be a tenant.
pub(super) fn of(named: Option<&str>, user: &str) -> Option<Tenant> {
    match named {
        Some(name) if name.contains('.') => None,
        Some(name) => Tenant::new(name).ok(),
        None if user.is_empty() => Some(Tenant::public()),
        None => Some(of_user(user)),
    }
}

fn of_user(user: &str) -> Tenant {
    let is_plain = !user.contains('.') && user.len() <= MAX_USER_BYTES && !user.starts_with(MADE);
    if let (true, Ok(tenant)) = (is_plain, Tenant::new(user))
        && tenant != Tenant::public()
    {
        return tenant;
    }
    let mut name = MADE.to_owned();
    for byte in &Sha256::digest(user)[..8] {
        // Writing to a `String` never fails.
        let _ = write!(name, "{byte:02x}");
    }
    Tenant::new(name).expect("hexadecimal digits make a name")
}

#[cfg(test)]
mod tests {
    use super::of;

    fn name(named: Option<&str>, user: &str) -> Option<String> {
        of(named, user).map(String::from)
    }

    #[test]
    fn the_claim_comes_first() {
        assert_eq!(name(Some("acme"), "alice").as_deref(), Some("acme"));
        assert_eq!(name(Some("public"), "alice").as_deref(), Some("public"));
        for bad in ["", "a.b", ".", "a:b", "a b", &"x".repeat(65)] {
            assert_eq!(name(Some(bad), "alice"), None, "{bad}");
        }
    }

    #[test]
    fn a_user_is_a_tenant() {
        for user in [
            "alice",
            "42",
            "0b0f7a3e-6f0e-4d2c-9b1c-2f4f3f1d9a77",
            "a_B-1",
        ] {
            assert_eq!(name(None, user).as_deref(), Some(user));
        }
        assert_eq!(name(None, "").as_deref(), Some("public"));
    }

    #[test]
    fn what_is_no_tenant_is_hashed() {
        // printf %s bob@example.com | sha256sum
        let bob = name(None, "bob@example.com").unwrap();
        assert_eq!(bob, "u-5ff860bf1190596c");
        let long = "x".repeat(41);
        for user in ["a.b", "auth0|5f7c8ec7", "é", &long, "public", &bob] {
            let tenant = name(None, user).unwrap();
            assert!(tenant.starts_with("u-") && tenant.len() == 18, "{tenant}");
            assert_ne!(tenant, bob, "{user}");
        }
    }
}
