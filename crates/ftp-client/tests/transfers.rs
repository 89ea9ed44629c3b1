//! Downloads and uploads over a control connection in clear: what ends them well, and what does not.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod scripted;

use std::io::{Read, Seek, Write};
use std::sync::Arc;
use std::time::Duration;

use carrack_ftp_client::{Client, ErrorKind, Pace, Retry, Settings, Stage, Store, Timeouts};
use scripted::{Counting, Door, SHORT, drain, path, soon, unwatched};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::join;

/// More than is moved in the task itself, and no round number.
fn large() -> Vec<u8> {
    (0..3_000_017u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn impatient(door: &Door) -> Arc<Settings> {
    let timeouts = Timeouts { connect: SHORT, handshake: SHORT, reply: SHORT, stall: SHORT };
    Arc::new(Settings { timeouts, ..door.settings() })
}

/// Nothing is given up because it does not move.
fn patient(door: &Door) -> Arc<Settings> {
    let timeouts = Timeouts { stall: Duration::from_secs(3600), ..door.settings().timeouts };
    Arc::new(Settings { timeouts, ..door.settings() })
}

#[tokio::test]
async fn files_of_all_sizes_arrive() {
    let files = [Vec::new(), b"x".to_vec(), vec![7; 256 * 1024], large()];
    let door = Door::open().await;
    let server = async {
        let mut visitor = door.log_in(&[]).await;
        for file in &files {
            visitor.sends("RETR /f", file).await;
            visitor.says("226 done").await;
        }
        visitor.leaves().await;
    };
    let client = async {
        let mut client = door.connect().await;
        for file in &files {
            let mut target = tempfile::tempfile().unwrap();
            let counting = Counting::new(|_| Pace::Go);
            let download = client.retrieve(&path("/f"), 0).await.unwrap();
            let watch = Arc::clone(&counting) as _;
            assert_eq!(download.save(&target, 3, watch).await.unwrap(), file.len() as u64);
            assert_eq!(counting.total(), file.len() as u64);
            assert!(counting.bytes.lock().unwrap().iter().all(|&bytes| bytes < 300_000));
            let mut written = Vec::new();
            target.rewind().unwrap();
            target.read_to_end(&mut written).unwrap();
            assert_eq!(written.get(3..).unwrap_or_default(), file);
        }
    };
    join!(server, client);
}

#[tokio::test]
async fn files_of_all_sizes_are_sent() {
    let files = [Vec::new(), b"x".to_vec(), vec![7; 64 * 1024], vec![7; 256 * 1024], large()];
    let door = Door::open().await;
    let server = async {
        let mut visitor = door.log_in(&[]).await;
        for file in &files {
            assert!(visitor.receives("STOR /f").await == *file);
            visitor.says("226 done").await;
        }
        visitor.leaves().await;
    };
    let client = async {
        let mut client = door.connect().await;
        for file in &files {
            let mut source = tempfile::tempfile().unwrap();
            source.write_all(b"skipped").unwrap();
            source.write_all(file).unwrap();
            let upload = client.store(&path("/f"), Store::Replace).await.unwrap();
            assert_eq!(upload.send(&source, 7, unwatched()).await.unwrap(), file.len() as u64);
        }
    };
    join!(server, client);
}

#[tokio::test]
async fn streams_in_and_out() {
    let door = Door::open().await;
    let server = async {
        let mut visitor = door.log_in(&[]).await;
        visitor.sends("RETR /f", &large()).await;
        visitor.says("226 done").await;
        assert!(visitor.receives("APPE /f").await == large());
        visitor.says("250 done").await;
        visitor.leaves().await;
    };
    let client = async {
        let mut client = door.connect().await;
        let mut download = client.retrieve(&path("/f"), 0).await.unwrap();
        let mut read = Vec::new();
        download.read_to_end(&mut read).await.unwrap();
        assert!(read == large());
        assert_eq!(download.finish().await.unwrap(), large().len() as u64);
        let mut upload = client.store(&path("/f"), Store::Append).await.unwrap();
        upload.write_all(&large()).await.unwrap();
        upload.flush().await.unwrap();
        assert_eq!(upload.finish().await.unwrap(), large().len() as u64);
    };
    join!(server, client);
}

#[tokio::test]
async fn a_restart_begins_where_it_was_asked_to_or_not_at_all() {
    let door = Door::open().await;
    let server = async {
        let mut visitor = door.log_in(&[]).await;
        for reply in ["350 from there", "502 what?"] {
            let listener = visitor.passive().await;
            let (mut data, _) = listener.accept().await.unwrap();
            visitor.answers("REST 5", reply).await;
            if reply.starts_with('3') {
                visitor.answers("STOR /f", "125 open").await;
                assert_eq!(drain(&mut data).await, b"tail");
                visitor.says("226 done").await;
            }
        }
        visitor.answers("SIZE /f", "213 9").await;
    };
    let client = async {
        let mut client = door.connect().await;
        let mut upload = client.store(&path("/f"), Store::From(5)).await.unwrap();
        upload.write_all(b"tail").await.unwrap();
        upload.shutdown().await.unwrap();
        drop(upload);
        let error = client.retrieve(&path("/f"), 5).await.err().unwrap();
        assert!(matches!(error.kind(), ErrorKind::Refused { command: "REST", .. }), "{error}");
        assert_eq!(client.size(&path("/f")).await.unwrap(), Some(9), "over the same connection");
    };
    join!(server, client);
}

#[tokio::test]
async fn the_last_word_may_come_before_the_last_byte() {
    let door = Door::open().await;
    let server = async {
        let mut visitor = door.log_in(&[]).await;
        let mut data = visitor.transfer("RETR /f").await;
        data.write_all(b"first").await.unwrap();
        visitor.says("226 done").await;
        // Something passes on the data connection only after the word was read for certain.
        data.write_all(&large()).await.unwrap();
        data.shutdown().await.unwrap();
        drain(&mut data).await;
        visitor.answers("SIZE /f", "213 5").await;
    };
    let client = async {
        let mut client = door.connect().await;
        let mut download = client.retrieve(&path("/f"), 0).await.unwrap();
        let mut read = Vec::new();
        download.read_to_end(&mut read).await.unwrap();
        assert_eq!(read.len(), 5 + large().len());
        client.size(&path("/f")).await.unwrap();
    };
    join!(server, client);
}

#[tokio::test]
async fn a_whole_file_that_the_server_takes_back_is_none() {
    let door = Door::open().await;
    let server = async {
        let mut visitor = door.log_in(&[]).await;
        for _ in 0..2 {
            visitor.sends("RETR /f", b"everything").await;
            visitor.says("451 the disk said otherwise").await;
        }
        visitor.leaves().await;
    };
    let client = async {
        let mut client = door.connect().await;
        let target = tempfile::tempfile().unwrap();
        let download = client.retrieve(&path("/f"), 0).await.unwrap();
        let error = download.save(&target, 0, unwatched()).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Refused { command: "RETR", .. }), "{error}");
        assert_eq!(error.retry(), Retry::Later);
        // A reader sees no end, either.
        let mut download = client.retrieve(&path("/f"), 0).await.unwrap();
        assert!(download.read_to_end(&mut Vec::new()).await.is_err());
    };
    join!(server, client);
}

