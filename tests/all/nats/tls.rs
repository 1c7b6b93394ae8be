//! TLS towards a broker: whose certificate is taken, and what is said of the others.

use super::*;
use crate::support::broker::{Login, tls_file};

/// A subscription at this host over TLS.
async fn over_tls(house: &House, host: &str) -> Value {
    let port = house.broker.addr.port();
    subscribe(house, json!({"url": format!("tls://{host}:{port}/wh")})).await
}

/// A gateway that trusts the tests' authority.
async fn trusting(setup: Setup) -> House {
    start_with(setup, &[("SSL_CERT_FILE", &tls_file("ca.pem"))]).await
}

#[tokio::test]
async fn a_certificate_must_be_for_the_name_in_the_address() {
    let house = trusting(Setup::tls(&[])).await;
    house.broker.make_stream(-1).await;
    // The certificate has no numbers in it.
    let number = over_tls(&house, "127.0.0.1").await;
    change(&house, 1..3, 0).await;
    fails(&house, &number, "its certificate is for another name").await;
    assert_eq!(house.broker.count().await, 0);
    over_tls(&house, "localhost").await;
    all_is_there(&house).await;
}

#[tokio::test]
async fn tls_is_taken_where_the_broker_wants_it() {
    let house = trusting(Setup::tls(&[])).await;
    house.broker.make_stream(-1).await;
    let url = format!("nats://localhost:{}/wh", house.broker.addr.port());
    subscribe(&house, json!({"url": url})).await;
    change(&house, 1..3, 0).await;
    all_is_there(&house).await;
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused() {
    let house = start(Setup::tls(&[])).await;
    house.broker.make_stream(-1).await;
    let subscription = over_tls(&house, "localhost").await;
    change(&house, 1..3, 0).await;
    let why = "its certificate is from no authority that is trusted here";
    fails(&house, &subscription, why).await;
    assert_eq!(house.broker.count().await, 0);
}

#[tokio::test]
async fn a_broker_without_tls_gets_nothing_where_it_is_required() {
    let house = start(Setup::default()).await;
    house.broker.make_stream(-1).await;
    let subscription = over_tls(&house, "localhost").await;
    change(&house, 1..3, 0).await;
    fails(&house, &subscription, "no TLS with the broker").await;
    assert_eq!(house.broker.count().await, 0);
}

#[tokio::test]
async fn a_broker_that_wants_a_certificate_of_ours_is_told_apart() {
    let ca = tls_file("ca.pem");
    let setup = Setup {
        login: Login::Nobody,
        ..Setup::tls(&["--tlsverify", "--tlscacert", &ca])
    };
    let house = trusting(setup).await;
    let subscription = over_tls(&house, "localhost").await;
    change(&house, 1..3, 0).await;
    fails(&house, &subscription, "it wants a certificate of ours").await;
}
