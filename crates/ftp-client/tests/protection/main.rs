//! Under TLS: what protects the control connection and its data connections, and what no server can talk the client out of.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod place;
#[path = "../scripted/mod.rs"]
mod scripted;

use std::net::Ipv4Addr;
use std::sync::Arc;

use carrack_ftp_client::{
    Client, DataProtection, ErrorKind, Fault, Retry, Security, Settings, Stage, Store, Timeouts,
};
use carrack_tls::{ConnectError, Direction, Distrust, Received, ServerTls, Trust, Version};
use place::{Place, accepted, end, identity, receive_all, send_all};
use scripted::{Notes, SHORT, Visitor, drain, path};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::join;

fn block() -> Vec<u8> {
    (0..1_000_003u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

#[tokio::test]
async fn files_move_under_tls_and_resume_the_control_connections_session() {
    let place = Place::new().await;
    let server = async {
        let control = place.control();
        let mut visitor = place.log_in(&control).await;
        for _ in 0..12 {
            let listener = visitor.passive().await;
            let socket = accepted(&listener).await;
            visitor.answers("RETR /f", "150 now").await;
            let (mut data, _) = control.accept_data(socket, Direction::ToClient).await.unwrap();
            assert!(data.info().unwrap().resumed);
            send_all(&mut data, &block()).await;
            end(&mut data).await;
            visitor.says("226 done").await;
            let listener = visitor.passive().await;
            let socket = accepted(&listener).await;
            visitor.answers("STOR /f", "150 now").await;
            let (mut data, _) = control.accept_data(socket, Direction::FromClient).await.unwrap();
            assert!(data.info().unwrap().resumed);
            assert!(receive_all(&mut data).await == (block(), Received::End));
            end(&mut data).await;
            visitor.says("226 done").await;
        }
        visitor.leaves().await;
    };
    let client = async {
        let mut client = Client::connect(Arc::new(place.explicit())).await.unwrap();
        let security = client.security();
        assert_eq!(security.tls.unwrap().version, Version::Tls13);
        assert_eq!(security.data_protection, Some(DataProtection::Private));
        assert!(security.certificate.is_some() && security.note.is_none());
        let file = tempfile::tempfile().unwrap();
        for _ in 0..12 {
            let download = client.retrieve(&path("/f"), 0).await.unwrap();
            assert_eq!(download.save(&file, 0, scripted::unwatched()).await.unwrap(), 1_000_003);
            let upload = client.store(&path("/f"), Store::Replace).await.unwrap();
            assert_eq!(upload.send(&file, 0, scripted::unwatched()).await.unwrap(), 1_000_003);
        }
    };
    join!(server, client);
}

/// FIN without close_notify may be anybody's: a 226 does not make up for it.
#[tokio::test]
async fn data_that_ends_without_close_notify_is_a_part() {
    let place = Place::new().await;
    let server = async {
        for _ in 0..2 {
            let control = place.control();
            let mut visitor = place.log_in(&control).await;
            let listener = visitor.passive().await;
            let socket = accepted(&listener).await;
            let command = visitor.line().await.unwrap();
            assert!(matches!(command.as_str(), "RETR /f" | "CWD /d"), "{command}");
            visitor.says("150 now").await;
            let (mut data, _) = control.accept_data(socket, Direction::ToClient).await.unwrap();
            send_all(&mut data, b"all there is").await;
            drop(data);
            visitor.says("226 all is well").await;
            visitor.leaves().await;
        }
    };
    let client = async {
        let mut client = Client::connect(Arc::new(place.explicit())).await.unwrap();
        let file = tempfile::tempfile().unwrap();
        let download = client.retrieve(&path("/f"), 0).await.unwrap();
        let error = download.save(&file, 0, scripted::unwatched()).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Truncated), "{error}");
        assert_eq!((error.fault(), error.retry()), (Fault::Server, Retry::OnNewConnection));
        let mut download = client.retrieve(&path("/f"), 0).await.unwrap();
        assert!(download.read_to_end(&mut Vec::new()).await.is_err());
    };
    join!(server, client);
}

