//! The administrator's credential: HTTP Basic, user `admin`, compared in constant time.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use subtle::ConstantTimeEq as _;

/// The one user that may write.
const USER: &str = "admin";

/// What a request must carry to change anything. There is no default: no password, no server.
#[derive(Clone)]
pub struct Credential {
    /// `admin:PASSWORD`, as it stands in the header once decoded.
    expected: String,
}

/// A password that would let everybody in.
#[derive(Debug, thiserror::Error)]
#[error("failed to set the administrator's password: it is empty")]
pub struct EmptyPassword;

impl Credential {
    /// The credential of `admin` with this password.
    pub fn new(password: &str) -> Result<Self, EmptyPassword> {
        if password.is_empty() {
            return Err(EmptyPassword);
        }
        Ok(Self { expected: format!("{USER}:{password}") })
    }

    /// The value of the `Authorization` header that carries it.
    pub fn header(&self) -> String {
        format!("Basic {}", STANDARD.encode(&self.expected))
    }

    /// Whether an `Authorization` header carries it. The time taken tells nothing about how much of it was right.
    pub fn accepts(&self, header: &str) -> bool {
        let Some((scheme, encoded)) = header.split_once(' ') else { return false };
        if !scheme.eq_ignore_ascii_case("basic") {
            return false;
        }
        STANDARD.decode(encoded.trim()).is_ok_and(|given| bool::from(given.as_slice().ct_eq(self.expected.as_bytes())))
    }
}

/// The password stays out of logs and panics.
impl fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Credential(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_its_own_header_and_nothing_near_it() {
        let credential = Credential::new("s3cret:with:colons").unwrap();
        assert!(credential.accepts(&credential.header()));
        assert!(credential.accepts(&credential.header().replace("Basic", "basic")), "the scheme has no case");
        for header in ["", "Basic", "Basic ", "Basic !!!", "Bearer s3cret:with:colons", "Basic YWRtaW46", "Basic YWRtaW46czNjcmV0"] {
            assert!(!credential.accepts(header), "{header}");
        }
        assert!(!Credential::new("other").unwrap().accepts(&credential.header()));
    }

    #[test]
    fn an_empty_password_is_refused_and_no_password_is_shown() {
        assert!(Credential::new("").is_err());
        assert_eq!(format!("{:?}", Credential::new("s3cret").unwrap()), "Credential(…)");
    }
}
