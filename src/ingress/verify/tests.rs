#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
use super::*;
use crate::manifest::model::{Encoding, HashAlgorithm, SecretVariant};
use ::hmac::{Hmac, KeyInit, Mac};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use proptest::prelude::*;

const BODY: &[u8] = br#"{"id": 727, "name": "K\u0101rlis"}"#;

fn verify(encoding: Encoding, prefix: Option<&str>, variants: &[SecretVariant]) -> Verify {
    Verify::Hmac {
        algorithm: HashAlgorithm::Sha256,
        header: "X-Signature".into(),
        encoding,
        prefix: prefix.map(str::to_owned),
        secret: "webhook_secret".into(),
        secret_variants: variants.to_vec(),
    }
}
fn credentials(pairs: &[(&str, &str)]) -> BTreeMap<String, SecretString> {
    pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), SecretString::from((*v).to_owned())))
        .collect()
}
fn mac(secret: &str, body: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    mac.finalize().into_bytes().to_vec()
}
fn header(value: &str) -> Vec<(String, String)> {
    vec![("X-Signature".into(), value.into())]
}

#[test]
fn a_good_signature_passes_and_any_other_does_not() {
    let v = Verifier::prepare(
        &verify(Encoding::Base64, None, &[]),
        &Map::new(),
        &credentials(&[("webhook_secret", "s3cret")]),
        Timestamp::UNIX_EPOCH,
    );
    let good = BASE64_STANDARD.encode(mac("s3cret", BODY));
    assert_eq!(v.check(&header(&good), BODY), Ok(()));
    let unpadded = BASE64_STANDARD_NO_PAD.encode(mac("s3cret", BODY));
    assert_eq!(v.check(&header(&unpadded), BODY), Ok(()));
    assert_eq!(v.check(&header(&good), b"{}"), Err(Refusal::Mismatch));
    let other = BASE64_STANDARD.encode(mac("other", BODY));
    assert_eq!(v.check(&header(&other), BODY), Err(Refusal::Mismatch));
    assert_eq!(v.check(&header("***"), BODY), Err(Refusal::Malformed));
    assert_eq!(v.check(&header(""), BODY), Err(Refusal::Mismatch));
    assert_eq!(
        v.check(&header(&"A".repeat(4096)), BODY),
        Err(Refusal::Malformed)
    );
    assert_eq!(v.check(&Vec::new(), BODY), Err(Refusal::Missing));
    // A prefix of the right digest is not enough.
    let short = BASE64_STANDARD.encode(&mac("s3cret", BODY)[..16]);
    assert_eq!(v.check(&header(&short), BODY), Err(Refusal::Mismatch));
}

#[test]
fn hex_with_a_prefix() {
    let v = Verifier::prepare(
        &verify(Encoding::Hex, Some("sha256="), &[]),
        &Map::new(),
        &credentials(&[("webhook_secret", "s3cret")]),
        Timestamp::UNIX_EPOCH,
    );
    let good = hex::encode(mac("s3cret", BODY));
    assert_eq!(v.check(&header(&format!("sha256={good}")), BODY), Ok(()));
    assert_eq!(v.check(&header(&good), BODY), Err(Refusal::Malformed));
    assert_eq!(
        v.check(&header(&format!("sha256={good}0")), BODY),
        Err(Refusal::Malformed)
    );
}

#[test]
fn the_previous_secret_still_passes_and_forms_of_the_secret_do() {
    let v = Verifier::prepare(
        &verify(
            Encoding::Base64,
            None,
            &[SecretVariant::HtmlDecoded, SecretVariant::HtmlEncoded],
        ),
        &Map::new(),
        &credentials(&[
            ("webhook_secret", "a&b\""),
            ("webhook_secret_previous", "old&amp;one"),
        ]),
        Timestamp::UNIX_EPOCH,
    );
    for signer in ["a&b\"", "a&amp;b&quot;", "old&amp;one", "old&one"] {
        let good = BASE64_STANDARD.encode(mac(signer, BODY));
        assert_eq!(v.check(&header(&good), BODY), Ok(()), "{signer}");
    }
}

#[test]
fn without_a_secret_everything_is_refused() {
    for set in [credentials(&[]), credentials(&[("webhook_secret", "")])] {
        let v = Verifier::prepare(
            &verify(Encoding::Base64, None, &[]),
            &Map::new(),
            &set,
            Timestamp::UNIX_EPOCH,
        );
        let empty_key = BASE64_STANDARD.encode(mac("", BODY));
        assert_eq!(v.check(&header(&empty_key), BODY), Err(Refusal::NoSecret));
    }
}

#[test]
fn keys_are_not_shown() {
    let v = Verifier::prepare(
        &verify(Encoding::Base64, None, &[]),
        &Map::new(),
        &credentials(&[("webhook_secret", "s3cret")]),
        Timestamp::UNIX_EPOCH,
    );
    assert!(!format!("{v:?}").contains("s3cret"));
}

proptest! {
    #[test]
    fn no_header_text_panics_or_passes(text in ".{0,200}", body in prop::collection::vec(any::<u8>(), 0..64)) {
        for encoding in [Encoding::Base64, Encoding::Hex] {
            let v = Verifier::prepare(&verify(encoding, None, &[]), &Map::new(), &credentials(&[("webhook_secret", "s3cret")]), Timestamp::UNIX_EPOCH);
            prop_assert!(v.check(&header(&text), &body).is_err());
        }
    }
}

#[test]
fn a_former_secret_ends() {
    let set = credentials(&[
        ("webhook_secret", "new"),
        ("webhook_secret_previous", "old"),
        ("webhook_secret_previous_until", "2026-11-24T08:00:00Z"),
    ]);
    let at = |now: &str| {
        let kind = verify(Encoding::Base64, None, &[]);
        Verifier::prepare(&kind, &Map::new(), &set, now.parse().unwrap())
    };
    let old = header(&BASE64_STANDARD.encode(mac("old", BODY)));
    let new = header(&BASE64_STANDARD.encode(mac("new", BODY)));
    assert_eq!(at("2026-11-24T07:59:59Z").check(&old, BODY), Ok(()));
    let after = at("2026-11-24T08:00:00Z");
    assert_eq!(after.check(&old, BODY), Err(Refusal::Mismatch));
    assert_eq!(after.check(&new, BODY), Ok(()));
}