#[tokio::test]
async fn no_answer_to_auth_gets_a_login_in_clear() {
    for (answer, behind) in [("502 what?", ""), ("230 you are in", ""), ("234 go", "230 you are in\r\n")] {
        let place = Place::new().await;
        let server = async {
            let mut visitor = place.door.meet().await;
            visitor.says("220 hi").await;
            visitor.hears("AUTH TLS").await;
            let mut stream = visitor.into_stream();
            stream.write_all(format!("{answer}\r\n{behind}").as_bytes()).await.unwrap();
            let rest = drain(&mut stream).await;
            assert!(!rest.windows(5).any(|window| window == b"USER "), "{}", rest.escape_ascii());
        };
        let client = async {
            let error = Client::connect(Arc::new(place.explicit())).await.err().unwrap();
            let expected = match (answer, behind) {
                ("502 what?", _) => {
                    matches!(error.kind(), ErrorKind::ProtectionRefused { asked: "AUTH TLS", .. })
                }
                // Depending on what TCP makes of it, it is seen by FTP or by TLS.
                ("234 go", _) => {
                    matches!(error.kind(), ErrorKind::Protocol(_) | ErrorKind::Tls(ConnectError::NotTls))
                }
                _ => matches!(error.kind(), ErrorKind::Protocol(_)),
            };
            assert!(expected, "{answer}: {error}");
            assert_eq!((error.fault(), error.retry()), (Fault::Server, Retry::Never));
        };
        join!(server, client);
    }
}

#[tokio::test]
async fn a_refused_protection_is_an_error_with_a_mend() {
    for (protection, command, mend) in [
        (DataProtection::Private, "PROT P", "in clear with --clear-data"),
        (DataProtection::Clear, "PROT C", "leave --clear-data out"),
    ] {
        let place = Place::new().await;
        let settings = Settings { data_protection: protection, ..place.explicit() };
        let server = async {
            let control = place.control();
            let mut visitor = place.secure(&control).await;
            visitor.answers("USER alice", "230 in").await;
            visitor.answers("PBSZ 0", "200 ok").await;
            visitor.answers(command, "534 not here").await;
            visitor.leaves().await;
        };
        let client = async {
            let error = Client::connect(Arc::new(settings)).await.err().unwrap();
            assert!(matches!(error.kind(), ErrorKind::ProtectionRefused { asked, .. } if *asked == command));
            assert!(error.to_string().contains(mend), "{error}");
        };
        join!(server, client);
    }
}

#[tokio::test]
async fn clear_data_where_it_was_asked_for() {
    let place = Place::new().await;
    let settings = Settings { data_protection: DataProtection::Clear, ..place.explicit() };
    let server = async {
        let control = place.control();
        let mut visitor = place.secure(&control).await;
        visitor.answers("USER alice", "230 in").await;
        visitor.answers("PBSZ 0", "200 ok").await;
        visitor.answers("PROT C", "200 ok").await;
        visitor.answer_setup(&[]).await;
        visitor.sends("RETR /f", b"in clear").await;
        visitor.says("226 done").await;
    };
    let client = async {
        let mut client = Client::connect(Arc::new(settings)).await.unwrap();
        assert_eq!(client.security().data_protection, Some(DataProtection::Clear));
        assert_eq!(client.retrieve(&path("/f"), 0).await.unwrap().finish().await.unwrap(), 8);
    };
    join!(server, client);
}

/// PROT P was granted, and then the server sends in clear.
#[tokio::test]
async fn a_server_that_breaks_its_word_about_protection() {
    let place = Place::new().await;
    let notes = Arc::new(Notes::default());
    let settings = Settings { dialogue: Some(Arc::clone(&notes) as _), ..place.explicit() };
    let server = async {
        // The second connection is the client's try with TLS 1.2.
        for _ in 0..2 {
            let control = place.control();
            let mut visitor = place.log_in(&control).await;
            let mut data = visitor.transfer("RETR /f").await;
            data.write_all(b"this is no TLS at all").await.unwrap();
            drain(&mut data).await;
            visitor.says("226 done").await;
            visitor.leaves().await;
        }
    };
    let client = async {
        let mut client = Client::connect(Arc::new(settings)).await.unwrap();
        let error = client.retrieve(&path("/f"), 0).await.err().unwrap();
        assert!(matches!(error.kind(), ErrorKind::DataTls(ConnectError::NotTls)), "{error}");
        assert_eq!(error.fault(), Fault::Server);
        drop(client);
    };
    join!(server, client);
    let tried = |note: &String| note.starts_with("* ") && note.contains("trying again with TLS 1.2");
    assert_eq!(notes.taken().iter().filter(|note| tried(note)).count(), 1);
}