#[tokio::test]
async fn a_refusal_in_the_middle_ends_the_transfer_at_once() {
    let door = Door::open().await;
    let server = async {
        let mut visitor = door.log_in(&[]).await;
        let mut download = visitor.transfer("RETR /f").await;
        download.write_all(b"first").await.unwrap();
        visitor.says("426 enough").await;
        // The data connection stays open on this side, and both go on.
        let upload = visitor.transfer("STOR /f").await;
        visitor.says("552 full").await;
        visitor.answers("SIZE /f", "213 5").await;
        drop((download, upload));
        visitor.leaves().await;
    };
    let client = async {
        let mut client = Client::connect(patient(&door)).await.unwrap();
        let mut download = client.retrieve(&path("/f"), 0).await.unwrap();
        let error = download.read_to_end(&mut Vec::new()).await.unwrap_err();
        assert!(error.to_string().contains("426 enough"), "{error}");
        drop(download);
        let upload = client.store(&path("/f"), Store::Replace).await.unwrap();
        let endless = std::fs::File::open("/dev/zero").unwrap();
        let error = upload.send(&endless, 0, unwatched()).await.unwrap_err();
        assert!(error.reply().is_some_and(|reply| reply.code().number() == 552), "{error}");
        assert_eq!(client.size(&path("/f")).await.unwrap(), Some(5), "over the same connection");
    };
    soon(async { join!(server, client) }).await;
}

