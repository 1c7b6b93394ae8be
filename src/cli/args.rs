//! The command line: every command and flag with its help, as clap reads it.

#![expect(
    missing_docs,
    reason = "a doc comment here is help text on the command line"
)]

use super::key_value;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Integration gateway for fulfilment centres: shops, marketplaces and couriers on one model.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Cli {
    /// Folders here are added to the built-in connectors and go before them.
    #[arg(
        long,
        global = true,
        env = "CROSSDOCK_CONNECTORS_DIR",
        value_name = "DIR"
    )]
    pub connectors_dir: Option<PathBuf>,
    /// The settings file (crossdock.toml in the working directory, when there).
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the gateway.
    Serve(ServeArgs),
    /// Run only polling, jobs and deliveries (beside `serve` nodes with role api, on a shared store).
    Worker(ServeArgs),
    /// Bring the store to this version's schema and end.
    Migrate,
    /// Copy the store.
    #[command(subcommand)]
    Store(StoreCommand),
    /// What arrived and what became of it; fails when it does not add up.
    Ledger {
        /// As JSON, in the shape of `GET /v1/ledger`.
        #[arg(long)]
        json: bool,
    },
    /// Say in words what is wrong with this set-up.
    Doctor,
    /// The master key.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Bearer tokens.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Deliver events of a span of time once more to a subscription.
    Replay(ReplayArgs),
    /// What was received, mapped by another version of a folder: what would be different.
    Rehearse(RehearseArgs),
    /// Print the OpenAPI document.
    Openapi,
    /// Run a connector's simulator: a protocol-true fake of its provider.
    Simulate(SimulateArgs),
    /// A provider's payload in, the canonical JSON out.
    Map(MapArgs),
    /// Canonical input in, the exact HTTP request out, secrets masked.
    Render(RenderArgs),
    /// What each connector can do.
    Connectors(ConnectorsArgs),
    /// Make and check connector folders.
    #[command(subcommand)]
    Connector(ConnectorCommand),
}

#[derive(Debug, Args)]
pub struct ServeArgs {
    /// With a simulated shop and warehouse.
    #[arg(long)]
    pub demo: bool,
    /// Where to listen (127.0.0.1:8080).
    #[arg(long)]
    pub listen: Option<String>,
    /// sqlite://PATH (sqlite://data/crossdock.db).
    #[arg(long)]
    pub store_url: Option<String>,
    /// Where keys and the embedded store live (data).
    #[arg(long)]
    pub data_dir: Option<String>,
    /// all, api or worker.
    #[arg(long)]
    pub role: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Wrap all data keys by a new master key. Stop the gateway first.
    Rotate {
        /// The new key: 32 bytes in base64. Without it one is made and put into the key file.
        #[arg(long, value_name = "FILE")]
        new_key: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Copy the embedded store to a new file while the gateway runs. Keep the master key apart.
    Backup {
        /// The new file.
        #[arg(value_name = "PATH")]
        to: PathBuf,
    },
    /// Copy the embedded store into an empty one on a server, and count it. Stop the gateway first.
    Copy {
        /// The embedded store: sqlite://PATH.
        #[arg(long, value_name = "URL")]
        from: String,
        /// The empty one: postgres://…
        #[arg(long, value_name = "URL")]
        to: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token and print it, once.
    Create {
        /// For people and the audit log.
        #[arg(long)]
        name: String,
        /// admin, operator, merchant or warehouse.
        #[arg(long)]
        scope: String,
        /// The merchant, for scope merchant.
        #[arg(long)]
        merchant: Option<String>,
    },
}

#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The subscription (sub_…).
    #[arg(long)]
    pub subscription: String,
    /// From (RFC 3339).
    #[arg(long)]
    pub from: String,
    /// Until (RFC 3339).
    #[arg(long)]
    pub to: String,
    /// Only these event types.
    #[arg(long = "type")]
    pub types: Vec<String>,
    /// Only say how many.
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
pub struct RehearseArgs {
    /// The connection (con_…).
    #[arg(long)]
    pub connection: String,
    /// How far back: 7d, 12h.
    #[arg(long, default_value = "7d")]
    pub since: String,
    /// The folder of the other version.
    #[arg(long, value_name = "DIR")]
    pub with: String,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// The connector's id.
    pub connector: String,
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:8090")]
    pub listen: std::net::SocketAddr,
    /// The same seed makes the same orders.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Orders made by themselves.
    #[arg(long, default_value_t = 0)]
    pub orders_per_minute: u32,
    /// An option of the folder's simulator (its README names them); JSON, else a text.
    #[arg(long = "option", value_name = "KEY=VALUE", value_parser = key_value)]
    pub options: Vec<(String, String)>,
}

#[derive(Debug, Args)]
pub struct MapArgs {
    /// The connector's id, or the path of its folder.
    pub connector: String,
    /// The mapping: order, tracking, label, points, error, …
    pub mapping: String,
    /// The payload; `-` is standard input.
    #[arg(default_value = "-")]
    pub file: String,
    /// A setting of the connection.
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    pub set: Vec<(String, String)>,
    /// A header of the delivery.
    #[arg(long, value_name = "NAME=VALUE", value_parser = key_value)]
    pub header: Vec<(String, String)>,
    /// Cut the records out by this path instead of the manifest's.
    #[arg(long, value_name = "PATH")]
    pub records: Option<String>,
}

#[derive(Debug, Args)]
pub struct RenderArgs {
    /// The connector's id, or the path of its folder.
    pub connector: String,
    /// The operation: orders.ack, fulfillment.push, …
    pub operation: String,
    /// The canonical input; `-` is standard input. None when left out.
    pub file: Option<String>,
    /// This step; else the first that applies.
    #[arg(long, value_name = "NAME")]
    pub step: Option<String>,
    /// Run all steps against the answers in this file.
    #[arg(long, value_name = "FILE", conflicts_with = "step")]
    pub answers: Option<String>,
    /// A setting of the connection.
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    pub set: Vec<(String, String)>,
    /// The poll's position.
    #[arg(long)]
    pub cursor: Option<String>,
}

#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct ConnectorsArgs {
    /// Lines of manifest and jq, with medians.
    #[arg(long)]
    pub stats: bool,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
    /// As a Markdown table.
    #[arg(long)]
    pub markdown: bool,
}

#[derive(Debug, Subcommand)]
pub enum ConnectorCommand {
    /// Write a new folder that passes the check.
    New {
        /// The folder's name: lower-case letters, digits, hyphens.
        id: String,
        /// Where to.
        #[arg(long, default_value = "connectors")]
        dir: PathBuf,
    },
    /// Lint, jq, README and every fixture.
    Check {
        /// An id or a folder; all connectors when left out.
        what: Option<String>,
    },
}

impl ServeArgs {
    /// The flags that were given, as settings.
    pub fn flags(&self, role: Option<&str>) -> Vec<(&'static str, String)> {
        let role = role.map(str::to_owned).or_else(|| self.role.clone());
        let given = [
            ("listen", self.listen.clone()),
            ("store_url", self.store_url.clone()),
            ("data_dir", self.data_dir.clone()),
            ("role", role),
        ];
        given
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)))
            .collect()
    }
}
