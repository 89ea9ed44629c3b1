//! How is what was measured told: a table for people, an object a line for programs.

use std::time::Duration;

use serde::Serialize;

use super::scenario::Unit;
use super::tally::Measured;
use crate::arguments::bench::Scenario;
use crate::client::output::quantity::{bytes, count};
use crate::client::output::{Form, Output};
use crate::exit::Failure;

/// What was measured, for programs.
#[derive(Debug, Serialize)]
struct Object {
    event: &'static str,
    scenario: String,
    operations: u64,
    bytes: u64,
    seconds: f64,
    median_ms: f64,
    p99_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmed_after_ms: Option<f64>,
    data_resumed: u64,
    data_full: u64,
    logins_resumed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cipher: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'static str>,
    client_cpu_s: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_cpu_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_bytes_per_session: Option<u64>,
}

/// The heads of the columns.
pub(super) fn title(output: &Output, with_server: bool) -> Result<(), Failure> {
    if output.form() == Form::Json {
        return Ok(());
    }
    let server = if with_server { "server CPU" } else { "" };
    let line = format!(
        "{:<14}{:>18}{:>12}{:>12}{:>16}{server:>16}",
        "scenario", "rate", "median", "99 %", "client CPU"
    );
    output.line(line.trim_end().as_bytes())?;
    output.flush()
}

/// One scenario.
pub(super) fn measured(output: &Output, scenario: Scenario, measured: &Measured) -> Result<(), Failure> {
    let Measured { operations, bytes, elapsed, median, slow, .. } = measured;
    let Measured { confirmation, handshakes, tls, client_cpu, server, .. } = measured;
    match output.form() {
        Form::Json => output.json(&Object {
            event: "measured",
            scenario: scenario.name(),
            operations: *operations,
            bytes: *bytes,
            seconds: elapsed.as_secs_f64(),
            median_ms: milliseconds(*median),
            p99_ms: milliseconds(*slow),
            confirmed_after_ms: confirmation.map(milliseconds),
            data_resumed: handshakes.data.resumed,
            data_full: handshakes.data.full,
            logins_resumed: handshakes.logins_resumed,
            tls: tls.map(|tls| tls.version.as_str()),
            cipher: tls.map(|tls| tls.cipher),
            group: tls.and_then(|tls| tls.group),
            client_cpu_s: client_cpu.as_secs_f64(),
            server_cpu_s: server.as_ref().map(|server| server.cpu.as_secs_f64()),
            server_bytes_per_session: server.as_ref().and_then(|server| server.memory_per_session),
        }),
        Form::Text => output.line(line(scenario, measured).trim_end().as_bytes()),
    }
}

fn line(scenario: Scenario, measured: &Measured) -> String {
    let cost = |cpu: Duration| match scenario.unit() {
        Unit::Gigabyte if measured.bytes > 0 => {
            format!("{:.3} s/GB", cpu.as_secs_f64() * 1e9 / measured.bytes as f64)
        }
        Unit::Operation(what) if measured.operations > 0 => {
            format!("{:.3} ms/{what}", milliseconds(cpu) / measured.operations as f64)
        }
        _ => String::new(),
    };
    let seconds = measured.elapsed.as_secs_f64().max(1e-9);
    let rate = match scenario.unit() {
        Unit::Gigabyte => format!("{:.0} MB/s", measured.bytes as f64 / 1e6 / seconds),
        Unit::Operation(what) => {
            let rate = measured.operations as f64 / seconds;
            if rate < 100.0 {
                format!("{rate:.1} {what}s/s")
            } else {
                format!("{} {what}s/s", count(rate as u64))
            }
        }
    };
    let server = measured.server.as_ref();
    let memory = server.and_then(|server| server.memory_per_session);
    let memory = memory.map(|memory| format!(", {} a session", bytes(memory))).unwrap_or_default();
    // Of small files it is most of the time that they took.
    let confirmation = measured.confirmation.filter(|_| scenario.unit() == Unit::Gigabyte);
    let confirmation =
        confirmation.map(|after| format!(", 226 {} behind the last byte", time(after))).unwrap_or_default();
    format!(
        "{:<14}{rate:>18}{:>12}{:>12}{:>16}{:>16}{memory}{confirmation}",
        scenario.name(),
        time(measured.median),
        time(measured.slow),
        cost(measured.client_cpu),
        server.map(|server| cost(server.cpu)).unwrap_or_default(),
    )
}

fn time(time: Duration) -> String {
    let ms = milliseconds(time);
    if ms < 10.0 { format!("{ms:.2} ms") } else { format!("{ms:.0} ms") }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
