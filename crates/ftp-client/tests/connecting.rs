//! From the first SYN to the login: who is at fault when it does not come about, and how long it may take.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod scripted;

use std::sync::Arc;

use carrack_ftp_client::{
    Client, DataMode, Error, ErrorKind, Fault, Operation, Retry, Settings, Stage, Timeouts,
};
use scripted::{Door, Notes, SHORT, path};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::{join, select};

fn impatient(door: &Door) -> Arc<Settings> {
    let timeouts = Timeouts { connect: SHORT, handshake: SHORT, reply: SHORT, stall: SHORT };
    Arc::new(Settings { timeouts, ..door.settings() })
}

/// What comes of a connection whose server says these lines, one for each line it hears.
async fn after(said: &[&str]) -> Result<Client, Error> {
    let door = Door::open().await;
    let server = async {
        let mut visitor = door.meet().await;
        let (greeting, replies) = said.split_first().unwrap();
        visitor.says(greeting).await;
        for reply in replies {
            let _whatever = visitor.line().await;
            visitor.says(reply).await;
        }
        std::future::pending::<()>().await
    };
    select! {
        outcome = Client::connect(impatient(&door)) => outcome,
        () = server => unreachable!(),
    }
}

async fn failure(said: &[&str]) -> Error {
    after(said).await.err().unwrap()
}

#[tokio::test]
async fn a_login_tells_what_there_is() {
    let door = Door::open().await;
    let notes = Arc::new(Notes::default());
    let settings = Settings { dialogue: Some(Arc::clone(&notes) as _), ..door.settings() };
    let server = async {
        let mut visitor = door.log_in(&["SIZE", "MLST type*;size*;"]).await;
        visitor.answers("QUIT", "221 bye").await;
        visitor.leaves().await;
    };
    let client = async {
        let client = Client::connect(Arc::new(settings)).await.unwrap();
        assert!(client.features().size && client.features().mlst.is_some());
        assert_eq!(client.login_folder(), &path("/home"));
        assert!(client.security().tls.is_none() && client.security().data_protection.is_none());
        client.quit().await;
    };
    join!(server, client);
    assert_eq!(
        notes.taken(),
        [
            "< 220 hi",
            "> USER alice",
            "< 331 password?",
            "> PASS ****",
            "< 230 in",
            "> FEAT",
            "< 211-Features",
            "<  SIZE",
            "<  MLST type*;size*;",
            "< 211 End",
            "> TYPE I",
            "< 200 binary",
            "> PWD",
            "< 257 \"/home\" is it",
            "> QUIT",
            "< 221 bye"
        ]
    );
}

#[tokio::test]
async fn refusals_name_the_side_at_fault() {
    let error = failure(&["220 hi", "331 ?", "530 wrong"]).await;
    assert!(matches!(error.kind(), ErrorKind::LoginRefused(_)), "{error}");
    assert_eq!(
        (error.fault(), error.retry(), error.operation()),
        (Fault::User, Retry::Never, Operation::Connect)
    );
    let error = failure(&["220 hi", "430 later"]).await;
    assert!(matches!(error.kind(), ErrorKind::LoginRefused(_)), "{error}");
    assert_eq!(error.retry(), Retry::Later);
    let error = failure(&["421 too many"]).await;
    assert!(matches!(error.kind(), ErrorKind::ServiceClosed(_)), "{error}");
    assert_eq!((error.fault(), error.retry()), (Fault::Server, Retry::Later));
    let error = failure(&["HTTP/1.1 400 Bad Request"]).await;
    assert!(matches!(error.kind(), ErrorKind::Protocol(_)), "{error}");
    assert_eq!((error.fault(), error.retry()), (Fault::Server, Retry::Never));
}

#[tokio::test]
async fn nobody_there() {
    let door = Door::open().await;
    let settings = Arc::new(door.settings());
    drop(door);
    let error = Client::connect(settings).await.err().unwrap();
    assert!(matches!(error.kind(), ErrorKind::Connect(_)), "{error}");
    assert_eq!((error.fault(), error.retry()), (Fault::Network, Retry::Later));

    let door = Door::open().await;
    // No name server has to be asked: a label of the DNS has 63 letters at most (RFC 1035 §2.3.4).
    let settings = Settings { host: "x".repeat(64), ..door.settings() };
    let error = Client::connect(Arc::new(settings)).await.err().unwrap();
    assert!(matches!(error.kind(), ErrorKind::Resolve(_)), "{error}");
    assert_eq!(error.subject(), format!("{}:{}", "x".repeat(64), door.address.port()));

    let mut settings = door.settings();
    settings.login.user = "a\r\nDELE b".to_owned();
    let error = Client::connect(Arc::new(settings)).await.err().unwrap();
    assert!(matches!(error.kind(), ErrorKind::BadLogin(_)), "{error}");
}

