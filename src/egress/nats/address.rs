//! Addresses of brokers: `nats://host:port/SUBJECT-PREFIX`, or `tls://…`.
//!
//! What always holds: an address has no credentials in it, and a prefix that is good for a subject:
//! nothing in it is a wildcard or the server's own.

use url::{Host, Url};

/// Where NATS listens when nothing else is said.
const PORT: u16 = 4222;
/// Characters of a prefix.
const MAX_PREFIX: usize = 200;

/// A broker, and under which subjects events are published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Whether TLS is required, not only taken where the server wants it.
    pub tls: bool,
    /// A name or an address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// What every subject begins with.
    pub prefix: String,
}

/// Whether this address of a subscription names a broker.
pub fn is_broker(url: &str) -> bool {
    let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
    ["nats", "tls"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known))
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let wanted = "an address such as nats://broker.example:4222/crossdock is wanted";
        let url = Url::parse(text).map_err(|_| wanted)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("user and password do not belong into an address: give `credentials`");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("a broker's address has no ? or # part");
        }
        let host = match url.host().ok_or(wanted)? {
            Host::Domain(name) => name.to_owned(),
            Host::Ipv4(v4) => v4.to_string(),
            Host::Ipv6(v6) => v6.to_string(),
        };
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        if host.is_empty() || !host.chars().all(named) {
            return Err(wanted);
        }
        let prefix = url.path().trim_start_matches('/');
        check_prefix(prefix)?;
        Ok(Self {
            tls: url.scheme() == "tls",
            host,
            port: url.port().unwrap_or(PORT),
            prefix: prefix.to_owned(),
        })
    }

    /// The server without the prefix.
    pub fn server(&self) -> String {
        let scheme = if self.tls { "tls" } else { "nats" };
        if self.host.contains(':') {
            format!("{scheme}://[{}]:{}", self.host, self.port)
        } else {
            format!("{scheme}://{}:{}", self.host, self.port)
        }
    }

    /// The address in the one way that it is written.
    pub fn text(&self) -> String {
        format!("{}/{}", self.server(), self.prefix)
    }
}

fn check_prefix(prefix: &str) -> Result<(), &'static str> {
    let good = |token: &str| {
        let sign = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        !token.is_empty() && token.chars().all(sign)
    };
    if prefix.is_empty() {
        return Err("a subject's prefix is wanted after the port: nats://broker.example/crossdock");
    }
    if prefix.len() > MAX_PREFIX || !prefix.split('.').all(good) || prefix.starts_with("_INBOX") {
        return Err("a prefix is up to 200 of a-z, A-Z, 0-9, - and _, parted by single dots");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        for (text, written) in [
            ("nats://broker.example/wh", "nats://broker.example:4222/wh"),
            (
                "TLS://broker.example:4443/eu.wh-1",
                "tls://broker.example:4443/eu.wh-1",
            ),
            ("nats://[2001:db8::1]:1/a_b", "nats://[2001:db8::1]:1/a_b"),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!(address.text(), written);
            assert!(is_broker(text));
            assert_eq!(address.tls, written.starts_with("tls"));
        }
        assert!(!is_broker("https://nats.example/"));
    }

    #[test]
    fn what_is_no_good_address_is_told() {
        for bad in [
            "nats://broker.example",
            "nats://broker.example/",
            "nats:///wh",
            "nats://broker.example/a..b",
            "nats://broker.example/.a",
            "nats://broker.example/a.*",
            "nats://broker.example/a.%3E",
            "nats://broker.example/$JS.API",
            "nats://broker.example/_INBOX.a",
            "nats://broker.example/a/b",
            "nats://broker.example/a b",
            "nats://u:p@broker.example/a",
            "nats://broker.example/a?x=1",
            "nats://broker.example/a#x",
            "nats://a%20b/a",
        ] {
            assert!(Address::parse(bad).is_err(), "{bad}");
        }
    }
}
