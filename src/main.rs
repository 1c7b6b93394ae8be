//! Entry point: commands, nothing else.

use clap::Parser;
use crossdock::canonical::Timestamp;
use crossdock::cli::args::{
    Cli, Command, ConnectorCommand, ConnectorsArgs, KeyCommand, MapArgs, RehearseArgs, RenderArgs,
    ReplayArgs, StoreCommand, TokenCommand,
};
use crossdock::cli::{
    self, Streams, backup, check, connectors, copy, doctor, key, ledger, map, new, render, replay,
    serve, stored, token,
};
use crossdock::connector::Registry;
use crossdock::settings::Settings;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
        Command::Store(StoreCommand::Backup { to }) => {
            with(settings(Vec::new()), &mut streams, |settings, streams| {
                backup::run(settings, &to, streams)
            })
        }
        Command::Store(StoreCommand::Copy { from, to }) => {
            with(settings(Vec::new()), &mut streams, |settings, streams| {
                copy::run(settings, &from, &to, streams)
            })
        }
        Command::Ledger { json } => {
            with(settings(Vec::new()), &mut streams, |settings, streams| {
                ledger::run(settings, json, streams)
            })
        }
        Command::Key(KeyCommand::Rotate { new_key }) => {
            with(settings(Vec::new()), &mut streams, |settings, streams| {
                key::rotate(settings, new_key.as_deref(), streams)
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
        Command::Rehearse(args) => {
            let RehearseArgs {
                connection,
                since,
                with: dir,
                json,
            } = args;
            let command = stored::RehearseCommand {
                connection,
                since,
                with: dir,
                json,
            };
            with(settings(Vec::new()), &mut streams, |settings, streams| {
                stored::run(settings, &registry(), &command, streams)
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
                options: args.options.into_iter().map(typed).collect(),
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

/// An option's value: JSON, else the text as it is.
fn typed((name, text): (String, String)) -> (String, serde_json::Value) {
    let value = serde_json::from_str(&text).unwrap_or(serde_json::Value::String(text));
    (name, value)
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
