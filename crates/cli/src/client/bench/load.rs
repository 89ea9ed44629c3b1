//! Sessions at work: each does one operation after the other until the time is over, or the work is done.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use carrack_ftp_client::{Client, Pace, RemotePath, Security, Settings, Store, Unwatched, Watch};
use rustix::time::{ClockId, clock_gettime};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::ground::{Ground, Uploads};
use super::scenario::{Session, Work};
use super::server_side::ServerSide;
use super::tally::{Measured, ServerUse, Tally};
use super::{Run, local};
use crate::arguments::bench::Scenario;
use crate::exit::Failure;

/// How long sessions have idled when the server's memory is looked at: many servers give buffers back only when nothing came for
/// a moment.
const IDLED: Duration = Duration::from_secs(1);

/// When a session has done enough. What has begun is finished.
#[derive(Debug, Clone, Copy)]
pub(super) enum Until {
    /// After this time.
    Over(Duration),
    /// After so many operations.
    Done(u32),
}

/// What one session does again and again.
enum Task {
    Get(RemotePath, Arc<File>),
    Put(Uploads, Arc<File>, Arc<LastByte>),
    List(RemotePath),
    Login,
}

/// When the last byte of an upload was handed to the network.
struct LastByte {
    begun: Instant,
    /// Nanoseconds behind `begun`.
    at: AtomicU64,
}

impl LastByte {
    fn new() -> Arc<LastByte> {
        Arc::new(LastByte { begun: Instant::now(), at: AtomicU64::new(0) })
    }

    fn elapsed(&self) -> Duration {
        self.begun.elapsed().saturating_sub(Duration::from_nanos(self.at.load(Ordering::Relaxed)))
    }
}

impl Watch for LastByte {
    fn moved(&self, _bytes: u64) -> Pace {
        let now = u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.at.store(now, Ordering::Relaxed);
        Pace::Go
    }
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
            Work::Login(_) | Work::Stay => None,
            _ => Some(Client::connect(Arc::clone(&settings)).await?),
        };
        sessions.push((client, task(scenario.work(), number, ground)?));
    }
    let memory = || run.server.as_ref().and_then(ServerSide::memory);
    let (memory_before, meter) = (memory(), Meter::start(run).await);
    let mut working = JoinSet::new();
    for (number, (client, task)) in (0..).zip(sessions) {
        let settings = match scenario.work() {
            Work::Login(Session::Last) => Arc::new(with_lasting_session(&settings)),
            _ => Arc::clone(&settings),
        };
        match scenario.work() {
            Work::Stay => {
                working.spawn(stay(settings, share(run.idle, scenario.sessions(), number)));
            }
            _ => {
                working.spawn(work(client, task, settings, run.until));
            }
        }
    }
    let (mut tally, mut staying) = (Tally::default(), Vec::new());
    while let Some(worked) = working.join_next().await {
        let (done, clients) = worked.map_err(|error| local("a session ended", &error))??;
        tally.join(done);
        staying.extend(clients);
    }
    let (elapsed, client_cpu, server_cpu) = meter.read(run).await;
    if run.server.is_some() && !staying.is_empty() {
        sleep(IDLED).await;
    }
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
        Work::Put(length) => {
            Task::Put(ground.uploads(length, session), Arc::clone(ground.sent(length)), LastByte::new())
        }
        Work::List => Task::List(ground.listed()),
        Work::Login(_) | Work::Stay => Task::Login,
    })
}

/// Where downloads go.
fn nowhere() -> Result<Arc<File>, Failure> {
    let file = File::options().write(true).open("/dev/null");
    file.map(Arc::new).map_err(|error| local("/dev/null cannot be opened", &error))
}

async fn work(
    client: Option<Client>,
    mut task: Task,
    settings: Arc<Settings>,
    until: Until,
) -> Result<(Tally, Vec<Client>), Failure> {
    let (mut tally, work_begun, mut left) = (Tally::default(), Instant::now(), 0..);
    let mut goes_on = || match until {
        Until::Over(time) => work_begun.elapsed() < time,
        Until::Done(count) => left.next().is_some_and(|done: u64| done < u64::from(count)),
    };
    match client {
        Some(mut client) => {
            while goes_on() {
                let begun = Instant::now();
                let bytes = transfer(&mut client, &mut task).await?;
                tally.add(begun.elapsed(), bytes);
                if let Task::Put(_, _, last_byte) = &task {
                    tally.confirmed(last_byte.elapsed());
                }
            }
            tally.protected(client.security().tls, client.data_handshakes());
            client.quit().await;
        }
        None => {
            while goes_on() {
                let begun = Instant::now();
                let client = Client::connect(Arc::clone(&settings)).await?;
                tally.protected(client.security().tls, client.data_handshakes());
                client.quit().await;
                tally.add(begun.elapsed(), 0);
            }
        }
    }
    Ok((tally, Vec::new()))
}

async fn transfer(client: &mut Client, task: &mut Task) -> Result<u64, Failure> {
    Ok(match task {
        Task::Get(path, to) => client.retrieve(path, 0).await?.pour(to, Arc::new(Unwatched)).await?,
        Task::Put(uploads, from, last_byte) => {
            let watch = Arc::clone(last_byte) as Arc<dyn Watch>;
            client.store(&uploads.next()?, Store::Replace).await?.send(from, 0, watch).await?
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

/// The same, with each login offering the session of the one before.
fn with_lasting_session(settings: &Settings) -> Settings {
    let security = match &settings.security {
        Security::Explicit(tls) => Security::Explicit(tls.with_lasting_session()),
        Security::Implicit(tls) => Security::Implicit(tls.with_lasting_session()),
        Security::Plaintext => Security::Plaintext,
    };
    Settings { security, ..settings.clone() }
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
        let client = Client::connect(Arc::clone(&settings)).await?;
        tally.protected(client.security().tls, client.data_handshakes());
        staying.push(client);
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
    async fn start(run: &Run) -> Meter {
        let server_cpu = match &run.server {
            Some(server) => Some(server.cpu_at_rest().await),
            None => None,
        };
        Meter { begun: Instant::now(), client_cpu: own_cpu(), server_cpu }
    }

    /// Time, own processor time, the server's.
    async fn read(&self, run: &Run) -> (Duration, Duration, Option<Duration>) {
        let (elapsed, client) = (self.begun.elapsed(), own_cpu().saturating_sub(self.client_cpu));
        let server = match run.server.as_ref().zip(self.server_cpu) {
            Some((server, before)) => Some(server.cpu_at_rest().await.saturating_sub(before)),
            None => None,
        };
        (elapsed, client, server)
    }
}

fn own_cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}
