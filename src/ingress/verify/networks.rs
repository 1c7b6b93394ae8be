//! Proof by the sender's address, for providers that sign nothing.
//!
//! What always holds: an address that cannot be told is a stranger's; `X-Forwarded-For` counts only
//! as far as the operator's own proxies wrote it: it is read from its end, and the first address
//! that is no proxy of ours is the sender's, whatever stands before it.

use super::Refusal;
use crate::ingress::Headers;
use std::net::IpAddr;

/// Who wrote a request on its way here, oldest first.
const FORWARDED: &str = "x-forwarded-for";

/// An address, or all addresses that begin alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    /// So many leading bits count.
    bits: u32,
}

impl Network {
    /// Reads `185.6.76.0/22`, `3.73.204.153`, `2a03:e40::/32`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= longest)?,
            None => longest,
        };
        Some(Self { address, bits })
    }

    /// Every network of a list with commas between. What cannot be read allows nobody.
    pub fn list(text: &str) -> Vec<Self> {
        text.split(',').filter_map(Self::parse).collect()
    }

    /// True for addresses in it. IPv4 written as IPv6 is IPv4.
    pub fn holds(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(other)) => {
                let shift = 32u32.saturating_sub(self.bits);
                let cut = |bits: u32| bits.checked_shr(shift).unwrap_or(0);
                cut(ours.to_bits()) == cut(other.to_bits())
            }
            (IpAddr::V6(ours), IpAddr::V6(other)) => {
                let shift = 128u32.saturating_sub(self.bits);
                let cut = |bits: u128| bits.checked_shr(shift).unwrap_or(0);
                cut(ours.to_bits()) == cut(other.to_bits())
            }
            _ => false,
        }
    }
}

/// The prepared check of one connection.
#[derive(Debug)]
pub struct IpVerifier {
    allowed: Vec<Network>,
    proxies: Vec<Network>,
}

impl IpVerifier {
    /// Senders from `allowed`, also behind `proxies`; both are lists with commas between.
    pub fn new(allowed: &str, proxies: &str) -> Self {
        Self {
            allowed: Network::list(allowed),
            proxies: Network::list(proxies),
        }
    }

    /// Checks where a request comes from.
    ///
    /// # Errors
    /// [`Refusal::Stranger`].
    pub fn check(&self, request: &dyn Headers) -> Result<(), Refusal> {
        let sender = self.sender(request).ok_or(Refusal::Stranger)?;
        match self.allowed.iter().any(|network| network.holds(sender)) {
            true => Ok(()),
            false => Err(Refusal::Stranger),
        }
    }

    fn sender(&self, request: &dyn Headers) -> Option<IpAddr> {
        let peer = request.peer()?.to_canonical();
        let ours = |address: IpAddr| self.proxies.iter().any(|proxy| proxy.holds(address));
        if !ours(peer) {
            return Some(peer);
        }
        // A proxy may write a line of its own below one that the sender made up.
        let lines = request.values(FORWARDED);
        let mut hops = Vec::new();
        for line in lines {
            hops.extend(std::str::from_utf8(line).ok()?.split(','));
        }
        for hop in hops.into_iter().rev() {
            let hop: IpAddr = hop.trim().parse().ok()?;
            if !ours(hop) {
                return Some(hop.to_canonical());
            }
        }
        Some(peer)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    struct Request(&'static str, Vec<&'static str>);
    impl Headers for Request {
        fn value(&self, name: &str) -> Option<&[u8]> {
            self.values(name).first().copied()
        }
        fn values(&self, name: &str) -> Vec<&[u8]> {
            match name == FORWARDED {
                true => self.1.iter().map(|line| line.as_bytes()).collect(),
                false => Vec::new(),
            }
        }
        fn peer(&self) -> Option<IpAddr> {
            self.0.parse().ok()
        }
    }

    #[test]
    fn networks_are_read_and_hold_their_addresses() {
        let network = Network::parse(" 185.6.76.0/22 ").unwrap();
        for (address, inside) in [
            ("185.6.76.0", true),
            ("185.6.79.255", true),
            ("185.6.80.0", false),
            ("::ffff:185.6.77.1", true),
            ("2a03:e40::1", false),
        ] {
            assert_eq!(network.holds(address.parse().unwrap()), inside, "{address}");
        }
        let six = Network::parse("2a03:e40::/32").unwrap();
        assert!(six.holds("2a03:e40:ffff::9".parse().unwrap()));
        assert!(!six.holds("2a03:e41::9".parse().unwrap()));
        assert!(
            Network::parse("0.0.0.0/0")
                .unwrap()
                .holds("9.9.9.9".parse().unwrap())
        );
        for bad in ["", "shop.example", "10.0.0.0/33", "10.0.0.0/x", "::/129"] {
            assert_eq!(Network::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_sender_is_the_last_that_is_no_proxy_of_ours() {
        let verifier = IpVerifier::new("185.6.76.0/22,3.73.204.153", "10.0.0.0/8");
        let check =
            |peer, lines: &[&'static str]| verifier.check(&Request(peer, lines.to_vec())).is_ok();
        assert!(check("185.6.76.9", &[]));
        assert!(check("185.6.76.9", &["9.9.9.9"]), "nobody asked it");
        assert!(check("::ffff:3.73.204.153", &[]));
        assert!(!check("9.9.9.9", &["185.6.76.9"]), "made up by the sender");
        assert!(check("10.1.1.1", &["185.6.76.9"]));
        assert!(check("10.1.1.1", &["9.9.9.9, 185.6.76.9, 10.2.2.2"]));
        assert!(!check("10.1.1.1", &["185.6.76.9, 9.9.9.9"]), "made up");
        assert!(
            !check("10.1.1.1", &["185.6.76.9", "9.9.9.9"]),
            "a second line"
        );
        assert!(!check("10.1.1.1", &["185.6.76.9, unknown"]));
        assert!(!check("10.1.1.1", &[]), "the proxy says nothing");
        assert!(!check("", &["185.6.76.9"]), "an address that is not known");
        let nobody = IpVerifier::new("", "");
        assert!(nobody.check(&Request("185.6.76.9", vec![])).is_err());
    }
}
