//! What is refused at the door, and what is let in and cannot be read: the real binary, real HTTP.

use super::listen::ledger_balances;
use super::support::{Gateway, orders};

#[tokio::test]
async fn what_is_not_good_is_refused_and_what_cannot_be_mapped_is_kept_and_retried() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path(), &[]).await;
    let (connection, hook) = gateway.shop("http://127.0.0.1:9", "active").await;
    let post = |path: String, signature: Option<String>, body: Vec<u8>| {
        let mut request = gateway
            .http
            .post(gateway.url(&path))
            .header("x-wc-webhook-topic", "order.created");
        if let Some(signature) = signature {
            request = request.header("x-wc-webhook-signature", signature);
        }
        request.body(body).send()
    };
    let body = orders::order(1, 0).to_string();
    let wrong = orders::sign("another secret", &body);
    assert_eq!(
        post(hook.clone(), Some(wrong), body.clone().into_bytes())
            .await
            .unwrap()
            .status(),
        401
    );
    assert_eq!(
        post(hook.clone(), None, body.clone().into_bytes())
            .await
            .unwrap()
            .status(),
        401
    );
    let unknown = "/hooks/con_00000000000070008000000000000000".to_owned();
    assert_eq!(post(unknown, None, Vec::new()).await.unwrap().status(), 404);
    let large = vec![b' '; 5 * 1024 * 1024 + 1];
    assert_eq!(
        post(hook.clone(), Some("x".into()), large)
            .await
            .unwrap()
            .status(),
        413
    );
    let ping = gateway
        .http
        .post(gateway.url(&hook))
        .header("content-type", "application/x-www-form-urlencoded")
        .body("webhook_id=15");
    assert_eq!(ping.send().await.unwrap().status(), 200);
    let ledger = gateway.get("/v1/ledger").await;
    assert!(
        ledger["data"]
            .as_array()
            .unwrap()
            .iter()
            .all(|line| line["received"] == 0),
        "nothing is stored: {ledger}"
    );

    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    let broken = [
        body[..200].to_owned(),
        deep,
        "{\"id\": 1e999999}".into(),
        "\u{1}".into(),
        "{\"id\":{}}".into(),
    ];
    for text in &broken {
        assert_eq!(
            gateway.webhook(&hook, text).await,
            Some(200),
            "authenticated, hence kept"
        );
    }
    let mut invalid = b"{\"id\":\"".to_vec();
    invalid.extend([0xff, 0xfe]);
    invalid.extend(b"\"}");
    let mut mac = <hmac::Hmac<sha2::Sha256> as hmac::KeyInit>::new_from_slice(
        super::support::gateway::SECRET.as_bytes(),
    )
    .unwrap();
    hmac::Mac::update(&mut mac, &invalid);
    let signature = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        hmac::Mac::finalize(mac).into_bytes(),
    );
    assert_eq!(
        post(hook.clone(), Some(signature), invalid)
            .await
            .unwrap()
            .status(),
        200
    );
    gateway.settled(&hook).await;
    let ledger = ledger_balances(&gateway).await;
    assert_eq!(ledger["data"][0]["received"], 7, "{ledger}");
    assert_eq!(ledger["data"][0]["problem"], 6, "{ledger}");
    let problems = gateway
        .get(&format!(
            "/v1/problems?connection_id={connection}&status=open"
        ))
        .await;
    assert!(
        problems["data"]
            .as_array()
            .unwrap()
            .iter()
            .any(|p| p["class"] == "broken_contract")
    );
}
