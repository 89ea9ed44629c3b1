//! A server at work: who accepts, what is kept up, what the operator says.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use carrack_ftp_server::FtpServer;
use carrack_records::partials::PartialJournal;
use tokio::sync::Notify;
use tokio::sync::watch::Sender;
use tokio::task::JoinSet;

use super::cut::Stopped;
use super::data_ports::SharedListener;
use super::doors::Door;
use super::generation::{Generation, Lasting, Made};
use super::reload::{self, Accepted, Next, Refused};
use super::signals::Told;
use super::succession::{self, Left};
use super::systemd::Systemd;
use super::users::{self, Follower};
use super::{Provided, Server};
use crate::acme::{self, Acme};
use crate::config::{Config, ConfigFile, Seen};
use crate::ctl::{Desk, Successor};
use crate::hooks::{self, Hooks};
use crate::identities::Keeper;
use crate::log::{Guard, Queue};
use crate::metrics::{Metrics, Sources};
use crate::watch::{self, Calls};
use crate::{access, addresses, clients, defence, hours, housekeeping, http, panics, quota, sandbox};

/// How long the end waits for answers at the control socket.
const FAREWELL: Duration = Duration::from_secs(2);

/// A server that serves.
pub(super) struct Serving {
    pub(super) provided: Provided,
    pub(super) lasting: Arc<Lasting>,
    pub(super) generation: Arc<Generation>,
    pub(super) since: SystemTime,
    pub(super) systemd: Systemd,
    pub(super) journal: Arc<PartialJournal>,
    /// Where measurements are read, once more.
    pub(super) metrics_socket: Option<TcpListener>,
    /// The control socket, once more.
    pub(super) control_socket: UnixListener,
    pub(super) control_is_ours: Arc<AtomicBool>,
    pub(super) control_stops: Arc<Notify>,
    /// Whether the server before this one, where there was any, has ended.
    pub(super) is_alone: Arc<AtomicBool>,
    /// Who has this server's place.
    pub(super) successor: Option<Successor>,
    acme: Option<Arc<Acme>>,
    /// Where certificate authorities ask, once more.
    pub(super) acme_socket: Option<TcpListener>,
    /// What certificates are ordered by.
    pub(super) ordering: JoinSet<()>,
    /// The sockets of the data port that all sessions share, once more.
    pub(super) data_sockets: Vec<(TcpListener, SocketAddr)>,
    /// Who accepts there.
    pub(super) at_data_port: JoinSet<()>,
    /// By what a process that takes over offers connections of that port.
    pub(super) strays: Option<OwnedFd>,
    metrics: Option<Arc<Metrics>>,
    pub(super) logs: Vec<Queue>,
    xferlog: Option<Guard>,
    hooks: Option<Arc<Hooks>>,
    /// The accept loops.
    accepting: JoinSet<()>,
    /// Whether one of them was lost to a defect.
    is_broken: bool,
    /// What goes on until the end.
    pub(super) upkeep: JoinSet<()>,
    /// What goes on until the next reload.
    of_generation: JoinSet<()>,
    certificates: Calls,
    clients: Calls,
    /// The users file as it was read, for who follows it.
    users_file: Sender<Option<Seen>>,
    /// It has changed.
    users_changed: Arc<Notify>,
    /// The configuration whose client authorities are kept, where any are.
    trusted: Option<Sender<Arc<Config>>>,
}