#[tokio::test]
async fn an_upload_that_is_cut_off_says_what_the_server_said() {
    let door = Door::open().await;
    let server = async {
        let mut visitor = door.log_in(&[]).await;
        let mut data = visitor.transfer("STOR /f").await;
        let mut some = [0; 1000];
        data.read_exact(&mut some).await.unwrap();
        drop(data);
        visitor.says("452 full").await;
        let data = visitor.transfer("STOR /f").await;
        drop(data);
        visitor.says("226 all is well").await;
    };
    let client = async {
        let mut client = door.connect().await;
        let endless = std::fs::File::open("/dev/zero").unwrap();
        let upload = client.store(&path("/f"), Store::Replace).await.unwrap();
        let error = upload.send(&endless, 0, unwatched()).await.unwrap_err();
        assert!(error.reply().is_some_and(|reply| reply.code().number() == 452), "{error}");
        let upload = client.store(&path("/f"), Store::Replace).await.unwrap();
        let error = upload.send(&endless, 0, unwatched()).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::DataLost), "a 226 does not make up for it: {error}");
    };
    join!(server, client);
}

#[tokio::test]
async fn what_is_dropped_or_lost_costs_the_connection_and_nothing_more() {
    let door = Door::open().await;
    let server = async {
        // A transfer that is dropped.
        let mut visitor = door.log_in(&[]).await;
        let _data = visitor.transfer("RETR /f").await;
        visitor.leaves().await;
        // A question whose future is dropped.
        let mut visitor = door.log_in(&[]).await;
        visitor.hears("SIZE /f").await;
        visitor.leaves().await;
        // The server goes in the middle of a transfer.
        let mut visitor = door.log_in(&[]).await;
        let data = visitor.transfer("RETR /f").await;
        drop((visitor, data));
        // While nothing runs.
        let mut visitor = door.log_in(&[]).await;
        visitor.answers("SIZE /f", "213 1").await;
        visitor.says("421 idle for too long").await;
        drop(visitor);
        // Before it answers: what was asked is not asked again.
        let mut visitor = door.log_in(&[]).await;
        visitor.hears("DELE /f").await;
        drop(visitor);
        let mut visitor = door.log_in(&[]).await;
        visitor.answers("SIZE /f", "213 2").await;
        visitor.leaves().await;
    };
    let client = async {
        let mut client = door.connect().await;
        drop(client.retrieve(&path("/f"), 0).await.unwrap());
        let asking = tokio::time::timeout(SHORT, client.size(&path("/f"))).await;
        assert!(asking.is_err());
        let download = client.retrieve(&path("/f"), 0).await.unwrap();
        let error = download.finish().await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::ConnectionLost), "{error}");
        assert_eq!(error.retry(), Retry::OnNewConnection);
        assert_eq!(client.size(&path("/f")).await.unwrap(), Some(1));
        let error = client.remove_file(&path("/f")).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::ConnectionLost), "{error}");
        assert_eq!(client.size(&path("/f")).await.unwrap(), Some(2));
    };
    join!(server, client);
}

#[tokio::test]
async fn stalls_are_named() {
    let door = Door::open().await;
    let server = async {
        // Not a byte of the data.
        let mut visitor = door.log_in(&[]).await;
        let download = visitor.transfer("RETR /f").await;
        visitor.leaves().await;
        // Not a byte taken.
        let mut visitor = door.log_in(&[]).await;
        let upload = visitor.transfer("STOR /f").await;
        visitor.leaves().await;
        // No last word.
        let mut visitor = door.log_in(&[]).await;
        visitor.sends("RETR /f", b"everything").await;
        visitor.leaves().await;
        // No first word.
        let mut visitor = door.log_in(&[]).await;
        let listener = visitor.passive().await;
        let data = listener.accept().await.unwrap();
        visitor.hears("RETR /f").await;
        visitor.leaves().await;
        drop((download, upload, data));
    };
    let client = async {
        let mut client = Client::connect(impatient(&door)).await.unwrap();
        let error = client.retrieve(&path("/f"), 0).await.unwrap().finish().await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::TimedOut(Stage::Data)), "{error}");
        let endless = std::fs::File::open("/dev/zero").unwrap();
        let upload = client.store(&path("/f"), Store::Replace).await.unwrap();
        let error = upload.send(&endless, 0, unwatched()).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::TimedOut(Stage::Data)), "{error}");
        let error = client.retrieve(&path("/f"), 0).await.unwrap().finish().await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::TimedOut(Stage::Completion)), "{error}");
        let error = client.retrieve(&path("/f"), 0).await.err().unwrap();
        assert!(matches!(error.kind(), ErrorKind::TimedOut(Stage::Reply("RETR"))), "{error}");
    };
    join!(server, client);
}

