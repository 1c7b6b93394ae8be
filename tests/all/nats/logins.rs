//! Every way to be known to a broker, wrong and then right; and credentials that change.

use super::*;
use crate::support::broker::Login;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nkeys::KeyPair;

/// New credentials of a subscription.
async fn change_credentials(house: &House, subscription: &Value, credentials: Value) -> Value {
    let path = secret_path(subscription);
    let body = json!({"credentials": credentials});
    house.gateway.post(&path, body).await
}

fn secret_path(subscription: &Value) -> String {
    let id = subscription["id"].as_str().unwrap();
    format!("/v1/subscriptions/{id}/secret")
}

/// The wrong credentials are said to be; the right ones, given to the subscription, drain it. What
/// is secret of them is shown nowhere.
async fn are_known(setup: Setup, wrong: Login, secrets: &[&str]) {
    let right = setup.login.credentials();
    let house = start(setup).await;
    house.broker.make_stream(-1).await;
    let wrong = json!({"credentials": wrong.credentials()});
    let subscription = subscribe(&house, wrong).await;
    change(&house, 1..3, 0).await;
    fails(&house, &subscription, "the broker refuses the credentials").await;
    let changed = change_credentials(&house, &subscription, right).await;
    assert_eq!(changed["secret"], Value::Null);
    all_is_there(&house).await;
    let shown = house.gateway.get("/v1/subscriptions").await.to_string();
    let audit = house.gateway.get("/v1/audit").await.to_string();
    assert!(audit.contains("subscription.secret"));
    let data = house.data.path().to_owned();
    assert!(house.gateway.stop().await.success());
    let log = std::fs::read_to_string(data.join("log")).unwrap();
    for text in [
        subscription.to_string(),
        changed.to_string(),
        shown,
        audit,
        log,
    ] {
        assert!(!secrets.iter().any(|secret| text.contains(secret)));
        assert!(!text.contains("Παππά"));
    }
}

#[tokio::test]
async fn a_user_with_a_password() {
    let right = Login::user("gw", "right-word");
    let setup = Setup::args(&["--user", "gw", "--pass", "right-word"], right);
    are_known(setup, Login::user("gw", "wrong-word"), &["-word"]).await;
}

#[tokio::test]
async fn a_token() {
    let right = Login::Token("right-word".into());
    let setup = Setup::args(&["--auth", "right-word"], right);
    are_known(setup, Login::Token("wrong-word".into()), &["-word"]).await;
}

#[tokio::test]
async fn an_nkey() {
    let (key, other) = (KeyPair::new_user(), KeyPair::new_user());
    let (seed, wrong) = (key.seed().unwrap(), other.seed().unwrap());
    let public = key.public_key();
    let conf = format!("authorization {{ users: [ {{nkey: {public}}} ] }}");
    let setup = Setup::conf(conf, Login::Nkey(seed.clone()));
    are_known(setup, Login::Nkey(wrong.clone()), &[&seed, &wrong]).await;
}

/// A claim of NATS, signed: what `nsc` makes.
fn jwt(issuer: &KeyPair, subject: &KeyPair, nats: Value) -> String {
    let claims = json!({
        "jti": "made-up", "iat": 1_800_000_000, "name": "crossdock-test",
        "iss": issuer.public_key(), "sub": subject.public_key(), "nats": nats,
    });
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let head = part(json!({"typ": "JWT", "alg": "ed25519-nkey"}));
    let signed = format!("{head}.{}", part(claims));
    let signature = issuer.sign(signed.as_bytes()).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// The text of a credentials file.
fn creds(account: &KeyPair, user: &KeyPair) -> String {
    let limits = json!({"type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1});
    let (jwt, seed) = (jwt(account, user, limits), user.seed().unwrap());
    format!(
        "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    )
}

fn account_claim(jetstream: i64) -> Value {
    json!({"type": "account", "version": 2, "limits": {
        "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true,
        "conn": -1, "leaf": -1,
        "mem_storage": jetstream, "disk_storage": jetstream, "streams": jetstream, "consumer": jetstream,
    }})
}

#[tokio::test]
async fn a_credentials_file() {
    let operator = KeyPair::new_operator();
    let (account, system) = (KeyPair::new_account(), KeyPair::new_account());
    let (user, stranger) = (KeyPair::new_user(), KeyPair::new_user());
    let conf = format!(
        "operator: {}\nsystem_account: {}\nresolver: MEMORY\nresolver_preload: {{ {}: {}, {}: {} }}",
        jwt(
            &operator,
            &operator,
            json!({"type": "operator", "version": 2})
        ),
        system.public_key(),
        account.public_key(),
        jwt(&operator, &account, account_claim(-1)),
        system.public_key(),
        jwt(&operator, &system, account_claim(0)),
    );
    let right = creds(&account, &user);
    // Signed by an account that the server does not know.
    let wrong = creds(&KeyPair::new_account(), &stranger);
    let secrets = [user.seed().unwrap(), stranger.seed().unwrap()];
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
    let setup = Setup::conf(conf, Login::Creds(right));
    are_known(setup, Login::Creds(wrong), &secrets).await;
}

#[tokio::test]
async fn credentials_change_while_the_broker_changes_them() {
    let setup = |word: &str| {
        let args = ["--user", "gw", "--pass", word];
        Setup::args(&args, Login::user("gw", word))
    };
    let mut house = start(setup("first-word")).await;
    house.broker.make_stream(-1).await;
    let first = Login::user("gw", "first-word").credentials();
    let subscription = subscribe(&house, json!({"credentials": first})).await;
    change(&house, 1..4, 0).await;
    house.broker.read(3).await;
    let dead = house.broker.kill().await;
    house.broker = dead.start_as(setup("second-word")).await;
    change(&house, 1..4, 1).await;
    fails(&house, &subscription, "the broker refuses the credentials").await;
    let second = Login::user("gw", "second-word").credentials();
    change_credentials(&house, &subscription, second).await;
    all_is_there(&house).await;
}

#[tokio::test]
async fn what_is_no_change_of_secret_is_refused() {
    let house = start(Setup::default()).await;
    let broker = subscribe(&house, json!({})).await;
    let webhook = json!({"url": "http://127.0.0.1:9/in"});
    let webhook = house.gateway.post("/v1/subscriptions", webhook).await;
    let token = json!({"token": "made-up-word"});
    for (subscription, body) in [
        (&broker, json!({})),
        (&broker, json!({"credentials": token, "former_hours": 1})),
        (&broker, json!({"credentials": {"user": "gw"}})),
        (&webhook, json!({"credentials": token})),
    ] {
        let path = secret_path(subscription);
        let answer = house.gateway.try_call("POST", &path, Some(body)).await;
        let answer = answer.unwrap();
        assert_eq!(answer.status, 422, "{}", answer.json);
        assert!(!answer.json.to_string().contains("-word"));
    }
    // Refused as a whole: it is still nobody in particular.
    house.broker.make_stream(-1).await;
    change(&house, 1..3, 0).await;
    all_is_there(&house).await;
}
