//! What intake needs of an HTTP request's headers, so that it does not depend on one server.

/// Headers by lower-case name.
pub trait Headers: Sync {
    /// The first value of this header.
    fn value(&self, name: &str) -> Option<&[u8]>;
    /// The first value as text; `None` when it is not UTF-8.
    fn text(&self, name: &str) -> Option<&str> {
        self.value(name).and_then(|v| std::str::from_utf8(v).ok())
    }
}

impl Headers for actix_web::http::header::HeaderMap {
    fn value(&self, name: &str) -> Option<&[u8]> {
        self.get(name)
            .map(actix_web::http::header::HeaderValue::as_bytes)
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