#[tokio::test]
async fn a_watch_may_slow_a_transfer_down_and_stop_it() {
    let door = Door::open().await;
    let server = async {
        let mut visitor = door.log_in(&[]).await;
        visitor.sends("RETR /f", &large()).await;
        visitor.says("226 done").await;
        for _ in 0..2 {
            let mut data = visitor.transfer("RETR /f").await;
            // The client may be gone before it has taken all.
            let _cut = data.write_all(&large()).await;
            visitor.leaves().await;
            visitor = door.log_in(&[]).await;
        }
        visitor.answers("SIZE /f", "213 1").await;
    };
    let client = async {
        let mut client = door.connect().await;
        let target = tempfile::tempfile().unwrap();
        let slow = Counting::new(|_| Pace::Wait(Duration::from_millis(1)));
        let watch = Arc::clone(&slow) as _;
        let saved = client.retrieve(&path("/f"), 0).await.unwrap().save(&target, 0, watch).await.unwrap();
        assert_eq!((saved, slow.total()), (large().len() as u64, large().len() as u64));
        // In the task, and on the thread.
        let stops: [fn(u64) -> Pace; 2] =
            [|_| Pace::Stop, |total| if total > 1_000_000 { Pace::Stop } else { Pace::Go }];
        for stop in stops {
            let watch = Counting::new(stop) as _;
            let download = client.retrieve(&path("/f"), 0).await.unwrap();
            let error = download.save(&target, 0, watch).await.unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Stopped), "{error}");
            assert_eq!(error.retry(), Retry::Never);
        }
        client.size(&path("/f")).await.unwrap();
    };
    join!(server, client);
}

#[tokio::test]
async fn a_local_file_that_cannot_be_written_is_the_clients_fault() {
    let door = Door::open().await;
    let server = async {
        let mut visitor = door.log_in(&[]).await;
        visitor.sends("RETR /f", b"everything").await;
        visitor.leaves().await;
    };
    let client = async {
        let mut client = door.connect().await;
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let error =
            client.retrieve(&path("/f"), 0).await.unwrap().save(&full, 0, unwatched()).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Local(_)), "{error}");
        assert_eq!(error.fault(), carrack_ftp_client::Fault::Client);
    };
    join!(server, client);
}

#[tokio::test]
async fn the_servers_side_of_an_upload_may_stay_open() {
    let door = Door::open().await;
    let server = async {
        let mut visitor = door.log_in(&[]).await;
        let mut data = visitor.transfer("STOR /f").await;
        assert_eq!(drain(&mut data).await, b"all");
        visitor.says("226 done").await;
        visitor.answers("SIZE /f", "213 3").await;
        drop(data);
    };
    let client = async {
        let mut client = Client::connect(patient(&door)).await.unwrap();
        let mut upload = client.store(&path("/f"), Store::Replace).await.unwrap();
        upload.write_all(b"all").await.unwrap();
        assert_eq!(upload.finish().await.unwrap(), 3);
        client.size(&path("/f")).await.unwrap();
    };
    soon(async { join!(server, client) }).await;
}

/// Every future can run on a runtime of many threads.
#[test]
fn everything_can_be_sent() {
    fn sendable<T: Send>(_: impl FnOnce(&'static mut Client) -> T) {}
    sendable(|client| client.retrieve(Box::leak(Box::new(path("/f"))), 0));
    sendable(|client| client.store(Box::leak(Box::new(path("/f"))), Store::Replace));
    sendable(|client| client.list(Box::leak(Box::new(path("/f")))));
    sendable(|client| client.stat(Box::leak(Box::new(path("/f")))));
    sendable(|client| client.rename(Box::leak(Box::new(path("/f"))), Box::leak(Box::new(path("/g")))));
    sendable(|client| async {
        let file = tempfile::tempfile().unwrap();
        client.retrieve(&path("/f"), 0).await.unwrap().save(&file, 0, unwatched()).await.unwrap();
        client.store(&path("/f"), Store::Append).await.unwrap().send(&file, 0, unwatched()).await.unwrap();
    });
}
