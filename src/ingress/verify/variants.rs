//! Forms of a secret that a provider's own software may sign with: what was typed into a form is
//! sometimes stored with HTML entities and decoded before signing, or the other way round.

use crate::manifest::model::SecretVariant;
use secrecy::{ExposeSecret, SecretString};

/// The secret itself and its further forms, without repeats.
pub(super) fn of(secret: &SecretString, variants: &[SecretVariant]) -> Vec<SecretString> {
    let plain = secret.expose_secret();
    let mut forms = vec![secret.clone()];
    for variant in variants {
        let form = match variant {
            SecretVariant::HtmlDecoded => decode(plain),
            SecretVariant::HtmlEncoded => encode(plain),
        };
        if !forms.iter().any(|known| known.expose_secret() == form) {
            forms.push(SecretString::from(form));
        }
    }
    forms
}

/// The entities of the five special characters, with quotes, as web software writes them.
const ENTITIES: &[(&str, &str)] = &[
    ("&amp;", "&"),
    ("&#38;", "&"),
    ("&#038;", "&"),
    ("&#x26;", "&"),
    ("&lt;", "<"),
    ("&#60;", "<"),
    ("&#060;", "<"),
    ("&gt;", ">"),
    ("&#62;", ">"),
    ("&#062;", ">"),
    ("&quot;", "\""),
    ("&#34;", "\""),
    ("&#034;", "\""),
    ("&#x22;", "\""),
    ("&#39;", "'"),
    ("&#039;", "'"),
    ("&#x27;", "'"),
    ("&apos;", "'"),
];

/// One pass, so that `&amp;lt;` becomes `&lt;` and no more.
fn decode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, _)) = rest.split_once('&') {
        out.push_str(before);
        let at = rest.get(before.len()..).unwrap_or_default();
        match ENTITIES.iter().find(|(entity, _)| at.starts_with(entity)) {
            Some((entity, plain)) => {
                out.push_str(plain);
                rest = at.get(entity.len()..).unwrap_or_default();
            }
            None => {
                out.push('&');
                rest = at.get(1..).unwrap_or_default();
            }
        }
    }
    out.push_str(rest);
    out
}

fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#039;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities_are_decoded_once() {
        assert_eq!(decode("a&amp;lt;b&#039;c&d"), "a&lt;b'c&d");
        assert_eq!(decode("&"), "&");
        assert_eq!(encode("a&<>\"'ž"), "a&amp;&lt;&gt;&quot;&#039;ž");
    }
}
