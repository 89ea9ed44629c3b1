//! What is asked when it is read: queues, threads and hooks.

use std::fmt::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use carrack_core::Core;
use carrack_ftp_server::{FtpServer, Load};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::unix_s;
use crate::hooks::Hooks;
use crate::log::Queue;
use crate::panics;

/// Who is asked.
pub(crate) struct Sources {
    pub(crate) core: Arc<Core>,
    pub(crate) servers: Vec<Arc<FtpServer>>,
    pub(crate) logs: Vec<Queue>,
    pub(crate) hooks: Option<Arc<Hooks>>,
}

/// Asks the [`Sources`], once they are known.
#[derive(Clone)]
pub(super) struct Asked {
    sources: Arc<Mutex<Option<Sources>>>,
    started_s: i64,
}

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Asked")
    }
}

impl Asked {
    /// Nobody is known yet.
    pub(super) fn new() -> Self {
        Self { sources: Arc::default(), started_s: unix_s(SystemTime::now()) }
    }

    /// Asks these from now on.
    pub(super) fn ask(&self, sources: Sources) {
        *self.sources.lock().unwrap_or_else(PoisonError::into_inner) = Some(sources);
    }
}

impl Collector for Asked {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let encoder = &mut encoder;
        gauge(
            encoder,
            "start_time_seconds",
            "When the server started, in seconds since 1970",
            self.started_s,
        )?;
        let mut build =
            encoder.encode_descriptor("build_info", "Which version runs", None, MetricType::Gauge)?;
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        ConstGauge::new(1_i64).encode(build.encode_family(&version)?)?;
        let help = "Defects of the server that have ended what they were about";
        let counted = encoder.encode_descriptor("panics", help, None, MetricType::Counter)?;
        ConstCounter::new(panics::count()).encode(counted)?;
        let sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Sources { core, servers, logs, hooks }) = &*sources else { return Ok(()) };
        threads(encoder, servers)?;
        let (running, waiting) = core.authenticator.load();
        gauge(encoder, "password_checks_running", "Passwords that are hashed now", number(running))?;
        gauge(encoder, "password_checks_waiting", "Logins that wait for that", number(waiting))?;
        log(encoder, logs)?;
        hooks.as_deref().map_or(Ok(()), |hooks| of_hooks(encoder, hooks))
    }
}

fn threads(encoder: &mut DescriptorEncoder<'_>, servers: &[Arc<FtpServer>]) -> Result<(), Error> {
    let loads: Vec<Load> = servers.iter().map(|server| server.load()).collect();
    let sum = |of: fn(&Load) -> usize| number(loads.iter().map(of).sum());
    for (name, help, value) in [
        ("pumps_running", "Transfers whose bytes move on a thread now", sum(|load| load.pumps_running)),
        ("pumps_waiting", "Transfers that wait for their turn on one", sum(|load| load.pumps_waiting)),
        ("disk_threads", "Threads that may wait for a disk", sum(|load| load.disk_threads)),
        ("disk_threads_busy", "Threads that work for a disk now", sum(|load| load.disk_threads_busy)),
        ("disk_queue_length", "Work that waits for one of them", sum(|load| load.disk_waiting)),
    ] {
        gauge(encoder, name, help, value)?;
    }
    Ok(())
}

fn log(encoder: &mut DescriptorEncoder<'_>, logs: &[Queue]) -> Result<(), Error> {
    let mut waiting = encoder.encode_descriptor(
        "log_queue_lines",
        "Lines that wait to be written",
        None,
        MetricType::Gauge,
    )?;
    for log in logs {
        ConstGauge::new(signed(log.waiting())).encode(waiting.encode_family(&[("log", log.name())])?)?;
    }
    let mut lost = encoder.encode_descriptor(
        "log_lost_lines",
        "Lines that could not be written",
        None,
        MetricType::Counter,
    )?;
    for log in logs {
        ConstCounter::new(log.lost()).encode(lost.encode_family(&[("log", log.name())])?)?;
    }
    Ok(())
}

fn of_hooks(encoder: &mut DescriptorEncoder<'_>, hooks: &Hooks) -> Result<(), Error> {
    let measured = hooks.measure();
    let help = "Events that wait to be delivered";
    let mut waiting = encoder.encode_descriptor("hook_outbox_events", help, None, MetricType::Gauge)?;
    for (name, count, _) in &measured {
        ConstGauge::new(signed(*count)).encode(waiting.encode_family(&[("hook", name.as_str())])?)?;
    }
    let help = "Attempts that failed, and what became of events";
    let mut events = encoder.encode_descriptor("hook_events", help, None, MetricType::Counter)?;
    for (name, _, outcomes) in &measured {
        for (outcome, count) in outcomes {
            let labels = [("hook", name.as_str()), ("outcome", *outcome)];
            ConstCounter::new(*count).encode(events.encode_family(&labels)?)?;
        }
    }
    Ok(())
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: i64) -> Result<(), Error> {
    ConstGauge::new(value).encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
