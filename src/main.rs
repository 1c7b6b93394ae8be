//! Entry point: commands, nothing else.

use clap::{Args, Parser, Subcommand};
use crossdock::canonical::Timestamp;
use crossdock::cli::{
    self, Streams, check, connectors, doctor, ledger, map, new, render, replay, serve, token,
};
use crossdock::connector::Registry;
use crossdock::settings::Settings;
use std::path::PathBuf;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Integration gateway for fulfilment centres: shops, marketplaces and couriers on one model.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    /// Folders here are added to the built-in connectors and go before them.
    #[arg(
        long,
        global = true,
        env = "CROSSDOCK_CONNECTORS_DIR",
        value_name = "DIR"
    )]
    connectors_dir: Option<PathBuf>,
    /// The settings file (crossdock.toml in the working directory, when there).
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway.
    Serve(ServeArgs),
    /// Run only polling, jobs and deliveries (beside `serve` nodes with role api, on a shared store).
    Worker(ServeArgs),
    /// Bring the store to this version's schema and end.
    Migrate,
    /// What arrived and what became of it; fails when it does not add up.
    Ledger {
        /// As JSON, in the shape of `GET /v1/ledger`.
        #[arg(long)]
        json: bool,
    },
    /// Say in words what is wrong with this set-up.
    Doctor,
    /// Bearer tokens.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Deliver events of a span of time once more to a subscription.
    Replay(ReplayArgs),
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
struct ServeArgs {
    /// With a simulated shop and warehouse.
    #[arg(long)]
    demo: bool,
    /// Where to listen (127.0.0.1:8080).
    #[arg(long)]
    listen: Option<String>,
    /// sqlite://PATH (sqlite://data/crossdock.db).
    #[arg(long)]
    store_url: Option<String>,
    /// Where keys and the embedded store live (data).
    #[arg(long)]
    data_dir: Option<String>,
    /// all, api or worker.
    #[arg(long)]
    role: Option<String>,
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
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
struct ReplayArgs {
    /// The subscription (sub_…).
    #[arg(long)]
    subscription: String,
    /// From (RFC 3339).
    #[arg(long)]
    from: String,
    /// Until (RFC 3339).
    #[arg(long)]
    to: String,
    /// Only these event types.
    #[arg(long = "type")]
    types: Vec<String>,
    /// Only say how many.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
struct SimulateArgs {
    /// The connector's id.
    connector: String,
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:8090")]
    listen: std::net::SocketAddr,
    /// The same seed makes the same orders.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Orders made by themselves.
    #[arg(long, default_value_t = 0)]
    orders_per_minute: u32,
}

#[derive(Debug, Args)]
struct MapArgs {
    /// The connector's id, or the path of its folder.
    connector: String,
    /// The mapping: order, tracking, label, points, error, …
    mapping: String,
    /// The payload; `-` is standard input.
    #[arg(default_value = "-")]
    file: String,
    /// A setting of the connection.
    #[arg(long, value_name = "KEY=VALUE", value_parser = cli::key_value)]
    set: Vec<(String, String)>,
    /// A header of the delivery.
    #[arg(long, value_name = "NAME=VALUE", value_parser = cli::key_value)]
    header: Vec<(String, String)>,
    /// Cut the records out by this path instead of the manifest's.
    #[arg(long, value_name = "PATH")]
    records: Option<String>,
}

#[derive(Debug, Args)]
struct RenderArgs {
    /// The connector's id, or the path of its folder.
    connector: String,
    /// The operation: orders.ack, fulfillment.push, …
    operation: String,
    /// The canonical input; `-` is standard input. None when left out.
    file: Option<String>,
    /// This step; else the first that applies.
    #[arg(long, value_name = "NAME")]
    step: Option<String>,
    /// Run all steps against the answers in this file.
    #[arg(long, value_name = "FILE", conflicts_with = "step")]
    answers: Option<String>,
    /// A setting of the connection.
    #[arg(long, value_name = "KEY=VALUE", value_parser = cli::key_value)]
    set: Vec<(String, String)>,
    /// The poll's position.
    #[arg(long)]
    cursor: Option<String>,
}

#[derive(Debug, Args)]
#[group(multiple = false)]
struct ConnectorsArgs {
    /// Lines of manifest and jq, with medians.
    #[arg(long)]
    stats: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
    /// As a Markdown table.
    #[arg(long)]
    markdown: bool,
}

#[derive(Debug, Subcommand)]
enum ConnectorCommand {
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

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            drop(error.print());
            // 2 means "bad payload" here, so a bad command line is 1.
            return if error.use_stderr() {
                cli::FOUND.into()
            } else {
                cli::OK.into()
            };
        }
    };
    // Not locked: a gateway that runs writes its log to the same stderr from other threads.
    let (mut out, mut err) = (std::io::stdout(), std::io::stderr());
    let mut streams = Streams {
        out: &mut out,
        err: &mut err,
    };
    let registry = || Registry::load(cli.connectors_dir.clone());
    let settings = |flags: Vec<(&'static str, String)>| {
        let mut flags = flags;
        if let Some(dir) = &cli.connectors_dir {
            flags.push(("connectors_dir", dir.display().to_string()));
        }
        Settings::load(cli.config.as_deref(), flags)
    };
    let code = match cli.command {
        Command::Serve(args) => run_serve(settings(args.flags(None)), args.demo, &mut streams),
        Command::Worker(args) => run_serve(
            settings(args.flags(Some("worker"))),
            args.demo,
            &mut streams,
        ),
        Command::Migrate => with(settings(Vec::new()), &mut streams, serve::migrate),
        Command::Ledger { json } => {
            with(settings(Vec::new()), &mut streams, |settings, streams| {
                ledger::run(settings, json, streams)
            })
        }
        Command::Doctor => with(settings(Vec::new()), &mut streams, doctor::run),
        Command::Token(TokenCommand::Create {
            name,
            scope,
            merchant,
        }) => {
            let command = token::TokenCommand {
                name,
                scope,
                merchant_id: merchant,
            };
            with(settings(Vec::new()), &mut streams, |settings, streams| {
                token::run(settings, &command, streams)
            })
        }
        Command::Replay(args) => {
            let ReplayArgs {
                subscription,
                from,
                to,
                types,
                dry_run,
            } = args;
            let command = replay::ReplayCommand {
                subscription_id: subscription,
                from,
                to,
                types,
                dry_run,
            };
            with(settings(Vec::new()), &mut streams, |settings, streams| {
                replay::run(settings, &command, streams)
            })
        }
        Command::Openapi => {
            streams.line(&format!("{:#}", crossdock::api::openapi::document()));
            cli::OK
        }
        Command::Simulate(args) => {
            let options = crossdock::simulator::Options {
                seed: args.seed,
                orders_per_minute: args.orders_per_minute,
                ..Default::default()
            };
            serve::simulate(
                &registry(),
                &args.connector,
                args.listen,
                options,
                &mut streams,
            )
        }
        Command::Map(args) => run_map(&registry(), args, &mut streams),
        Command::Render(args) => run_render(&registry(), args, &mut streams),
        Command::Connectors(args) => {
            let style = match args {
                ConnectorsArgs { stats: true, .. } => connectors::Style::Stats,
                ConnectorsArgs { json: true, .. } => connectors::Style::Json,
                ConnectorsArgs { markdown: true, .. } => connectors::Style::Markdown,
                _ => connectors::Style::Table,
            };
            connectors::run(&registry(), style, &mut streams)
        }
        Command::Connector(ConnectorCommand::New { id, dir }) => new::run(&id, &dir, &mut streams),
        Command::Connector(ConnectorCommand::Check { what }) => {
            check::run(&registry(), what.as_deref(), &mut streams)
        }
    };
    code.into()
}

