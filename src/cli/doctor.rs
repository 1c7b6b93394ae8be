//! `crossdock doctor`: what is wrong with a set-up, in words.
//!
//! What always holds: it changes nothing; each finding says what is wrong and what to do; exit 0
//! only when nothing is.

use super::remote::{Remote, block_on};
use super::{FOUND, OK, Streams};
use crate::app;
use crate::canonical::connection::{Connection, ConnectionState};
use crate::canonical::inbox::LedgerLine;
use crate::canonical::problem::ProblemStatus;
use crate::connector::Registry;
use crate::settings::Settings;
use crate::store::query::{PageRequest, ProblemFilter, SubscriptionState};
use crate::store::{Scope, Store};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What was looked at: good, or what is wrong and what to do.
enum Finding {
    Good(String),
    Bad(String),
}
use Finding::{Bad, Good};

/// Looks at settings, folders, store, connections, subscriptions and the running gateway.
pub fn run(settings: &Settings, streams: &mut Streams<'_>) -> u8 {
    let mut findings = Vec::new();
    look_at_settings(settings, &mut findings);
    let registry = Registry::load(settings.connectors_dir.clone());
    look_at_folders(&registry, &mut findings);
    let looked = block_on(async {
        look_at_server(settings, &mut findings).await;
        match app::open_store_read_only(settings) {
            Ok(store) => {
                look_at_store(&store, &registry, &mut findings).await;
                store.close().await;
            }
            Err(error) => findings.push(Bad(format!(
                "the store {} cannot be read: {error}. Before the first `crossdock serve` there is none",
                settings.store_name()
            ))),
        }
        Ok(())
    });
    if let Err(message) = looked {
        findings.push(Bad(message));
    }
    let mut wrong = 0;
    for finding in &findings {
        match finding {
            Good(text) => streams.line(&format!("ok    {text}")),
            Bad(text) => {
                wrong += 1;
                streams.line(&format!("WRONG {text}"));
            }
        }
    }
    streams.line(&match wrong {
        0 => "nothing is wrong".to_owned(),
        n => format!("{n} thing(s) to mend"),
    });
    if wrong == 0 { OK } else { FOUND }
}

fn look_at_settings(settings: &Settings, findings: &mut Vec<Finding>) {
    if settings.allow_private_targets {
        findings.push(Bad(
            "CROSSDOCK_ALLOW_PRIVATE_TARGETS is on: a merchant's settings could make the gateway call your own network; leave it to demos and tests".into(),
        ));
    }
    let public = settings.public_url();
    if !public.starts_with("https://") && !settings.listen.ip().is_loopback() {
        findings.push(Bad(format!(
            "hook addresses begin with {public}: shops outside cannot reach it or would send orders in the clear; set CROSSDOCK_PUBLIC_URL to the https:// address of your proxy"
        )));
    }
    if !settings.data_dir.exists() {
        findings.push(Good(format!(
            "the data directory {} will be made at first start",
            settings.data_dir.display()
        )));
    }
}

fn look_at_folders(registry: &Registry, findings: &mut Vec<Finding>) {
    let catalogue = registry.catalogue();
    findings.push(Good(format!(
        "{} connector(s) loaded",
        catalogue.all().count()
    )));
    for refusal in catalogue.refused() {
        findings.push(Bad(format!(
            "connector folder refused: {}/{}:{}:{}: {}. `crossdock connector check {}` tells all of it",
            refusal.folder, refusal.file, refusal.line, refusal.column, refusal.message, refusal.folder
        )));
    }
}

async fn look_at_server(settings: &Settings, findings: &mut Vec<Finding>) {
    let Ok(remote) = Remote::new(settings) else {
        findings.push(Good(format!(
            "no token set, so the gateway at {} was not asked",
            settings.url()
        )));
        return;
    };
    match remote.call(reqwest::Method::GET, "/readyz", None).await {
        Ok(_) => findings.push(Good(format!("the gateway at {} is ready", settings.url()))),
        Err(message) => findings.push(Bad(format!(
            "{message}. Is it running, and is CROSSDOCK_URL right?"
        ))),
    }
}