/// A data connection that shows another certificate than its control connection is somebody else's.
#[tokio::test]
async fn a_stranger_on_the_data_connection() {
    let place = Place::new().await;
    let stranger = carrack_tls::Settings::new(identity());
    let stranger = Arc::new(ServerTls::new(stranger).unwrap());
    let server = async {
        let control = place.control();
        let mut visitor = place.log_in(&control).await;
        let listener = visitor.passive().await;
        let socket = accepted(&listener).await;
        visitor.answers("STOR /f", "150 now").await;
        let theirs = stranger.control(Ipv4Addr::LOCALHOST.into());
        assert!(theirs.accept_data(socket, Direction::FromClient).await.is_err());
        visitor.says("226 thank you").await;
        visitor.leaves().await;
    };
    let client = async {
        let mut client = Client::connect(Arc::new(place.explicit())).await.unwrap();
        let error = client.store(&path("/f"), Store::Replace).await.err().unwrap();
        let ErrorKind::DataTls(ConnectError::Untrusted(untrusted)) = error.kind() else { panic!("{error}") };
        assert!(matches!(untrusted.why, Distrust::NotOfControl | Distrust::NotPinned { .. }), "{error}");
        assert_eq!(error.retry(), Retry::Never);
        drop(client);
    };
    join!(server, client);
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_sees_no_login() {
    let mut place = Place::new().await;
    place.trust = Trust::Pinned(identity().fingerprint());
    for settings in [place.explicit(), place.implicit()] {
        let implicit = matches!(settings.security, Security::Implicit(_));
        let server = async {
            let mut socket = place.door.meet_socket().await;
            if !implicit {
                socket.write_all(b"220 hi\r\n").await.unwrap();
                let mut auth = [0; 10];
                socket.read_exact(&mut auth).await.unwrap();
                socket.write_all(b"234 go\r\n").await.unwrap();
            }
            assert!(place.control().accept(socket).await.is_err());
        };
        let client = async {
            let error = Client::connect(Arc::new(settings)).await.err().unwrap();
            assert!(matches!(error.kind(), ErrorKind::Untrusted(_)), "{error}");
        };
        join!(server, client);
    }
}

#[tokio::test]
async fn implicit_connections() {
    let place = Place::new().await;
    let server = async {
        let control = place.control();
        let (stream, _) = control.accept(place.door.meet_socket().await).await.unwrap();
        let mut visitor = Visitor::over(stream);
        visitor.says("220 hi").await;
        visitor.answers("USER alice", "230 in").await;
        // A server that protects everything anyhow need not know these.
        visitor.answers("PBSZ 0", "502 what?").await;
        visitor.answers("PROT P", "502 what?").await;
        visitor.answer_setup(&[]).await;
        let listener = visitor.passive().await;
        let socket = accepted(&listener).await;
        visitor.answers("RETR /f", "150 now").await;
        let (mut data, _) = control.accept_data(socket, Direction::ToClient).await.unwrap();
        send_all(&mut data, b"protected").await;
        end(&mut data).await;
        visitor.says("226 done").await;
        visitor.leaves().await;
        // One that is none.
        place.door.meet().await.says("220 hi").await;
    };
    let client = async {
        let mut client = Client::connect(Arc::new(place.implicit())).await.unwrap();
        assert_eq!(client.retrieve(&path("/f"), 0).await.unwrap().finish().await.unwrap(), 9);
        drop(client);
        let error = Client::connect(Arc::new(place.implicit())).await.err().unwrap();
        assert!(matches!(error.kind(), ErrorKind::Tls(ConnectError::NotTls)), "{error}");
        assert!(error.to_string().contains("ftpes://"), "{error}");
    };
    join!(server, client);
}

/// Some servers say 150 only when the data connection's handshake is done. It costs patience once.
#[tokio::test]
async fn a_server_that_begins_with_the_handshake() {
    let place = Place::new().await;
    let server = async {
        let control = place.control();
        let mut visitor = place.log_in(&control).await;
        for _ in 0..3 {
            let listener = visitor.passive().await;
            let socket = accepted(&listener).await;
            visitor.hears("RETR /f").await;
            let (mut data, _) = control.accept_data(socket, Direction::ToClient).await.unwrap();
            visitor.says("150 now").await;
            send_all(&mut data, b"late").await;
            end(&mut data).await;
            visitor.says("226 done").await;
        }
    };
    let client = async {
        let mut client = Client::connect(Arc::new(place.explicit())).await.unwrap();
        for _ in 0..3 {
            assert_eq!(client.retrieve(&path("/f"), 0).await.unwrap().finish().await.unwrap(), 4);
        }
    };
    join!(server, client);
}

/// A handshake uses up its ticket also where the server then refuses the transfer (RFC 8446 §C.4), and begins before the
/// server has spoken: once, and not for each of a series of refusals.
#[tokio::test]
async fn refusals_leave_tickets_for_the_transfers_behind_them() {
    let place = Place::new().await;
    let server = async {
        let control = place.control();
        let mut visitor = place.log_in(&control).await;
        for _ in 0..3 {
            for answer in [None, Some("550 none"), Some("550 none"), Some("450 busy"), Some("550 none"), None]
            {
                let listener = visitor.passive().await;
                let socket = accepted(&listener).await;
                let Some(refusal) = answer else {
                    visitor.answers("RETR /f", "150 now").await;
                    let (mut data, _) = control.accept_data(socket, Direction::ToClient).await.unwrap();
                    let info = data.info().unwrap();
                    assert_eq!((info.version, info.resumed), (Version::Tls13, true));
                    send_all(&mut data, b"here").await;
                    end(&mut data).await;
                    visitor.says("226 done").await;
                    continue;
                };
                visitor.answers("RETR /f", refusal).await;
            }
        }
    };
    let client = async {
        let mut client = Client::connect(Arc::new(place.explicit())).await.unwrap();
        for _ in 0..3 {
            for expected in [Some(4), None, None, None, None, Some(4)] {
                let length = match client.retrieve(&path("/f"), 0).await {
                    Ok(download) => Some(download.finish().await.unwrap()),
                    Err(_) => None,
                };
                assert_eq!(length, expected);
            }
        }
    };
    join!(server, client);
}

/// A server that wants a session to be resumed and cannot have it with TLS 1.3 gets TLS 1.2, once and for all.
#[tokio::test]
async fn a_refused_data_connection_is_tried_with_tls_1_2() {
    let place = Place::new().await;
    let server = async {
        let control = place.control();
        let mut visitor = place.log_in(&control).await;
        let listener = visitor.passive().await;
        let socket = accepted(&listener).await;
        visitor.answers("STOR /f", "150 now").await;
        visitor.says("522 session reuse required").await;
        drop(socket);
        visitor.leaves().await;
        let control = place.control();
        let mut visitor = place.log_in(&control).await;
        for _ in 0..10 {
            let listener = visitor.passive().await;
            let socket = accepted(&listener).await;
            visitor.answers("STOR /f", "150 now").await;
            let (mut data, _) = control.accept_data(socket, Direction::FromClient).await.unwrap();
            let info = data.info().unwrap();
            assert_eq!((info.version, info.resumed), (Version::Tls12, true));
            assert_eq!(receive_all(&mut data).await, (b"x".to_vec(), Received::End));
            end(&mut data).await;
            visitor.says("226 done").await;
        }
    };
    let client = async {
        let mut client = Client::connect(Arc::new(place.explicit())).await.unwrap();
        for _ in 0..10 {
            let mut upload = client.store(&path("/f"), Store::Replace).await.unwrap();
            upload.write_all(b"x").await.unwrap();
            upload.finish().await.unwrap();
        }
        assert_eq!(client.security().tls.unwrap().version, Version::Tls12);
    };
    join!(server, client);
}

#[tokio::test]
async fn stalled_handshakes_are_named() {
    let place = Place::new().await;
    let timeouts = Timeouts { handshake: SHORT, ..place.explicit().timeouts };
    let server = async {
        let mut silent = place.door.meet().await;
        silent.says("220 hi").await;
        silent.answers("AUTH TLS", "234 go").await;
        let control = place.control();
        let mut visitor = place.log_in(&control).await;
        let data = visitor.transfer("RETR /f").await;
        visitor.leaves().await;
        drop((silent, data));
    };
    let client = async {
        let settings = Arc::new(Settings { timeouts, ..place.explicit() });
        let error = Client::connect(Arc::clone(&settings)).await.err().unwrap();
        assert!(matches!(error.kind(), ErrorKind::TimedOut(Stage::Handshake)), "{error}");
        let timeouts = Timeouts { reply: SHORT, ..timeouts };
        let mut client = Client::connect(Arc::new(Settings { timeouts, ..place.explicit() })).await.unwrap();
        let error = client.retrieve(&path("/f"), 0).await.err().unwrap();
        assert!(matches!(error.kind(), ErrorKind::TimedOut(Stage::DataHandshake)), "{error}");
        drop(client);
    };
    join!(server, client);
}