impl ServeArgs {
    fn flags(&self, role: Option<&str>) -> Vec<(&'static str, String)> {
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

type Loaded = Result<Settings, crossdock::settings::SettingsError>;

fn with(
    settings: Loaded,
    streams: &mut Streams<'_>,
    run: impl FnOnce(&Settings, &mut Streams<'_>) -> u8,
) -> u8 {
    match settings {
        Ok(settings) => run(&settings, streams),
        Err(error) => {
            streams.note(&error.to_string());
            cli::FOUND
        }
    }
}

fn run_serve(settings: Loaded, demo: bool, streams: &mut Streams<'_>) -> u8 {
    with(settings, streams, |settings, streams| {
        serve::run(settings.clone(), demo, streams)
    })
}

fn run_map(registry: &Registry, args: MapArgs, streams: &mut Streams<'_>) -> u8 {
    match cli::read_input(&args.file) {
        Ok(body) => {
            let MapArgs {
                connector,
                mapping,
                set,
                header,
                records,
                ..
            } = args;
            let command = map::MapCommand {
                connector,
                mapping,
                body,
                settings: set,
                headers: header,
                records,
            };
            map::run(registry, command, streams)
        }
        Err(message) => {
            streams.note(&message);
            cli::FOUND
        }
    }
}

fn run_render(registry: &Registry, args: RenderArgs, streams: &mut Streams<'_>) -> u8 {
    let input = args.file.as_deref().map_or(Ok(Vec::new()), cli::read_input);
    let answers = args.answers.as_deref().map(cli::read_input).transpose();
    match (input, answers) {
        (Ok(input), Ok(answers)) => {
            let RenderArgs {
                connector,
                operation,
                step,
                set,
                cursor,
                ..
            } = args;
            let now = Timestamp::now();
            let command = render::RenderCommand {
                connector,
                operation,
                input,
                step,
                answers,
                settings: set,
                cursor,
                now,
            };
            render::run(registry, command, streams)
        }
        (Err(message), _) | (_, Err(message)) => {
            streams.note(&message);
            cli::FOUND
        }
    }
}