async fn look_at_store(store: &Arc<dyn Store>, registry: &Registry, findings: &mut Vec<Finding>) {
    match store.health().await {
        Ok(health) => {
            findings.push(Good(format!(
                "the store opens with this master key (schema {})",
                health.schema_version
            )));
            if health
                .free_bytes
                .is_some_and(|free| free < health.min_free_bytes)
            {
                findings.push(Bad(
                    "the disk is nearly full: intake answers 503 until there is room".into(),
                ));
            }
        }
        Err(error) => findings.push(Bad(format!("the store's health cannot be read: {error}"))),
    }
    look_at_ledger(store, findings).await;
    look_at_connections(store, registry, findings).await;
    look_at_subscriptions(store, findings).await;
    let filter = ProblemFilter {
        status: Some(ProblemStatus::Open),
        ..ProblemFilter::default()
    };
    if let Ok(page) = store
        .problems(
            Scope::All,
            filter,
            PageRequest {
                limit: 500,
                after: None,
            },
        )
        .await
    {
        let mut by_class: BTreeMap<&str, usize> = BTreeMap::new();
        for problem in &page.data {
            *by_class.entry(problem.class.as_str()).or_default() += 1;
        }
        for (class, n) in by_class {
            findings.push(Bad(format!(
                "{n} open problem(s) of class {class}: GET /v1/problems?class={class}"
            )));
        }
    }
}

async fn look_at_ledger(store: &Arc<dyn Store>, findings: &mut Vec<Finding>) {
    let (Ok(lines), Ok(recount)) = (
        store.ledger(Scope::All, Default::default()).await,
        store.recount_ledger().await,
    ) else {
        findings.push(Bad("the ledger cannot be read".into()));
        return;
    };
    let unequal = lines
        .iter()
        .filter(|line| !line.balances() || !agrees(line, &recount))
        .count();
    if unequal == 0 {
        findings.push(Good(format!(
            "the ledger adds up ({} line(s), recounted from rows)",
            lines.len()
        )));
    } else {
        findings.push(Bad(format!(
            "{unequal} ledger line(s) do not add up: report this with `crossdock ledger --json`"
        )));
    }
}

/// The recount has rows only; re-reads that are counters are in `unchanged` alone.
fn agrees(line: &LedgerLine, recount: &[LedgerLine]) -> bool {
    let none = LedgerLine::default();
    let rows = recount
        .iter()
        .find(|r| r.connection_id == line.connection_id && r.day == line.day)
        .unwrap_or(&none);
    rows.pending == line.pending
        && rows.applied == line.applied
        && rows.stale == line.stale
        && rows.duplicate == line.duplicate
        && rows.ignored == line.ignored
        && rows.problem == line.problem
        && rows.unchanged <= line.unchanged
}

async fn look_at_connections(
    store: &Arc<dyn Store>,
    registry: &Registry,
    findings: &mut Vec<Finding>,
) {
    let Ok(connections) = store.connections(Scope::All).await else {
        return;
    };
    for connection in &connections {
        if let Some(wrong) = wrong_with(connection, registry) {
            findings.push(Bad(format!(
                "connection {} ({}): {wrong}",
                connection.id, connection.name
            )));
        }
    }
    findings.push(Good(format!("{} connection(s)", connections.len())));
}

fn wrong_with(connection: &Connection, registry: &Registry) -> Option<String> {
    let Some(connector) = registry.get(&connection.connector) else {
        return Some(format!(
            "its connector folder `{}` is missing or refused",
            connection.connector
        ));
    };
    let form = connector.manifest().credentials.iter();
    let missing: Vec<&str> = form
        .filter(|(name, field)| field.required && !connection.credentials_set.contains(name))
        .map(|(name, _)| name.as_str())
        .collect();
    if !missing.is_empty() {
        return Some(format!("credentials missing: {}", missing.join(", ")));
    }
    if connection.state == ConnectionState::Suspended {
        let why = connection
            .health
            .suspended_reason
            .as_deref()
            .unwrap_or("no reason stored");
        return Some(format!(
            "suspended ({why}); its work is parked. Mend the credentials, then POST …/resume"
        ));
    }
    match &connection.health.check {
        Some(check) if !check.ok => Some(format!("the last check failed: {}", check.message)),
        _ => None,
    }
}

async fn look_at_subscriptions(store: &Arc<dyn Store>, findings: &mut Vec<Finding>) {
    let Ok(subscriptions) = store.subscriptions(Scope::All).await else {
        return;
    };
    let last = store.last_sequence().await.unwrap_or(0);
    for subscription in &subscriptions {
        match subscription.state {
            SubscriptionState::Disabled => findings.push(Bad(format!(
                "subscription {} is disabled ({})",
                subscription.id,
                subscription.disabled_reason.as_deref().unwrap_or("by hand")
            ))),
            SubscriptionState::Active if last.saturating_sub(subscription.cursor) > 1_000 => {
                findings.push(Bad(format!(
                    "subscription {} is {} events behind: its endpoint is down or slow",
                    subscription.id,
                    last - subscription.cursor
                )))
            }
            _ => {}
        }
    }
}
