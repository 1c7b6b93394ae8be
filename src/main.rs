//! Entry point: commands, nothing else.

use clap::{Args, Parser, Subcommand};
use crossdock::cli::{self, Streams, check, connectors, map, new};
use crossdock::connector::Registry;
use std::path::PathBuf;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Integration gateway for fulfilment centres: shops, marketplaces and couriers on one model.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    /// Folders here are added to the built-in connectors and go before them.
    #[arg(long, global = true, env = "CROSSDOCK_CONNECTORS_DIR", value_name = "DIR")]
    connectors_dir: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A provider's payload in, the canonical JSON out.
    Map(MapArgs),
    /// What each connector can do.
    Connectors(ConnectorsArgs),
    /// Make and check connector folders.
    #[command(subcommand)]
    Connector(ConnectorCommand),
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
            return if error.use_stderr() { cli::FOUND.into() } else { cli::OK.into() };
        }
    };
    let (mut out, mut err) = (std::io::stdout().lock(), std::io::stderr().lock());
    let mut streams = Streams { out: &mut out, err: &mut err };
    let registry = || Registry::load(cli.connectors_dir.clone());
    let code = match cli.command {
        Command::Map(args) => run_map(&registry(), args, &mut streams),
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
        Command::Connector(ConnectorCommand::Check { what }) => check::run(&registry(), what.as_deref(), &mut streams),
    };
    code.into()
}

fn run_map(registry: &Registry, args: MapArgs, streams: &mut Streams<'_>) -> u8 {
    match cli::read_input(&args.file) {
        Ok(body) => {
            let MapArgs { connector, mapping, set, header, records, .. } = args;
            let command = map::MapCommand { connector, mapping, body, settings: set, headers: header, records };
            map::run(registry, command, streams)
        }
        Err(message) => {
            streams.note(&message);
            cli::FOUND
        }
    }
}
