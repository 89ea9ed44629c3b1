//! `carrack serve`: from arguments to a running server.

use std::io::{IsTerminal, Write};

use carrack_daemon::config::{Checked, ConfigFile, Fips, Log, LogFormat};
use carrack_daemon::ctl::{Called, Predecessor, TakenOver};
use carrack_daemon::log;
use carrack_daemon::panics;
use carrack_daemon::quick::{Prepared, QuickStart};
use carrack_daemon::run::{self, Handed, Provided, Server, Stopped};
use carrack_daemon::sandbox::{self, Inside};
use carrack_daemon::state::StateFolder;

use crate::arguments::server::Serve;
use crate::exit::Failure;
use crate::hints::{Hints, Secret};
use crate::password::{self, Given};

/// Runs `carrack serve …` until the server was told to stop.
pub(crate) fn serve(arguments: Serve, fips: Fips) -> Result<(), Failure> {
    panics::watch();
    run::ask_for_small_pages();
    // Before there is a second thread.
    let handed = Handed::by_systemd().map_err(Failure::failed)?;
    match arguments.config.clone() {
        Some(file) => serve_file(&file, &arguments, fips, handed),
        None => serve_folder(arguments, fips, handed),
    }
}

fn serve_file(file: &std::path::Path, arguments: &Serve, fips: Fips, handed: Handed) -> Result<(), Failure> {
    let file = ConfigFile::new(file, fips, arguments.log_format);
    sandbox::become_user_of(&file).map_err(Failure::failed)?;
    let checked = file.load().map_err(crate::config::wrong)?;
    let provided =
        |handed, predecessor| Provided { file: Some(file), handed, predecessor, ..Provided::default() };
    let Some(socket) = &arguments.take_over else {
        let state = StateFolder::open(&checked.state).map_err(Failure::failed)?;
        return run(checked, state, provided(handed, None), None);
    };
    let TakenOver { handed, lock, predecessor } = Predecessor::ask(socket).map_err(Failure::failed)?;
    let state = StateFolder::take_over(&checked.state, lock).map_err(Failure::failed)?;
    run(checked, state, provided(handed, Some(predecessor)), None)
}

fn serve_folder(arguments: Serve, fips: Fips, handed: Handed) -> Result<(), Failure> {
    let folder = arguments.folder.unwrap_or_default();
    let given = password::given(arguments.password_file.as_deref())?;
    let log = Log { format: arguments.log_format.unwrap_or(LogFormat::Text), ..Log::default() };
    let start = QuickStart {
        folder: folder.clone(),
        explicit: arguments.explicit,
        implicit: arguments.implicit,
        passive_ports: arguments.passive_ports,
        user: arguments.user.clone(),
        password: given.as_ref().map(|(_, password)| password.clone()),
        state: arguments.state,
        read_only: arguments.read_only,
        plaintext: arguments.plaintext,
        log,
        fips,
    };
    let Prepared { checked, state, kept_password } = start.prepare().map_err(Failure::failed)?;
    let secret = match (given.map(|(place, _)| place), kept_password) {
        (Some(Given::File { path, plain }), _) => {
            Secret::File { path: std::path::absolute(&path).unwrap_or(path), plain }
        }
        (Some(Given::Environment), _) => Secret::Environment,
        (None, Some(password)) => Secret::Shown(password),
        (None, None) => Secret::Environment,
    };
    let hints = Hints {
        folder: std::fs::canonicalize(&folder).unwrap_or(folder),
        user: arguments.user,
        secret,
        state: state.path().to_owned(),
        read_only: arguments.read_only,
        plaintext: arguments.plaintext,
    };
    run(checked, state, Provided { handed, ..Provided::default() }, Some(hints))
}

fn run(
    checked: Checked,
    state: StateFolder,
    provided: Provided,
    hints: Option<Hints>,
) -> Result<(), Failure> {
    // Before there is a second thread.
    let file = provided.file.as_ref().map(ConfigFile::path);
    let called = file.and_then(|_| Called::of_this_process().ok());
    let inside = Inside::enter(&checked, state.path(), file, called.as_ref()).map_err(Failure::failed)?;
    let (guard, log) = log::install(&checked.config.log).map_err(Failure::failed)?;
    for warning in &checked.warnings {
        match checked.config.log.format {
            LogFormat::Text if checked.config.log.file.is_none() => eprintln!("carrack: warning: {warning}"),
            LogFormat::Text | LogFormat::Json => log::warning(warning),
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("carrack")
        .build()
        .map_err(|error| Failure::failed(format!("threads cannot be started: {error}")))?;
    let provided = Provided { log: Some(log), inside, ..provided };
    let outcome = runtime.block_on(async {
        let server = Server::start(checked, state, provided).map_err(Failure::failed)?;
        if let Some(hints) = &hints {
            let mut out = std::io::stdout().lock();
            let colour = out.is_terminal() && std::env::var_os("NO_COLOR").is_none();
            // A reader that has gone away does not stop a server.
            let _ = out.write_all(hints.text(&server, colour).as_bytes());
            let _ = out.flush();
        }
        match server.run().await {
            Stopped::Drained => Ok(()),
            Stopped::Cut { transfers: 1, why } => {
                Err(Failure::failed(format!("1 transfer was cut: {why}; its client can resume it")))
            }
            Stopped::Cut { transfers, why } => Err(Failure::failed(format!(
                "{transfers} transfers were cut: {why}; their clients can resume them"
            ))),
        }
    });
    // Pump threads that still wait for a peer are not waited for: their connections were cut.
    runtime.shutdown_background();
    drop(guard);
    outcome
}