/// Serves until the operator says that it is enough, and goes down.
pub(super) async fn serve(server: Server) -> Stopped {
    let Server {
        mut provided,
        lasting,
        made,
        keeper,
        log,
        logs,
        xferlog,
        hooks,
        cut,
        journal,
        acme,
        acme_socket,
        metrics,
        control,
        control_socket,
        metrics_socket,
        mut signals,
    } = server;
    let control_is_ours = control.ownership();
    let (mut upkeep, certificates) = (JoinSet::new(), Calls::default());
    upkeep.spawn(async move { log.tell_suppressed().await });
    upkeep.spawn(panics::tell());
    let predecessor = provided.predecessor.take();
    let has_succeeded = predecessor.is_some();
    let leaving = match predecessor {
        Some(predecessor) => succession::take_place(predecessor, &lasting, &control_is_ours).await,
        None => None,
    };
    let mut ordering = JoinSet::new();
    let acme = acme.map(|(acme, questions)| {
        ordering.spawn(acme::keep(Arc::clone(&acme), Arc::clone(&certificates.written)));
        questions.into_iter().for_each(|questions| {
            ordering.spawn(questions.serve());
        });
        if has_succeeded {
            // The one before may have been given one since this one has looked.
            certificates.asked.notify_one();
        }
        acme
    });
    let metrics = metrics.map(|(metrics, listener)| {
        let (drain, answers) = (lasting.drain.clone(), Arc::clone(&metrics));
        upkeep.spawn(http::serve(listener, move |path| answers.answer(path, &drain)));
        metrics
    });
    let told = hooks.as_ref().map(|(hooks, _)| Arc::clone(hooks));
    let (users_file, seen) = tokio::sync::watch::channel(None);
    let users_changed = Arc::new(Notify::new());
    let follower = Follower::new(seen, Arc::clone(&users_changed));
    upkeep.spawn(watch::keep(follower, Calls::default()));
    upkeep.spawn(sandbox::listen(lasting.inside.programs().clone()));
    upkeep.spawn(quota::keep(Arc::clone(&lasting.quotas)));
    upkeep.spawn(defence::keep(Arc::clone(&lasting.bans), Arc::clone(&lasting.bans_file)));
    let mut serving = Serving {
        provided,
        lasting,
        since: SystemTime::now(),
        systemd: Systemd::of_environment(),
        metrics_socket,
        control_socket,
        control_is_ours,
        control_stops: Arc::default(),
        is_alone: Arc::new(AtomicBool::new(!has_succeeded)),
        successor: None,
        generation: Arc::clone(&made.generation),
        journal,
        acme,
        metrics,
        logs,
        xferlog,
        hooks: told,
        acme_socket,
        ordering,
        data_sockets: Vec::new(),
        at_data_port: JoinSet::new(),
        strays: None,
        accepting: JoinSet::new(),
        is_broken: false,
        upkeep,
        of_generation: JoinSet::new(),
        certificates,
        clients: Calls::default(),
        users_file,
        users_changed,
        trusted: None,
    };
    made.generation.doors.iter().for_each(|door| door.listening.tell());
    serving.adopt(made, keeper);
    let (desk, mut orders) = Desk::new(
        serving.generation.core.live.clone(),
        Arc::clone(&serving.lasting.bans),
        serving.lasting.inside.programs().successor(),
    );
    let mut answering = desk.answering();
    serving.upkeep.spawn(desk.serve(control, Arc::clone(&serving.control_stops)));
    serving.systemd.ready(serving.generation.doors.len());
    if has_succeeded {
        let left = Left {
            journal: Arc::clone(&serving.journal),
            config: Arc::clone(&serving.generation.config),
            hooks,
            is_alone: Arc::clone(&serving.is_alone),
            quotas: Arc::clone(&serving.lasting.quotas),
        };
        serving.upkeep.spawn(succession::settle(leaving, left));
    } else if let Some((_, deliveries)) = hooks {
        serving.upkeep.spawn(hooks::deliver(deliveries));
    }
    let why = loop {
        let told = tokio::select! {
            told = signals.next() => told,
            () = serving.systemd.due() => {
                serving.tell_that_it_lives();
                continue;
            }
            () = serving.users_changed.notified() => {
                serving.reload_users().await;
                continue;
            }
            Some(order) = orders.recv() => match serving.carry_out(order).await {
                Some(told) => told,
                None => continue,
            },
        };
        match told {
            Told::Stop(why) => break why,
            Told::Reopen => serving.reopen_logs(),
            Told::Reload => {
                serving.reopen_logs();
                // It is in the log.
                let _ = serving.reload().await;
            }
        }
    };
    let stopped = serving.go_down(why, &cut, signals, orders).await;
    serving.lasting.quotas.stop();
    serving.of_generation.shutdown().await;
    // Whoever has asked for this end hears of it.
    let _ = tokio::time::timeout(FAREWELL, answering.wait_for(|count| *count == 0)).await;
    serving.upkeep.shutdown().await;
    defence::save(&serving.lasting.bans, &serving.lasting.bans_file);
    serving.flush().await;
    // Where others write there still, nobody knows enough.
    let is_alone = serving.successor.is_none() && serving.is_alone.load(Ordering::Relaxed);
    if is_alone && matches!(stopped, Stopped::Drained) {
        serving.lasting.quotas.save(&serving.lasting.usage_file);
    }
    stopped
}

