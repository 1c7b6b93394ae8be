//! URLs: the base URL of a connection, the path of a step, the query.
//!
//! What always holds: the base URL (the connection's, or the one that a step names for itself)
//! keeps its path; no path leaves the base URL's host or climbs above its path, whatever data went
//! into it; names and values of a query are percent-encoded as RFC 3986 says (a space is `%20`,
//! never `+`).

use super::value::{key, kind, scalar};
use jaq_json::Val;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::Url;

/// Everything but RFC 3986's unreserved characters is encoded.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A URL that cannot be built. Names what is wrong, never the data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// The base URL is none.
    #[error("the base URL is not an http or https address without user, query and fragment")]
    Base,
    /// The path cannot be one.
    #[error("the path {0}")]
    Path(&'static str),
    /// An absolute URL on another host.
    #[error("the URL leads to another host than the base URL")]
    OtherHost,
    /// The query is no object of texts, numbers, booleans, nulls and arrays of them.
    #[error("the query {0}")]
    Query(String),
}

/// Percent-encodes a name or value.
pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// Reads a base URL. A slash at its end makes no difference.
pub fn base(text: &str) -> Result<Url, UrlError> {
    let url = Url::parse(text.trim()).map_err(|_| UrlError::Base)?;
    let plain = url.username().is_empty()
        && url.password().is_none()
        && url.fragment().is_none()
        && url.query().is_none();
    if matches!(url.scheme(), "http" | "https") && url.host().is_some() && plain {
        Ok(url)
    } else {
        Err(UrlError::Base)
    }
}

/// The URL of a step: `path` below the base URL, or an absolute URL on its host.
pub fn join(base: &Url, path: &str) -> Result<Url, UrlError> {
    check(path)?;
    if path.starts_with("http://") || path.starts_with("https://") {
        return on_host(base, path);
    }
    let (path, query) = path
        .split_once('?')
        .map_or((path, None), |(path, query)| (path, Some(query)));
    let root = base.path().trim_end_matches('/');
    let below = path.trim_start_matches('/');
    let mut url = base.clone();
    url.set_path(&if below.is_empty() {
        root.to_owned()
    } else {
        format!("{root}/{below}")
    });
    url.set_query(query);
    let inside = url
        .path()
        .strip_prefix(root)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if inside && url.host() == base.host() {
        Ok(url)
    } else {
        Err(UrlError::Path("leads out of the base URL"))
    }
}

/// An absolute URL (a `next` link, a location) is taken when it stays on the host. Scheme and port
/// become the base URL's: servers behind a proxy print `http://` in their own links.
fn on_host(base: &Url, text: &str) -> Result<Url, UrlError> {
    let url = Url::parse(text).map_err(|_| UrlError::Path("is not a URL"))?;
    let plain = url.username().is_empty() && url.password().is_none();
    let same_port = url.port_or_known_default() == base.port_or_known_default();
    let proxied = url.port().is_none() && base.port().is_none() && url.scheme() != base.scheme();
    if !plain || url.host() != base.host() || !(same_port || proxied) {
        return Err(UrlError::OtherHost);
    }
    let mut joined = base.clone();
    joined.set_path(url.path());
    joined.set_query(url.query());
    Ok(joined)
}

/// Refuses what could only come from data in the wrong place.
fn check(path: &str) -> Result<(), UrlError> {
    if path
        .chars()
        .any(|c| c.is_control() || c.is_whitespace() || matches!(c, '\\' | '#'))
    {
        return Err(UrlError::Path(
            "has a character that must be percent-encoded",
        ));
    }
    let before_query = path.split('?').next().unwrap_or(path);
    for segment in before_query.split('/') {
        let decoded = percent_decode_str(segment).decode_utf8_lossy();
        if decoded == "." || decoded == ".." {
            return Err(UrlError::Path("has a `.` or `..` segment"));
        }
        // jq writes an absent value as null: `/orders/null` is a bug, not an order.
        if segment == "null" {
            return Err(UrlError::Path("has a segment `null`: a value is missing"));
        }
    }
    Ok(())
}

/// Appends parameters to a URL's query.
pub fn append<'a>(url: &mut Url, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) {
    let mut query = url.query().unwrap_or("").to_owned();
    for (name, value) in pairs {
        if !query.is_empty() {
            query.push('&');
        }
        query.push_str(&encode(name));
        query.push('=');
        query.push_str(&encode(value));
    }
    url.set_query((!query.is_empty()).then_some(query.as_str()));
}

