//! 227, 229 and 257 in every spelling that was seen.

use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;

#[test]
fn passive_ports_in_every_spelling() {
    let local = Some(Ipv4Addr::LOCALHOST);
    for (text, expected) in [
        // vsftpd, ProFTPD, Pure-FTPd, pyftpdlib, aioftp, Carrack
        ("Entering Passive Mode (127,0,0,1,148,227).", Some((local, 38_115))),
        ("Entering Passive Mode (127,0,0,1,162,105).", Some((local, 41_577))),
        ("Entering Passive Mode (127,0,0,1,249,29)", Some((local, 63_773))),
        ("Entering passive mode (127,0,0,1,187,199).", Some((local, 48_071))),
        ("listen socket already exists (127,0,0,1,145,119)", Some((local, 37_239))),
        ("(127,0,0,1,154,21)", Some((local, 39_445))),
        // Without brackets, with others, with one, with spaces, with an equals sign.
        ("Entering Passive Mode. 127,0,0,1,4,51", Some((local, 1075))),
        ("Data transfer will passively listen to 127,0,0,1,4,51", Some((local, 1075))),
        ("127,0,0,1,4,51", Some((local, 1075))),
        ("=127,0,0,1,4,51", Some((local, 1075))),
        ("Entering Passive Mode [127,0,0,1,4,51]", Some((local, 1075))),
        ("Entering Passive Mode (127,0,0,1,4,51", Some((local, 1075))),
        ("Entering Passive Mode (127, 0, 0, 1, 4, 51 ) .", Some((local, 1075))),
        ("Entering Passive Mode( 127,0,0,1,4,51 ).", Some((local, 1075))),
        ("227 127,0,0,1,4,51 go on", Some((local, 1075))),
        ("127,0,0,1,4,51 2 connections", Some((local, 1075))),
        ("Mode 2, passive, socket 7 (127,0,0,1,4,51)", Some((local, 1075))),
        ("Entering Passive Mode (127,000,000,001,004,051)", Some((local, 1075))),
        // A server on IPv6 has no address to tell.
        ("Entering Passive Mode (0,0,0,0,195,80)", Some((None, 50_000))),
        // Port 0, numbers that are none, too few, too many.
        ("Entering Passive Mode (127,0,0,1,0,0)", None),
        ("Entering Passive Mode (127,0,0,256,4,51)", None),
        ("Entering Passive Mode (127,0,0,1,4,1000)", None),
        ("Entering Passive Mode (127,0,0,1,4)", None),
        ("Entering Passive Mode (1,127,0,0,1,4,51)", None),
        ("Entering Passive Mode (127,0,0,1,4,51,)", None),
        ("Entering Passive Mode (127,0,0,1,,51)", None),
        ("Entering Passive Mode (127,0,0,-1,4,51)", None),
        ("Entering Passive Mode (127,0,0,1 2,4,51)", None),
        ("Entering Passive Mode", None),
        ("", None),
    ] {
        assert_eq!(pasv_port(text.as_bytes()), expected, "{text}");
    }
}

#[test]
fn extended_passive_ports_with_any_delimiter() {
    for (text, expected) in [
        ("Entering Extended Passive Mode (|||14055|)", Some(14_055)),
        ("Extended Passive mode OK (|||64866|)", Some(64_866)),
        ("Entering extended passive mode (|||34309|).", Some(34_309)),
        ("listen socket created (|||37239|)", Some(37_239)),
        ("Entering Extended Passive Mode (!!!6446!)", Some(6446)),
        ("Entering Extended Passive Mode (@@@6446@)", Some(6446)),
        ("Entering Extended Passive Mode |||6446|", Some(6446)),
        ("...wait... (|||6446|)", Some(6446)),
        ("((((6446(", Some(6446)),
        ("(|||1|)", Some(1)),
        ("(|||65535|)", Some(65_535)),
        ("(|||0|)", None),
        ("(|||65536|)", None),
        ("(|||99999999999999999999|)", None),
        ("(|||6446!)", None),
        ("(||6446|)", None),
        ("(|||6446)", None),
        ("(||||)", None),
        ("(|||-1|)", None),
        ("(1110001231)", None),
        ("(127,0,0,1,4,51)", None),
        ("|||", None),
        ("", None),
    ] {
        assert_eq!(epsv_port(text.as_bytes()), expected, "{text}");
    }
}

