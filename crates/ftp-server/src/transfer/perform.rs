//! One transfer from its `150` to its final reply.

use std::net::IpAddr;

use carrack_core::error::ErrorKind;
use carrack_core::event::{Incomplete, Protection};
use carrack_core::upload::{Kept, Upload};
use carrack_ftp_proto::reply::{Code, Reply};
use carrack_tls::DataStream;

use super::drive::{Stall, drive};
use super::receive::ReceivePump;
use super::send::SendPump;
use super::{Coding, Head, Interrupt, PumpPool, Source};
use crate::agreed::agreed;
use crate::data::{self, DataConnection, DataPort, DataRequest};
use crate::disk::DiskThreads;
use crate::reply_for;
use crate::settings::DataClose;

/// What is to be moved; the files are open, so nothing can be refused any more.
pub(crate) enum Job {
    /// To the client.
    Send {
        /// Where the bytes come from.
        source: Box<dyn Source>,
        /// The first of them.
        head: Head,
    },
    /// From the client.
    Receive {
        /// Where the bytes go.
        upload: Box<Upload>,
        /// Whether lines end with CR LF on the way (`TYPE A`).
        ascii: bool,
        /// How the bytes travel.
        coding: Coding,
    },
}

/// On which terms transfers run here.
#[derive(Clone)]
pub(crate) struct Terms {
    pub(crate) pool: PumpPool,
    pub(crate) stall: Stall,
    pub(crate) close: DataClose,
}

/// Opens the data connection, moves the bytes and settles the file. The reply is the truth about it.
pub(crate) async fn perform(
    mut job: Job,
    port: DataPort,
    mut request: DataRequest,
    terms: Terms,
    interrupt: Interrupt,
) -> Reply {
    let mut pace = None;
    if let Job::Send { source, head } = &mut job {
        pace = source.take_pace();
        // What goes at a limited rate does so from its first byte on.
        request.first = pace.is_none().then(|| head.first_data());
    }
    if let Job::Receive { upload, .. } = &mut job {
        upload.announced();
        let taken_over = interrupt.clone();
        upload.on_takeover(Box::new(move || taken_over.stop(Incomplete::TakenOver)));
    }
    let opened = tokio::select! {
        opened = data::open(port, &request) => opened.map_err(|failure| (failure.reply(), failure.incomplete())),
        why = interrupt.stopped() => Err((reply_for::incomplete(&why, Kept::Nothing), why)),
    };
    let DataConnection { stream, partner } = match opened {
        Ok(connection) => connection,
        Err((reply, why)) => {
            job.give_up(why, terms.pool.disk()).await;
            return reply;
        }
    };
    interrupt.attach(stream.breaker());
    if let Some(partner) = partner {
        job.exchanged_with(partner);
    }
    match job {
        Job::Send { mut source, head } => {
            source.protected_by(protection_of(&stream));
            let pump = SendPump::new(source, pace, head, stream);
            send(pump, &terms, &interrupt).await
        }
        Job::Receive { mut upload, ascii, coding } => {
            upload.protected_by(protection_of(&stream));
            let pump = ReceivePump::new(upload, ascii, coding, terms.close, stream, interrupt.clone());
            receive(pump, &terms, &interrupt).await
        }
    }
}

impl Job {
    fn exchanged_with(&mut self, partner: IpAddr) {
        match self {
            Job::Send { source, .. } => source.exchanged_with(partner),
            Job::Receive { upload, .. } => upload.exchanged_with(partner),
        }
    }

    /// Settles a job that will not be done, where its files may be waited for.
    pub(crate) async fn give_up(self, why: Incomplete, disk: &DiskThreads) {
        disk.run(move || match self {
            Job::Send { source, .. } => source.settle(Err(why)),
            Job::Receive { upload, .. } => drop(upload.abort(why)),
        })
        .await;
    }
}

async fn send(pump: SendPump, terms: &Terms, interrupt: &Interrupt) -> Reply {
    let (pump, outcome) = drive(pump, &terms.pool, interrupt, terms.stall).await;
    let Some(pump) = pump else { return reply_for::kind(ErrorKind::Io) };
    // A client that has everything may leave its own end out: some do not close before the 226.
    let outcome = match outcome {
        Err(Incomplete::ConnectionLost | Incomplete::Stalled) if pump.delivered() => Ok(()),
        other => other,
    };
    let (source, stream) = pump.into_parts();
    let reply = match &outcome {
        Ok(()) => Reply::new(Code::CLOSING_DATA_CONNECTION, "Transfer complete."),
        Err(why) => {
            // SECURITY: a reset, so that a client on a clear channel cannot take what it has for whole.
            stream.reset();
            reply_for::incomplete(why, Kept::Nothing)
        }
    };
    if source.settles_at_once() {
        source.settle(outcome);
    } else {
        terms.pool.disk().run(move || source.settle(outcome)).await;
    }
    reply
}

async fn receive(pump: ReceivePump, terms: &Terms, interrupt: &Interrupt) -> Reply {
    let (pump, outcome) = drive(pump, &terms.pool, interrupt, terms.stall).await;
    let Some(pump) = pump else { return reply_for::kind(ErrorKind::Io) };
    match outcome {
        Ok(()) => match pump.into_committed() {
            Ok(()) => Reply::new(Code::CLOSING_DATA_CONNECTION, "Transfer complete."),
            Err(error) => reply_for::error(&error),
        },
        Err(why) => match terms.pool.disk().run(move || pump.abort(why)).await {
            Some(kept) => reply_for::incomplete(&why, kept),
            None => reply_for::kind(ErrorKind::Io),
        },
    }
}

fn protection_of(stream: &DataStream) -> Protection {
    match stream.info() {
        Some(info) => Protection::Tls(agreed(&info)),
        None => Protection::Clear,
    }
}