#[tokio::test]
async fn a_server_that_asks_for_a_password_that_nobody_has() {
    let door = Door::open().await;
    let mut settings = door.settings();
    settings.login.password = None;
    let server = async {
        let mut visitor = door.meet().await;
        visitor.says("220 hi").await;
        visitor.answers("USER alice", "331 ?").await;
        visitor.leaves().await;
    };
    let client = async {
        let error = Client::connect(Arc::new(settings)).await.err().unwrap();
        assert!(matches!(error.kind(), ErrorKind::PasswordNeeded), "{error}");
    };
    join!(server, client);
}

#[tokio::test]
async fn silence_is_bounded_at_every_step() {
    let script = [
        "220 hi",
        "331 ?",
        "230 in",
        "211-F\n UTF8\n MLST type*;size;\n211 end",
        "200 ok",
        "200 ok",
        "200 binary",
    ];
    let awaited = ["USER", "PASS", "FEAT", "OPTS UTF8 ON", "OPTS MLST", "TYPE I", "PWD"];
    for (step, command) in awaited.into_iter().enumerate() {
        let error = failure(&script[..=step]).await;
        let ErrorKind::TimedOut(Stage::Reply(silent)) = error.kind() else { panic!("{command}: {error}") };
        assert_eq!(*silent, command);
    }
    let door = Door::open().await;
    let error = Client::connect(impatient(&door)).await.err().unwrap();
    assert!(matches!(error.kind(), ErrorKind::TimedOut(Stage::Greeting)), "{error}");
    assert!(error.to_string().contains("ftps://"), "{error}");
}

/// A server that never ends: neither bytes nor lines nor replies keep the client for ever, and it says which limit it was.
#[tokio::test]
async fn endless_servers() {
    let endless: [(&[u8], &str); 5] = [
        (b"x", "line of more than 16384 bytes"),
        (b"220-and more\r\n", "more than 1000 lines"),
        (b"220-", "line of more than 16384 bytes"),
        (b"120 soon\r\n", "more than 16 preliminary replies"),
        (b"220 hi\r\n", "was not asked"),
    ];
    for (piece, named) in endless {
        let door = Door::open().await;
        let server = async {
            let mut stream = door.meet().await.into_stream();
            while stream.write_all(&piece.repeat(1000)).await.is_ok() {}
        };
        let client = async {
            let error = Client::connect(Arc::new(door.settings())).await.err().unwrap();
            assert!(error.to_string().contains(named), "{error}");
            assert_eq!(error.fault(), Fault::Server);
        };
        join!(server, client);
    }
}

#[tokio::test]
async fn a_trickle_does_not_prolong_the_wait() {
    let door = Door::open().await;
    let server = async {
        let mut stream = door.meet().await.into_stream();
        let mut tick = tokio::time::interval(SHORT / 10);
        while stream.write_all(b"2").await.is_ok() && stream.flush().await.is_ok() {
            tick.tick().await;
        }
    };
    let client = async {
        let error = Client::connect(impatient(&door)).await.err().unwrap();
        assert!(matches!(error.kind(), ErrorKind::TimedOut(Stage::Greeting)), "{error}");
    };
    join!(server, client);
}

async fn one_port_at_two_addresses() -> (TcpListener, TcpListener) {
    loop {
        let one = TcpListener::bind("127.0.0.66:0").await.unwrap();
        let port = one.local_addr().unwrap().port();
        // Somebody else may have it at the other.
        if let Ok(other) = TcpListener::bind(("127.0.0.1", port)).await {
            return (one, other);
        }
    }
}

