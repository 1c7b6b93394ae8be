//! The address guard: calls leave only towards the public Internet, whatever a merchant types
//! into a settings field and whatever a name server answers.
//!
//! What always holds: a literal address in a URL is judged before anything is sent; a name is
//! judged by the addresses that are then connected to (the resolver hands on only those that
//! passed), so that an answer that changes between check and use changes nothing. Everything
//! that is not known to be public is refused.

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use url::{Host, Url};

/// Looks a host name up. The system's resolver, or a test's.
#[async_trait]
pub trait Lookup: Send + Sync {
    /// The addresses of `host`; an error when there are none or the look-up failed.
    async fn lookup(&self, host: &str) -> std::io::Result<Vec<IpAddr>>;
}

/// The operating system's resolver.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemLookup;

#[async_trait]
impl Lookup for SystemLookup {
    async fn lookup(&self, host: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 0))
            .await?
            .map(|address| address.ip())
            .collect())
    }
}

/// The address is not a public one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the address is not a public one, and private addresses are not allowed")]
pub struct Blocked;

/// The name could not be resolved.
#[derive(Debug, thiserror::Error)]
#[error("the host name cannot be resolved")]
pub struct Unresolved;

/// True for addresses of the public Internet. Documentation, benchmark and transition ranges are
/// refused along with private ones: nothing that we should call lives there.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let refused = match (a, b, c) {
        (0 | 10 | 127, ..) => true,
        // CGNAT, some clouds' metadata
        (100, 64..=127, _) => true,
        // link-local, most clouds' metadata
        (169, 254, _) => true,
        (172, 16..=31, _) => true,
        // protocol assignments, documentation, 6to4 relays
        (192, 0, 0 | 2) | (192, 88, 99) => true,
        (192, 168, _) => true,
        (198, 18 | 19, _) | (198, 51, 100) | (203, 0, 113) => true,
        // multicast, reserved, broadcast
        (224..=255, ..) => true,
        _ => false,
    };
    !refused
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = address.segments();
    // NAT64 carries an IPv4 address: judged by that one.
    if (a, b, c, d, e, f) == (0x64, 0xff9b, 0, 0, 0, 0) {
        let [g1, g2] = g.to_be_bytes();
        let [h1, h2] = h.to_be_bytes();
        return is_public_v4(Ipv4Addr::new(g1, g2, h1, h2));
    }
    // Only 2000::/3 is global unicast: this leaves out loopback, unspecified, IPv4-mapped and
    // -compatible, unique local, link-local, site-local and multicast.
    if a & 0xe000 != 0x2000 {
        return false;
    }
    // Teredo and the other special 2001::/23, documentation, 6to4.
    let special = match a {
        0x2001 => b < 0x200 || b == 0xdb8,
        0x2002 => true,
        0x3fff => b < 0x1000,
        _ => false,
    };
    !special
}

/// Judges a URL that names a literal address. Names pass: the resolver judges them.
pub fn check_url(url: &Url, allow_private: bool) -> Result<(), Blocked> {
    let allowed = match url.host() {
        Some(Host::Ipv4(v4)) => allow_private || is_public_v4(v4),
        Some(Host::Ipv6(v6)) => allow_private || is_public_v6(v6),
        Some(Host::Domain(_)) => true,
        None => false,
    };
    if allowed { Ok(()) } else { Err(Blocked) }
}

/// The resolver of the HTTP client: it answers with public addresses only.
#[derive(Clone)]
pub struct GuardedResolver {
    lookup: Arc<dyn Lookup>,
    allow_private: bool,
}

impl GuardedResolver {
    /// Guards the answers of `lookup`.
    pub fn new(lookup: Arc<dyn Lookup>, allow_private: bool) -> Self {
        Self {
            lookup,
            allow_private,
        }
    }

    async fn addresses(
        &self,
        host: &str,
    ) -> Result<Vec<SocketAddr>, Box<dyn std::error::Error + Send + Sync>> {
        let found = self.lookup.lookup(host).await.map_err(|_| Unresolved)?;
        if found.is_empty() {
            return Err(Unresolved.into());
        }
        let allowed = found
            .into_iter()
            .filter(|address| self.allow_private || is_public(*address));
        // Port 0: the client puts the URL's port in.
        let sockets: Vec<_> = allowed.map(|address| SocketAddr::new(address, 0)).collect();
        if sockets.is_empty() {
            Err(Blocked.into())
        } else {
            Ok(sockets)
        }
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let this = self.clone();
        Box::pin(async move {
            let sockets = this.addresses(name.as_str()).await?;
            Ok(Box::new(sockets.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_public_addresses_pass() {
        let refused = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "100.100.100.200",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::8.8.8.8",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::8.8.8.8",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "100::1",
        ];
        for text in refused {
            assert!(!is_public(text.parse().unwrap()), "{text} must be refused");
        }
        let allowed = [
            "8.8.8.8",
            "100.63.0.1",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "193.0.0.1",
            "2606:4700:4700::1111",
            "2a02:6b8::1",
            "64:ff9b::8.8.8.8",
        ];
        for text in allowed {
            assert!(is_public(text.parse().unwrap()), "{text} must pass");
        }
    }

    #[test]
    fn literal_addresses_are_judged_in_every_spelling() {
        let refused = [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://[::1]/",
            "http://[::ffff:10.0.0.1]/",
            "https://169.254.169.254/latest/meta-data",
        ];
        for text in refused {
            let url = Url::parse(text).unwrap();
            assert_eq!(check_url(&url, false), Err(Blocked), "{text}");
            assert_eq!(check_url(&url, true), Ok(()), "{text}");
        }
        assert_eq!(
            check_url(&Url::parse("https://example.com/").unwrap(), false),
            Ok(())
        );
    }

    proptest! {
        #[test]
        fn what_the_standard_library_calls_private_is_never_public(bits: u32) {
            let address = Ipv4Addr::from_bits(bits);
            if address.is_private() || address.is_loopback() || address.is_link_local() || address.is_multicast()
                || address.is_broadcast() || address.is_unspecified() || address.is_documentation()
            {
                prop_assert!(!is_public_v4(address));
            }
            prop_assert!(!is_public_v6(address.to_ipv6_mapped()));
        }
    }
}
