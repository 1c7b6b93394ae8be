//! What kept a connection to a broker from being made, in words.
//!
//! What always holds: the words are ours and name no secret; of several addresses that failed the one
//! that tells most is told: a wrong certificate before a port where nobody listens.

use async_nats::{ConnectError, ConnectErrorKind, ServerError};
use rustls::{AlertDescription, CertificateError};
use std::error::Error;

/// A connection that was not made; the greater, the more it tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fault {
    telling: u8,
    /// For people.
    pub(super) why: &'static str,
}

const fn fault(telling: u8, why: &'static str) -> Fault {
    Fault { telling, why }
}

impl Fault {
    /// What the client's error means.
    pub(super) fn of(error: &ConnectError) -> Self {
        if let Some(found) = find::<rustls::Error>(error) {
            return fault(3, of_tls(found));
        }
        if let Some(ServerError::Other(_)) = find::<ServerError>(error) {
            return fault(2, "the broker refuses the connection");
        }
        match error.kind() {
            ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => {
                fault(4, "the broker refuses the credentials")
            }
            ConnectErrorKind::Tls => fault(3, "no TLS with the broker: it cannot be set up here"),
            ConnectErrorKind::TimedOut => fault(1, "the broker does not answer"),
            _ => fault(0, "no connection to the broker"),
        }
    }
}

/// The first error of this kind behind another. What an I/O error wraps is not its source but
/// within it.
fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    if let Some(found) = error.downcast_ref::<E>() {
        return Some(found);
    }
    let within = match error.downcast_ref::<std::io::Error>() {
        Some(io) => io.get_ref().map(|inner| inner as &(dyn Error + 'static)),
        None => error.source(),
    };
    find(within?)
}

fn of_tls(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::InvalidCertificate(certificate) => of_certificate(certificate),
        rustls::Error::InvalidMessage(_) => {
            "no TLS with the broker: what it answers is something else"
        }
        rustls::Error::AlertReceived(
            AlertDescription::CertificateRequired | AlertDescription::BadCertificate,
        ) => "no TLS with the broker: it wants a certificate of ours, which there is not",
        _ => "no TLS with the broker",
    }
}

fn of_certificate(error: &CertificateError) -> &'static str {
    match error {
        CertificateError::UnknownIssuer => {
            "no TLS with the broker: its certificate is from no authority that is trusted here"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "no TLS with the broker: its certificate is for another name"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "no TLS with the broker: its certificate has expired"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "no TLS with the broker: its certificate is not valid yet"
        }
        _ => "no TLS with the broker: its certificate is not good",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io;

    fn io(inner: rustls::Error) -> ConnectError {
        io::Error::new(io::ErrorKind::InvalidData, inner).into()
    }

    #[test]
    fn tls_is_found_within_an_io_error() {
        for (error, words) in [
            (CertificateError::UnknownIssuer, "no authority"),
            (CertificateError::NotValidForName, "another name"),
            (CertificateError::Expired, "expired"),
            (CertificateError::Revoked, "not good"),
        ] {
            let told = Fault::of(&io(rustls::Error::InvalidCertificate(error)));
            assert!(
                told.why
                    .starts_with("no TLS with the broker: its certificate")
            );
            assert!(told.why.contains(words), "{told:?}");
        }
    }

    #[test]
    fn what_tells_most_is_the_greatest() {
        let down = Fault::of(&io::Error::from(io::ErrorKind::ConnectionRefused).into());
        let silent = Fault::of(&ConnectError::new(ConnectErrorKind::TimedOut));
        let tls = Fault::of(&io(rustls::Error::DecryptError));
        let wrong = Fault::of(&ConnectError::new(ConnectErrorKind::AuthorizationViolation));
        assert!(down < silent && silent < tls && tls < wrong);
        assert_eq!(down.why, "no connection to the broker");
        let full = ServerError::Other("maximum connections exceeded".into());
        let full = Fault::of(&ConnectError::with_source(ConnectErrorKind::Io, full));
        assert_eq!(full.why, "the broker refuses the connection");
    }
}
