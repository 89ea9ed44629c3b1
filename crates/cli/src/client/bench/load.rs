//! Sessions at work: each does one operation after the other until the time is over.

use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, Instant};

use carrack_ftp_client::{Client, RemotePath, Settings, Store, Unwatched};
use rustix::time::{ClockId, clock_gettime};
use tokio::task::JoinSet;

use super::ground::Ground;
use super::scenario::Work;
use super::tally::{Measured, ServerUse, Tally};
use super::{Run, local};
use crate::arguments::bench::Scenario;
use crate::exit::Failure;

/// What one session does again and again.
#[derive(Clone)]
enum Task {
    Get(RemotePath, Arc<File>),
    Put(RemotePath, Arc<File>),
    List(RemotePath),
    Login,
}

/// Runs one scenario.
pub(super) async fn run(
    scenario: Scenario,
    settings: Arc<Settings>,
    run: &Run,
    ground: &Ground,
) -> Result<Measured, Failure> {
    let mut sessions = Vec::new();
    for number in 0..scenario.sessions() {
        // Those that log in again and again have no session before.
        let client = match scenario.work() {
            Work::Login | Work::Stay => None,
            _ => Some(Client::connect(Arc::clone(&settings)).await?),
        };
        sessions.push((client, task(scenario.work(), number, ground)?));
    }
    let memory = || run.server.and_then(|server| server.memory());
    let (memory_before, meter) = (memory(), Meter::start(run));
    let deadline = meter.begun + run.time;
    let mut working = JoinSet::new();
    for (number, (client, task)) in (0..).zip(sessions) {
        let settings = Arc::clone(&settings);
        match scenario.work() {
            Work::Stay => {
                working.spawn(stay(settings, share(run.idle, scenario.sessions(), number)));
            }
            _ => {
                working.spawn(work(client, task, settings, deadline));
            }
        }
    }
    let (mut tally, mut staying) = (Tally::default(), Vec::new());
    while let Some(worked) = working.join_next().await {
        let (done, clients) = worked.map_err(|error| local("a session ended", &error))??;
        tally.join(done);
        staying.extend(clients);
    }
    let (elapsed, client_cpu, server_cpu) = meter.read(run);
    let memory_per_session = memory_before
        .zip(memory())
        .filter(|_| !staying.is_empty())
        .map(|(before, after)| after.saturating_sub(before) / (staying.len() as u64));
    for client in staying {
        client.quit().await;
    }
    let server = server_cpu.map(|cpu| ServerUse { cpu, memory_per_session });
    Ok(Measured::new(tally, elapsed, client_cpu, server))
}

fn task(work: Work, session: u32, ground: &Ground) -> Result<Task, Failure> {
    Ok(match work {
        Work::Get(length) => Task::Get(ground.served(length)?, nowhere()?),
        Work::Put(length) => Task::Put(ground.uploaded(length, session)?, Arc::clone(ground.sent(length))),
        Work::List => Task::List(ground.listed()),
        Work::Login | Work::Stay => Task::Login,
    })
}

/// Where downloads go.
fn nowhere() -> Result<Arc<File>, Failure> {
    let file = File::options().write(true).open("/dev/null");
    file.map(Arc::new).map_err(|error| local("/dev/null cannot be opened", &error))
}

async fn work(
    client: Option<Client>,
    task: Task,
    settings: Arc<Settings>,
    deadline: Instant,
) -> Result<(Tally, Vec<Client>), Failure> {
    let mut tally = Tally::default();
    match client {
        Some(mut client) => {
            while Instant::now() < deadline {
                let begun = Instant::now();
                let bytes = transfer(&mut client, &task).await?;
                tally.add(begun.elapsed(), bytes);
            }
            client.quit().await;
        }
        None => {
            while Instant::now() < deadline {
                let begun = Instant::now();
                Client::connect(Arc::clone(&settings)).await?.quit().await;
                tally.add(begun.elapsed(), 0);
            }
        }
    }
    Ok((tally, Vec::new()))
}

async fn transfer(client: &mut Client, task: &Task) -> Result<u64, Failure> {
    Ok(match task {
        Task::Get(path, to) => client.retrieve(path, 0).await?.pour(to, Arc::new(Unwatched)).await?,
        Task::Put(path, from) => {
            client.store(path, Store::Replace).await?.send(from, 0, Arc::new(Unwatched)).await?
        }
        Task::List(folder) => {
            let mut listing = client.list(folder).await?;
            while let Some(listed) = listing.next().await {
                listed?;
            }
            0
        }
        Task::Login => 0,
    })
}

/// How many of `all` fall to one of `sessions`.
fn share(all: u32, sessions: u32, number: u32) -> u32 {
    all / sessions + u32::from(number < all % sessions)
}

/// Logs in so many times and stays.
async fn stay(settings: Arc<Settings>, sessions: u32) -> Result<(Tally, Vec<Client>), Failure> {
    let (mut tally, mut staying) = (Tally::default(), Vec::new());
    for _ in 0..sessions {
        let begun = Instant::now();
        staying.push(Client::connect(Arc::clone(&settings)).await?);
        tally.add(begun.elapsed(), 0);
    }
    Ok((tally, staying))
}

/// The clocks of a scenario.
struct Meter {
    begun: Instant,
    client_cpu: Duration,
    server_cpu: Option<Duration>,
}

impl Meter {
    fn start(run: &Run) -> Meter {
        let server_cpu = run.server.map(|server| server.cpu());
        Meter { begun: Instant::now(), client_cpu: own_cpu(), server_cpu }
    }

    /// Time, own processor time, the server's.
    fn read(&self, run: &Run) -> (Duration, Duration, Option<Duration>) {
        let server = run.server.zip(self.server_cpu);
        (
            self.begun.elapsed(),
            own_cpu().saturating_sub(self.client_cpu),
            server.map(|(server, before)| server.cpu().saturating_sub(before)),
        )
    }
}

fn own_cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}