#[test]
fn paths_between_quotes() {
    for (text, expected) in [
        (r#""/" is the current directory"#, Some("/")),
        (r#""/home/al ice" is your current location"#, Some("/home/al ice")),
        (r#""/qu""ote" is the current directory."#, Some(r#"/qu"ote"#)),
        (r#""/""" created"#, Some(r#"/""#)),
        (r#""""""" "#, Some(r#""""#)),
        // Pure-FTPd and aioftp double no quotes.
        (r#""/qu"ote" is your current location"#, Some(r#"/qu"ote"#)),
        (r#""/qu"ote""#, Some(r#"/qu"ote"#)),
        (r#""/a" is "home""#, Some("/a")),
        // No space or no text behind, words before.
        (r#""/a""#, Some("/a")),
        (r#""/a"."#, Some("/a")),
        (r#"Current directory is "/a"."#, Some("/a")),
        (r#""/Übung" 作成"#, Some("/Übung")),
        // CVE-2017-1000254: no closing quote; and what is no path.
        (r#""/a is the current directory"#, None),
        (r#"""#, None),
        (r#""""#, None),
        (r#""" is nothing"#, None),
        ("/a is the current directory", None),
        ("", None),
    ] {
        let path = pathname(text.as_bytes());
        assert_eq!(path.as_deref(), expected.map(str::as_bytes), "{text}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_harm(text: Vec<u8>) {
        prop_assert!(pasv_port(&text).is_none_or(|(_, port)| port != 0));
        prop_assert!(epsv_port(&text).is_none_or(|port| port != 0));
        prop_assert!(pathname(&text).is_none_or(|path| !path.is_empty()));
    }

    #[test]
    fn bytes_that_matter_are_read_without_harm(text in "[0-9,|() \"]{0,40}") {
        prop_assert!(pasv_port(text.as_bytes()).is_none_or(|(_, port)| port != 0));
        prop_assert!(epsv_port(text.as_bytes()).is_none_or(|port| port != 0));
        prop_assert!(pathname(text.as_bytes()).is_none_or(|path| !path.is_empty()));
    }

    #[test]
    fn a_port_that_was_written_is_read(address: [u8; 4], port in 1u16.., delimiter in "[!-/:-~]") {
        let [a, b, c, d] = address;
        let [high, low] = port.to_be_bytes();
        let expected = Some(Ipv4Addr::from(address)).filter(|address| !address.is_unspecified());
        let passive = format!("Entering Passive Mode ({a},{b},{c},{d},{high},{low}).");
        prop_assert_eq!(pasv_port(passive.as_bytes()), Some((expected, port)));
        let extended = format!("Entering Extended Passive Mode ({delimiter}{delimiter}{delimiter}{port}{delimiter})");
        prop_assert_eq!(epsv_port(extended.as_bytes()), Some(port));
    }

    #[test]
    fn a_path_that_was_quoted_is_read(path in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'"'), Just(b' ')], 1..40)) {
        let mut wire = Vec::new();
        // The server's side keeps control bytes from the wire, so they are none here.
        let path: Vec<u8> = path.into_iter().filter(|byte| !byte.is_ascii_control() && *byte != 0xff).collect();
        prop_assume!(!path.is_empty());
        crate::reply::Reply::pathname(&path, "is the current directory.").encode(&mut wire);
        prop_assert_eq!(pathname(&wire[4..]), Some(path));
    }
}
