//! What intake needs of an HTTP request: its headers and where it comes from, so that it does not
//! depend on one server.

use std::net::IpAddr;

/// Headers by lower-case name, and the sender's address.
pub trait Headers: Sync {
    /// The first value of this header.
    fn value(&self, name: &str) -> Option<&[u8]>;
    /// The first value as text; `None` when it is not UTF-8.
    fn text(&self, name: &str) -> Option<&str> {
        self.value(name).and_then(|v| std::str::from_utf8(v).ok())
    }
    /// All values of this header, in the order of its lines.
    fn values(&self, name: &str) -> Vec<&[u8]> {
        self.value(name).into_iter().collect()
    }
    /// Who is at the other end of the connection: the sender, or a proxy.
    fn peer(&self) -> Option<IpAddr> {
        None
    }
}

/// A request as the HTTP server has it.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Sent<'a> {
    pub headers: &'a actix_web::http::header::HeaderMap,
    pub peer: Option<IpAddr>,
}

impl Headers for Sent<'_> {
    fn value(&self, name: &str) -> Option<&[u8]> {
        let value = self.headers.get(name);
        value.map(actix_web::http::header::HeaderValue::as_bytes)
    }
    fn values(&self, name: &str) -> Vec<&[u8]> {
        let values = self.headers.get_all(name);
        values
            .map(actix_web::http::header::HeaderValue::as_bytes)
            .collect()
    }
    fn peer(&self) -> Option<IpAddr> {
        self.peer
    }
}

impl Headers for [(String, String)] {
    fn value(&self, name: &str) -> Option<&[u8]> {
        self.iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_bytes())
    }
}

impl Headers for Vec<(String, String)> {
    fn value(&self, name: &str) -> Option<&[u8]> {
        self.as_slice().value(name)
    }
}
