//! `carrack bench`: what can a server do?
//!
//! ```text
//!   scenario (what, by how many) ─► ground (files to work on) ─► load (sessions at work until the time is over) ─► tally
//!                                                                        server side (what it used) ─► meter ──┘      └─► report
//! ```

mod ground;
mod load;
mod process;
mod report;
mod scenario;
mod server_side;
mod tally;

use std::sync::Arc;
use std::time::Duration;

use carrack_ftp_client::copy::Stop;
use carrack_ftp_client::url::Url;
use carrack_ftp_client::{Client, DataProtection, Settings};

use super::interrupt::until;
use super::output::Output;
use super::session::Session;
use crate::arguments::bench::{Bench, Scenario};
use crate::exit::{Failure, Status, Tally};
use ground::Ground;
use load::Until;
use server_side::ServerSide;

/// What every scenario of one run shares.
struct Run {
    settings: Arc<Settings>,
    until: Until,
    idle: u32,
    server: Option<ServerSide>,
}

/// Runs `carrack bench …`.
pub(crate) async fn bench(
    arguments: Bench,
    session: &mut Session,
    output: &Output,
    stop: &Stop,
) -> Result<(), Failure> {
    let url: Url = arguments.url.parse().map_err(Failure::usage)?;
    let server = ServerSide::named(&arguments)?;
    session.offer(arguments.policy().map_err(Failure::usage)?);
    let mut client = until(stop, session.connect(&url)).await?;
    let run = Run {
        settings: Arc::clone(client.settings()),
        until: match arguments.count {
            Some(count) => Until::Done(count),
            None => Until::Over(Duration::from_secs(arguments.seconds.into())),
        },
        idle: arguments.idle,
        server,
    };
    let mut ground = Ground::at(&client, &url, &arguments)?;
    let outcome = until(stop, run.all(&scenarios(&arguments), &mut ground, &mut client, output)).await;
    // Also after an interruption, over a connection that is not in the middle of anything.
    if let Err(failure) = ground.remove(&run.settings).await {
        output.note(&format!("{} is left behind: {}", ground.folder(), failure.text()));
    }
    client.quit().await;
    outcome
}

fn scenarios(arguments: &Bench) -> Vec<Scenario> {
    if arguments.scenarios.is_empty() { Scenario::USUAL.to_vec() } else { arguments.scenarios.clone() }
}

impl Run {
    /// One scenario after the other. One that fails is told, and the others run all the same.
    async fn all(
        &self,
        scenarios: &[Scenario],
        ground: &mut Ground,
        client: &mut Client,
        output: &Output,
    ) -> Result<(), Failure> {
        if scenarios.iter().any(|scenario| ground.is_needed_for(*scenario)) {
            ground.begin(client).await?;
        }
        report::title(output, self.server.is_some())?;
        let mut tally = Tally::default();
        for scenario in scenarios {
            let measured = self.one(*scenario, ground, client).await;
            match measured {
                Ok(measured) => {
                    tally.done();
                    report::measured(output, *scenario, &measured)?;
                }
                Err(failure) => {
                    let failure = Failure::new(
                        failure.status(),
                        format!("{} was not measured: {}", scenario.name(), failure.text()),
                    );
                    output.failed(None, &failure)?;
                    tally.failed(failure.status());
                }
            }
            output.flush()?;
        }
        tally.outcome()
    }

    async fn one(
        &self,
        scenario: Scenario,
        ground: &mut Ground,
        client: &mut Client,
    ) -> Result<tally::Measured, Failure> {
        ground.prepare(scenario, client).await?;
        let mut settings = Settings::clone(&self.settings);
        if scenario.is_clear() {
            settings.data_protection = DataProtection::Clear;
        }
        load::run(scenario, Arc::new(settings), self, ground).await
    }
}

/// A sentence about something on this machine that did not work.
fn local(what: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(Status::Failed, format!("{what}: {error}"))
}