/// CVE-2020-8284: whatever address PASV names, data goes to the server.
#[tokio::test]
async fn pasv_to_elsewhere_leads_nowhere_else() {
    let door = Door::open().await;
    let (elsewhere, here) = one_port_at_two_addresses().await;
    let port = here.local_addr().unwrap().port();
    let server = async {
        let mut visitor = door.log_in(&[]).await;
        for _ in 0..2 {
            let command = visitor.line().await.unwrap();
            if command == "EPSV" {
                visitor.says("502 what?").await;
                visitor.hears("PASV").await;
            } else {
                assert_eq!(command, "PASV", "EPSV is asked once");
            }
            let [high, low] = port.to_be_bytes();
            visitor.says(&format!("227 come (127,0,0,66,{high},{low})")).await;
            let mut data = select! {
                data = here.accept() => data.unwrap().0,
                _ = elsewhere.accept() => panic!("the client followed the address"),
            };
            visitor.answers("RETR /f", "150 now").await;
            data.write_all(b"abc").await.unwrap();
            data.shutdown().await.unwrap();
            drop(data);
            visitor.says("226 done").await;
        }
    };
    let client = async {
        let mut client = door.connect().await;
        for _ in 0..2 {
            assert_eq!(client.retrieve(&path("/f"), 0).await.unwrap().finish().await.unwrap(), 3);
        }
    };
    join!(server, client);
}

#[tokio::test]
async fn no_data_connection() {
    let door = Door::open().await;
    let server = async {
        let mut visitor = door.log_in(&[]).await;
        drop(visitor.passive().await);
        visitor.leaves().await;
        let mut visitor = door.log_in(&[]).await;
        let _listener = visitor.passive().await;
        visitor.answers("RETR /f", "425 nobody came").await;
        visitor.answers("SIZE /f", "213 1").await;
    };
    let client = async {
        let mut client = door.connect().await;
        let error = client.retrieve(&path("/f"), 0).await.err().unwrap();
        assert!(matches!(error.kind(), ErrorKind::DataConnect(_)), "{error}");
        assert_eq!(error.fault(), Fault::Network);
        let error = client.retrieve(&path("/f"), 0).await.err().unwrap();
        assert!(matches!(error.kind(), ErrorKind::DataRefused(_)), "{error}");
        client.size(&path("/f")).await.unwrap();
    };
    join!(server, client);
}

/// Strangers may knock at the port of an active transfer. They are sent away, and the server is waited for.
#[tokio::test]
async fn active_transfers_are_with_the_server_alone() {
    let door = Door::open().await;
    let settings = Arc::new(Settings { data_mode: DataMode::Active, ..door.settings() });
    let server = async {
        let mut visitor = door.log_in(&[]).await;
        let eprt = visitor.line().await.unwrap();
        let port: u16 =
            eprt.strip_prefix("EPRT |1|127.0.0.1|").unwrap().trim_end_matches('|').parse().unwrap();
        visitor.says("500 EPRT?").await;
        visitor.answers(&format!("PORT 127,0,0,1,{},{}", port >> 8, port & 255), "200 ok").await;
        visitor.hears("RETR /f").await;
        let stranger = tokio::net::TcpSocket::new_v4().unwrap();
        stranger.bind("127.0.0.66:0".parse().unwrap()).unwrap();
        let mut stranger = stranger.connect(([127, 0, 0, 1], port).into()).await.unwrap();
        // It may be sent away at once.
        let _refused = stranger.write_all(b"forged").await;
        assert_eq!(scripted::drain(&mut stranger).await, b"");
        let mut data = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        visitor.says("150 now").await;
        data.write_all(b"true").await.unwrap();
        drop(data);
        visitor.says("226 done").await;
    };
    let client = async {
        let mut client = Client::connect(settings).await.unwrap();
        let mut download = client.retrieve(&path("/f"), 0).await.unwrap();
        let mut read = String::new();
        tokio::io::AsyncReadExt::read_to_string(&mut download, &mut read).await.unwrap();
        assert_eq!(read, "true");
    };
    join!(server, client);
}

#[tokio::test]
async fn an_active_transfer_that_nobody_comes_to() {
    let door = Door::open().await;
    let settings = Settings { data_mode: DataMode::Active, ..door.settings() };
    let timeouts = Timeouts { connect: SHORT / 3, reply: SHORT, ..settings.timeouts };
    let server = async {
        let mut visitor = door.log_in(&[]).await;
        visitor.line().await.unwrap();
        visitor.says("200 ok").await;
        visitor.hears("RETR /f").await;
        visitor.leaves().await;
    };
    let client = async {
        let mut client = Client::connect(Arc::new(Settings { timeouts, ..settings })).await.unwrap();
        let error = client.retrieve(&path("/f"), 0).await.err().unwrap();
        assert!(matches!(error.kind(), ErrorKind::TimedOut(Stage::DataConnect)), "{error}");
        drop(client);
    };
    join!(server, client);
}
