//! Requests that are no deliveries: a provider's ping or challenge, answered without proof.
//!
//! What always holds: a challenge is recognised by shape alone and answered with constants of the
//! manifest, never with anything the request said; it is not stored.

use super::Headers;
use crate::manifest::model::Challenge;
use bytes::Bytes;
use regex::Regex;

/// The longest body that can be a challenge.
const LONGEST: usize = 1024;

/// A challenge of a manifest, ready to be compared.
#[derive(Debug)]
pub struct PreparedChallenge {
    without_header: Option<String>,
    content_type: Option<String>,
    body: Option<Regex>,
    /// The reply's status.
    pub status: u16,
    /// The reply's body.
    pub reply: Bytes,
}

impl PreparedChallenge {
    /// Prepares one; `None` when its expression is none (the lint says so when the folder is
    /// loaded) or when it has no condition at all, which would answer every request unproved.
    pub fn prepare(challenge: &Challenge) -> Option<Self> {
        let body = match &challenge.body {
            Some(text) => Some(Regex::new(&format!(r"\A(?:{text})\z")).ok()?),
            None => None,
        };
        if challenge.without_header.is_none() && body.is_none() {
            return None;
        }
        Some(Self {
            without_header: challenge
                .without_header
                .as_ref()
                .map(|h| h.to_ascii_lowercase()),
            content_type: challenge
                .content_type
                .as_ref()
                .map(|t| t.to_ascii_lowercase()),
            body,
            status: challenge.status,
            reply: Bytes::from(challenge.reply.clone().unwrap_or_default()),
        })
    }

    /// True when the request is this challenge: every condition holds.
    pub fn fits(&self, headers: &dyn Headers, body: &[u8]) -> bool {
        if body.len() > LONGEST {
            return false;
        }
        if let Some(name) = &self.without_header
            && headers.value(name).is_some()
        {
            return false;
        }
        if let Some(start) = &self.content_type {
            let told = headers.text("content-type").unwrap_or_default();
            let fits = told
                .get(..start.len())
                .is_some_and(|t| t.eq_ignore_ascii_case(start));
            if !fits {
                return false;
            }
        }
        match &self.body {
            Some(regex) => std::str::from_utf8(body).is_ok_and(|text| regex.is_match(text)),
            None => true,
        }
    }
}
