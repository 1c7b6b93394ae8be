#![allow(clippy::indexing_slicing, clippy::unwrap_used)]
use super::*;
use crate::manifest::model::OauthPlace;
use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use std::collections::BTreeMap;
use url::Url;

fn credentials() -> Credentials {
    [("user", "us:er"), ("key", "ck_1 é"), ("secret", "cs_2")]
        .into_iter()
        .map(|(n, v)| (n.to_owned(), v.into()))
        .collect()
}

fn request(url: &str) -> PlannedRequest {
    PlannedRequest::new(
        Method::GET,
        Url::parse(url).unwrap(),
        HeaderMap::new(),
        Bytes::new(),
    )
}

fn signing() -> Signing {
    Signing {
        now: Timestamp::from_second(1_700_000_000).unwrap(),
        nonce: "abc".into(),
    }
}

fn applied(kind: &AuthKind, url: &str) -> Result<PlannedRequest, AuthError> {
    let mut request = request(url);
    apply(kind, &credentials(), &signing(), &mut request).map(|()| request)
}

#[test]
fn headers_are_set_and_masked() {
    let basic = AuthKind::Basic {
        username: "Aladdin".into(),
        password: "open sesame".into(),
    };
    let sent = applied(&basic, "https://a.example/").unwrap();
    // RFC 7617 §2
    assert_eq!(
        sent.headers["authorization"],
        "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    );
    assert_eq!(sent.masked()["headers"]["authorization"], "Basic ***");

    let sent = applied(
        &AuthKind::Bearer {
            token: "{secret}".into(),
        },
        "https://a.example/",
    )
    .unwrap();
    assert_eq!(sent.headers["authorization"], "Bearer cs_2");
    assert_eq!(sent.masked()["headers"]["authorization"], "Bearer ***");

    let headers = BTreeMap::from([("X-Api-Key".to_owned(), "k={secret}".to_owned())]);
    let sent = applied(&AuthKind::Header { headers }, "https://a.example/").unwrap();
    assert_eq!(sent.headers["x-api-key"], "k=cs_2");
    assert_eq!(sent.masked()["headers"]["x-api-key"], "***");
}

#[test]
fn query_parameters_are_encoded_and_masked() {
    let params = BTreeMap::from([("consumer_key".to_owned(), "{key}".to_owned())]);
    let sent = applied(&AuthKind::Query { params }, "https://a.example/o?page=1").unwrap();
    assert_eq!(
        sent.url.as_str(),
        "https://a.example/o?page=1&consumer_key=ck_1%20%C3%A9"
    );
    assert_eq!(
        sent.masked_url(),
        "https://a.example/o?page=1&consumer_key=***"
    );
}

#[test]
fn errors_name_the_field_and_show_no_value() {
    let missing = applied(
        &AuthKind::Bearer {
            token: "{token}".into(),
        },
        "https://a.example/",
    )
    .unwrap_err();
    assert_eq!(missing.to_string(), "the credential `token` is not set");
    let headers = BTreeMap::from([("X-Key".to_owned(), "{secret}\r\nX-Evil: 1".to_owned())]);
    let refused = applied(&AuthKind::Header { headers }, "https://a.example/").unwrap_err();
    assert_eq!(refused, AuthError::Header("X-Key".into()));
    assert!(!refused.to_string().contains("cs_2"));
}

#[test]
fn the_base_string_is_that_of_rfc_5849() {
    // §3.4.1.1, parameters of §3.4.1.3.1
    let params: Vec<_> = [
        ("b5", "=%3D"),
        ("a3", "a"),
        ("c@", ""),
        ("a2", "r b"),
        ("oauth_consumer_key", "9djdj82h48djs9d2"),
        ("oauth_token", "kkk9d7dh3k39sjv7"),
        ("oauth_signature_method", "HMAC-SHA1"),
        ("oauth_timestamp", "137131201"),
        ("oauth_nonce", "7d8f3e4a"),
        ("c2", ""),
        ("a3", "2 q"),
    ]
    .into_iter()
    .map(|(n, v)| (n.to_owned(), v.to_owned()))
    .collect();
    let base = oauth1::base_string(
        "POST",
        &Url::parse("http://EXAMPLE.COM:80/request").unwrap(),
        &params,
    );
    assert_eq!(
        base,
        "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D\
         %26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1\
         %26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
    );
    // The signature that the tests of the Python library oauthlib publish for this base string.
    assert_eq!(
        oauth1::sign(
            &base,
            "ECrDNoq1VYzzzzzzzzzyAK7TwZNtPnkqatqZZZZ",
            "just-a-string    asdasd"
        ),
        "wdfdHUKXHbOnOGZP8WFAWMSAmWzN3EVBWWgXGlC/Eo4="
    );
}

#[test]
fn oauth1_signs_query_and_form() {
    let kind = AuthKind::Oauth1 {
        consumer_key: "{key}".into(),
        consumer_secret: "{secret}".into(),
        token: None,
        token_secret: None,
        place: OauthPlace::Query,
    };
    let sent = applied(&kind, "http://a.example/o?status=a&status=b%2Bc").unwrap();
    assert_eq!(
        sent.masked_url(),
        "http://a.example/o?status=a&status=b%2Bc&oauth_consumer_key=***&oauth_nonce=***\
         &oauth_signature_method=HMAC-SHA256&oauth_timestamp=***&oauth_signature=***"
    );
    let signature = |sent: &PlannedRequest| sent.url.query_pairs().last().unwrap().1.into_owned();
    let params: Vec<(String, String)> = sent
        .url
        .query_pairs()
        .into_owned()
        .filter(|(name, _)| name != "oauth_signature")
        .collect();
    assert_eq!(
        signature(&sent),
        oauth1::sign(&oauth1::base_string("GET", &sent.url, &params), "cs_2", "")
    );

    let mut form = request("http://a.example/o?status=a&status=b%2Bc");
    form.headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/x-www-form-urlencoded"),
    );
    form.body = Bytes::from_static(b"x=1");
    apply(&kind, &credentials(), &signing(), &mut form).unwrap();
    assert_ne!(signature(&form), signature(&sent));
}