impl Serving {
    /// Has a generation serve from now on, and keeps up what belongs to it.
    fn adopt(&mut self, made: Made, keeper: Keeper) {
        made.take_over(&self.lasting);
        let Made { generation, fresh, shared, schedule } = made;
        // Sessions of before keep their rates, and those their hours: each schedule lives as long as anybody has its rates.
        self.upkeep.spawn(hours::keep(schedule));
        for (current, listener) in fresh {
            self.accepting.spawn(FtpServer::serve_current(current, listener));
        }
        // Sessions that drain still finish their transfers, so this goes on until the end.
        for SharedListener { port, listener, socket, address } in shared {
            self.at_data_port.spawn(port.serve(listener));
            self.data_sockets.push((socket, address));
        }
        match (&generation.accepted, &self.trusted) {
            (Some(_), Some(trusted)) if generation.asks_clients() => {
                trusted.send_replace(Arc::clone(&generation.config));
            }
            (Some(accepted), None) => {
                let (trusted, config) = tokio::sync::watch::channel(Arc::clone(&generation.config));
                let keeper = clients::Keeper::new(config, Arc::clone(accepted));
                self.upkeep.spawn(watch::keep(keeper, self.clients.clone()));
                self.trusted = Some(trusted);
            }
            _ => {}
        }
        // What belongs to the generation before ends here.
        self.of_generation = JoinSet::new();
        let expiry = generation.config.upload.partial_expiry_s.into();
        self.of_generation.spawn(housekeeping::partials(
            Arc::clone(&self.journal),
            expiry,
            Arc::clone(&self.lasting.quotas),
        ));
        self.of_generation.spawn(watch::keep(keeper, self.certificates.clone()));
        self.of_generation.spawn(addresses::follow(generation.names.clone()));
        self.of_generation.spawn(access::follow(generation.hosts.clone()));
        if let Some(metrics) = &self.metrics {
            metrics.ask(Sources {
                core: Arc::clone(&generation.core),
                servers: generation.doors.iter().map(Door::server).cloned().collect(),
                logs: self.logs.clone(),
                hooks: self.hooks.clone(),
            });
        }
        let _ = self.users_file.send_replace(generation.users_file.clone());
        let gone = users::gone(&self.generation, &generation);
        if !gone.is_empty() {
            self.upkeep.spawn(users::end_sessions_of_gone(generation.core.live.clone(), gone));
        }
        self.generation = generation;
        self.lasting.quotas.recount();
    }

    /// Another program may have renamed them.
    pub(super) fn reopen_logs(&self) {
        self.logs.iter().for_each(Queue::reopen);
    }

    /// Has the disk take what is told already: the last lines of the transfer log, and events that no hook has taken yet.
    pub(super) async fn flush(&mut self) {
        if let Some(hooks) = self.hooks.take() {
            let _ = tokio::task::spawn_blocking(move || hooks.flush()).await;
        }
        self.xferlog = None;
    }

    /// Reads again whatever can change under a running server. Without a configuration file that is what lies in files of its own.
    pub(super) async fn reload(&mut self) -> Result<Accepted, Refused> {
        self.systemd.reloading();
        let file = self.provided.file.clone();
        let named = file.as_ref().map(|file| file.path().display().to_string());
        tracing::info!(target: "carrack", file = named, "reloading");
        let outcome = match &file {
            Some(file) => self.reload_file(file.clone()).await,
            None => {
                self.certificates.asked.notify_one();
                Ok(Accepted::default())
            }
        };
        if let Err(refused) = &outcome {
            refused.tell();
            // It may be a certificate that is wrong, and others are right.
            self.certificates.asked.notify_one();
        }
        self.clients.asked.notify_one();
        if let Some(acme) = &self.acme {
            acme.try_now();
        }
        self.systemd.ready(self.generation.doors.len());
        outcome
    }

    /// Tells the service manager, unless an accept loop was lost to a defect: then it starts the server again.
    pub(super) fn tell_that_it_lives(&mut self) {
        while let Some(ended) = self.accepting.try_join_next() {
            if ended.is_err() && !self.is_broken {
                self.is_broken = true;
                tracing::error!(target: "carrack", "accept_loop_lost");
            }
        }
        if !self.is_broken {
            self.systemd.lives();
        }
    }

    async fn reload_file(&mut self, file: ConfigFile) -> Result<Accepted, Refused> {
        let (lasting, running) = (Arc::clone(&self.lasting), Arc::clone(&self.generation));
        let of_file = file.clone();
        let made = tokio::task::spawn_blocking(move || reload::make(&of_file, &lasting, &running)).await;
        let Next { made, keeper, accepted } =
            made.unwrap_or_else(|_| Err(Refused::by_a_defect(file.path())))?;
        if let Some(log) = &self.provided.log {
            log.set_level(made.generation.config.log.level);
        }
        let before = Arc::clone(&self.generation);
        // First what they are shown, then who meets them.
        keeper.take_over();
        self.adopt(made, keeper);
        self.generation.tell_doors(&before);
        accepted.tell(file.path());
        Ok(accepted)
    }

    /// Reads the users file again, which has changed, and nothing else. What comes of it is in the log.
    async fn reload_users(&mut self) {
        let Some(file) = self.generation.config.users.file.clone() else { return };
        let (lasting, running) = (Arc::clone(&self.lasting), Arc::clone(&self.generation));
        let of_file = file.clone();
        let made =
            tokio::task::spawn_blocking(move || reload::make_users(&of_file, &lasting, &running)).await;
        match made.unwrap_or_else(|_| Err(Refused::by_a_defect(&file))) {
            Ok(Next { made, keeper, accepted }) => {
                keeper.take_over();
                self.adopt(made, keeper);
                accepted.tell(&file);
            }
            Err(refused) => refused.tell(),
        }
    }
}