/// The pairs of a query (or form) object: nulls are left out, arrays repeat the name.
pub fn pairs(query: &Val) -> Result<Vec<(String, String)>, UrlError> {
    let map = match query {
        Val::Null => return Ok(Vec::new()),
        Val::Obj(map) => map,
        other => {
            return Err(UrlError::Query(format!(
                "must be an object, it is {}",
                kind(other)
            )));
        }
    };
    let mut pairs = Vec::with_capacity(map.len());
    for (name, member) in map.iter() {
        let name = key(name);
        match member {
            Val::Arr(items) => items
                .iter()
                .try_for_each(|item| push(&mut pairs, &name, item))?,
            one => push(&mut pairs, &name, one)?,
        }
    }
    Ok(pairs)
}

fn push(pairs: &mut Vec<(String, String)>, name: &str, member: &Val) -> Result<(), UrlError> {
    if matches!(member, Val::Null) {
        return Ok(());
    }
    let text = scalar(member)
        .ok_or_else(|| UrlError::Query(format!("has {} in `{name}`", kind(member))))?;
    pairs.push((name.to_owned(), text.into_owned()));
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::operation::value::from_json;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn the_base_url_keeps_its_path() {
        let cases = [
            (
                "https://a.example",
                "/v3/orders",
                "https://a.example/v3/orders",
            ),
            (
                "https://a.example/",
                "v3/orders",
                "https://a.example/v3/orders",
            ),
            (
                "https://a.example/shop/",
                "/v3/orders?x=1",
                "https://a.example/shop/v3/orders?x=1",
            ),
            (
                "https://a.example:8443/shop",
                "",
                "https://a.example:8443/shop",
            ),
            (
                "http://a.example/shop",
                "//evil.example/x",
                "http://a.example/shop/evil.example/x",
            ),
            (
                "https://a.example/shop",
                "/a@b.example/x",
                "https://a.example/shop/a@b.example/x",
            ),
            (
                "https://a.example/shop",
                "https://a.example/other?p=2",
                "https://a.example/other?p=2",
            ),
            (
                "https://a.example/shop",
                "http://a.example/shop?p=2",
                "https://a.example/shop?p=2",
            ),
            (
                "https://a.example",
                "/caf\u{e9}",
                "https://a.example/caf%C3%A9",
            ),
        ];
        for (start, path, expected) in cases {
            assert_eq!(
                join(&base(start).unwrap(), path).unwrap().as_str(),
                expected
            );
        }
    }

    #[test]
    fn a_path_cannot_leave_the_base_url() {
        let start = base("https://a.example/shop").unwrap();
        for path in [
            "/../x",
            "/a/%2e%2E/x",
            "/./x",
            "\\\\evil.example",
            "/a b",
            "/a#b",
            "/orders/null",
            "/orders/null/notes",
            "/a\n",
        ] {
            assert!(
                matches!(join(&start, path), Err(UrlError::Path(_))),
                "{path}"
            );
        }
        for url in [
            "https://evil.example/x",
            "https://a.example.evil.example/",
            "https://u:p@a.example/",
            "https://a.example:444/",
            "http://a.example:8080/",
        ] {
            assert_eq!(join(&start, url), Err(UrlError::OtherHost), "{url}");
        }
    }

    #[test]
    fn a_base_url_is_plain_http() {
        for text in [
            "ftp://a.example",
            "a.example",
            "https://u:p@a.example",
            "https://a.example/?x=1",
            "https://a.example/#x",
            "",
        ] {
            assert_eq!(base(text), Err(UrlError::Base), "{text}");
        }
    }

    #[test]
    fn nulls_are_left_out_and_arrays_repeat() {
        let query = from_json(
            &json!({"status": ["a", "b", null], "page": 2, "none": null, "q": "a b+c&d=é", "on": true, "f[x]": 1.50}),
        );
        let mut url = base("https://a.example/o").unwrap();
        let found = pairs(&query).unwrap();
        append(
            &mut url,
            found.iter().map(|(n, v)| (n.as_str(), v.as_str())),
        );
        assert_eq!(
            url.query().unwrap(),
            "status=a&status=b&page=2&q=a%20b%2Bc%26d%3D%C3%A9&on=true&f%5Bx%5D=1.5"
        );
        assert!(pairs(&from_json(&json!({"a": {"b": 1}}))).is_err());
        assert!(pairs(&from_json(&json!([1]))).is_err());
    }

    proptest! {
        #[test]
        fn whatever_the_path_the_host_stays(path in "\\PC{0,40}") {
            let start = base("https://a.example/shop").unwrap();
            if let Ok(url) = join(&start, &path) {
                prop_assert_eq!(url.host_str(), Some("a.example"));
                prop_assert_eq!(url.scheme(), "https");
                prop_assert!(url.username().is_empty());
            }
        }

        #[test]
        fn a_query_reads_back(pairs in proptest::collection::vec(("\\PC{1,10}", "\\PC{0,20}"), 0..5)) {
            let mut url = base("https://a.example/o").unwrap();
            append(&mut url, pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())));
            let read: Vec<_> = url.query_pairs().into_owned().collect();
            prop_assert_eq!(read, pairs);
        }
    }
}