#[test]
fn a_signature_covers_the_parts_that_are_named() {
    use crate::manifest::model::{Encoding, HashAlgorithm, SignedPart};
    let kind = AuthKind::Sign {
        algorithm: HashAlgorithm::Sha256,
        secret: "{secret}".into(),
        parts: vec![
            SignedPart::Method,
            SignedPart::Target,
            SignedPart::Timestamp,
            SignedPart::Body,
        ],
        joiner: "\n".into(),
        encoding: Encoding::Hex,
        header: "X-Signature".into(),
        prefix: "v1=".into(),
        timestamp_header: Some("X-Timestamp".into()),
    };
    let signed = |body: &'static str| {
        let mut sent = request("https://a.example/index.php?call=stock&at=10%3A00");
        sent.body = Bytes::from_static(body.as_bytes());
        apply(&kind, &credentials(), &signing(), &mut sent).unwrap();
        sent
    };
    let sent = signed("[1]");
    assert_eq!(sent.headers["x-timestamp"], "1700000000");
    // printf 'GET\n/index.php?call=stock&at=10%%3A00\n1700000000\n[1]' | openssl dgst -sha256 -hmac cs_2
    assert_eq!(
        sent.headers["x-signature"],
        "v1=1ffffceedfd9e084fac35b592789459aaae26d9daaa2879a227dc2f66fe8c90f"
    );
    assert_eq!(sent.masked()["headers"]["x-signature"], "***");
    assert_eq!(sent.masked()["headers"]["x-timestamp"], "***");
    assert_ne!(
        sent.headers["x-signature"],
        signed("[2]").headers["x-signature"]
    );
}

#[test]
fn oauth1_signs_with_a_token_in_the_header() {
    let kind = AuthKind::Oauth1 {
        consumer_key: "{key}".into(),
        consumer_secret: "{secret}".into(),
        token: Some("{user}".into()),
        token_secret: Some("t&s".into()),
        place: OauthPlace::Header,
    };
    let url = "https://a.example/V1/orders?filter%5B0%5D=2026-01-01%2010%3A00";
    let sent = applied(&kind, url).unwrap();
    assert_eq!(sent.url.as_str(), url, "nothing is added to the query");
    let mut params: Vec<(String, String)> = sent.url.query_pairs().into_owned().collect();
    for (name, value) in [
        ("oauth_consumer_key", "ck_1 é"),
        ("oauth_nonce", "abc"),
        ("oauth_signature_method", "HMAC-SHA256"),
        ("oauth_timestamp", "1700000000"),
        ("oauth_token", "us:er"),
        ("oauth_version", "1.0"),
    ] {
        params.push((name.into(), value.into()));
    }
    let base = oauth1::base_string("GET", &sent.url, &params);
    let signature = crate::operation::join::encode(&oauth1::sign(&base, "cs_2", "t&s"));
    assert_eq!(
        sent.headers["authorization"].to_str().unwrap(),
        format!(
            "OAuth oauth_consumer_key=\"ck_1%20%C3%A9\", oauth_nonce=\"abc\", \
             oauth_signature_method=\"HMAC-SHA256\", oauth_timestamp=\"1700000000\", \
             oauth_token=\"us%3Aer\", oauth_version=\"1.0\", oauth_signature=\"{signature}\""
        )
    );
    assert_eq!(sent.masked()["headers"]["authorization"], "***");
}
