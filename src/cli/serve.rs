//! `crossdock serve` and `crossdock worker`: the gateway in the foreground until it is told to end.

use super::{FOUND, OK, Streams};
use crate::app::App;
use crate::connector::Registry;
use crate::manifest::folder::Folder;
use crate::settings::Settings;
use crate::simulator;
use secrecy::ExposeSecret;
use serde_json::json;
use std::net::SocketAddr;
use tokio::signal::unix::{SignalKind, signal};

/// Runs the gateway until SIGINT or SIGTERM; with `demo` also a simulated shop and warehouse.
pub fn run(settings: Settings, demo: bool, streams: &mut Streams<'_>) -> u8 {
    crate::telemetry::init_logs(&settings.log, settings.log_format);
    // A plain runtime: the HTTP server makes its own threads, and an actix system around it would keep
    // its workers on this one.
    match runtime().block_on(serve(settings, demo, streams)) {
        Ok(()) => OK,
        Err(message) => {
            streams.note(&message);
            FOUND
        }
    }
}

#[expect(
    clippy::expect_used,
    reason = "without a runtime there is nothing to report to"
)]
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(std::thread::available_parallelism().map_or(2, std::num::NonZero::get))
        .thread_name("work")
        .enable_all()
        .build()
        .expect("an async runtime")
}

async fn serve(
    mut settings: Settings,
    demo: bool,
    streams: &mut Streams<'_>,
) -> Result<(), String> {
    if demo {
        crate::app::demo::prepare(&mut settings).map_err(|error| error.to_string())?;
    }
    // Before anything else, so that a signal during the start is not lost.
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| error.to_string())?;
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
    let app = App::start(&settings)
        .await
        .map_err(|error| format!("cannot start: {error}"))?;
    announce(&settings, &app, demo, streams);
    let demo = if demo {
        Some(
            crate::app::demo::start(&settings, app.addr)
                .await
                .map_err(|error| format!("the demo: {error}"))?,
        )
    } else {
        None
    };
    if let Some(demo) = &demo {
        streams.print(&demo.announcement());
    }
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    tracing::info!("stopping");
    if let Some(demo) = demo {
        demo.stop().await;
    }
    app.stop().await;
    Ok(())
}

fn announce(settings: &Settings, app: &App, demo: bool, streams: &mut Streams<'_>) {
    let base = format!("http://{}", app.addr);
    let mut text = format!(
        "Crossdock {} is ready on {base}\n",
        env!("CARGO_PKG_VERSION")
    );
    if let Some(token) = &app.made_admin_token {
        text.push_str(&format!(
            "  admin token (shown once): {}\n",
            token.expose_secret()
        ));
    } else if let (true, Some(token)) = (demo, &settings.admin_token) {
        text.push_str(&format!(
            "  admin token (demo): {}\n",
            token.expose_secret()
        ));
    }
    text.push_str(&format!(
        "  API      {base}/docs\n  store    {}\n",
        settings.store_name()
    ));
    if app.refused_connectors > 0 {
        text.push_str(&format!(
            "  {} connector folder(s) refused: see the log\n",
            app.refused_connectors
        ));
    }
    streams.print(&text);
}

/// Brings the store to this version's schema.
pub fn migrate(settings: &Settings, streams: &mut Streams<'_>) -> u8 {
    let migrated = super::remote::block_on(async {
        crate::app::secrets::make_data_dir(&settings.data_dir)
            .map_err(|error| error.to_string())?;
        let store = crate::app::open_store(settings).map_err(|error| error.to_string())?;
        let health = store.health().await.map_err(|error| error.to_string())?;
        store.close().await;
        Ok(health.schema_version)
    });
    match migrated {
        Ok(version) => {
            streams.line(&format!("{} has schema {version}", settings.store_name()));
            OK
        }
        Err(message) => {
            streams.note(&message);
            FOUND
        }
    }
}

/// Runs one connector's simulator in the foreground.
pub fn simulate(
    registry: &Registry,
    connector: &str,
    listen: SocketAddr,
    options: simulator::Options,
    streams: &mut Streams<'_>,
) -> u8 {
    let run = async {
        let source = registry
            .source(connector)
            .ok_or_else(|| format!("no connector `{connector}`"))?;
        let folder = Folder::load(source).map_err(|_| {
            format!("the folder `{connector}` has faults: crossdock connector check {connector}")
        })?;
        let mut terminate = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
        let handle = simulator::serve(&folder, listen, options)
            .await
            .map_err(|error| error.to_string())?;
        streams.print(&format!(
            "{connector} is simulated, ready on {}\nsettings: {}\ncredentials: {}\n",
            handle.url(),
            json!(handle.settings),
            json!(handle.credentials)
        ));
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        handle.stop().await;
        Ok::<(), String>(())
    };
    match runtime().block_on(run) {
        Ok(()) => OK,
        Err(message) => {
            streams.note(&message);
            FOUND
        }
    }
}
