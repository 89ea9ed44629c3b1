//! Whatever the bytes: are they replies, and bounded ones?

use proptest::prelude::*;

use super::*;

fn read(bytes: &[u8]) -> Result<Vec<Reply>, BadReply> {
    let mut reader = ReplyReader::default();
    reader.receive(bytes)?;
    Ok(std::iter::from_fn(|| reader.next_reply()).collect())
}

fn one(bytes: &[u8]) -> Reply {
    let mut replies = read(bytes).unwrap();
    assert_eq!(replies.len(), 1, "{replies:?}");
    replies.remove(0)
}

fn lines(reply: &Reply) -> Vec<&[u8]> {
    reply.lines().collect()
}

#[test]
fn one_line() {
    let reply = one(b"230 Logged in.\r\n");
    assert_eq!(reply.code(), Code::LOGGED_IN);
    assert_eq!(lines(&reply), [b"Logged in."]);
    assert_eq!(reply.last_line(), b"Logged in.");
    assert_eq!(reply.body().count(), 0);
}

#[test]
fn a_code_alone_and_a_line_feed_alone_are_understood() {
    assert_eq!(one(b"226\r\n").last_line(), b"");
    assert_eq!(one(b"226 Done\n").last_line(), b"Done");
}

#[test]
fn several_lines_end_with_the_same_code_and_a_space() {
    let reply = one(b"211-Features:\r\n SIZE\r\n211-MDTM\r\n226 no end\r\n2110\r\n\r\n211 End\r\n");
    assert_eq!(lines(&reply), [&b"Features:"[..], b" SIZE", b"MDTM", b"226 no end", b"2110", b"", b"End"]);
    assert_eq!(reply.body().collect::<Vec<_>>(), [&b" SIZE"[..], b"MDTM", b"226 no end", b"2110", b""]);
}

#[test]
fn a_code_alone_does_not_end_several_lines() {
    assert_eq!(lines(&one(b"211-a\r\n211\r\n211 b\r\n")), [&b"a"[..], b"211", b"b"]);
}

#[test]
fn replies_come_in_order_from_one_segment() {
    let codes: Vec<u16> =
        read(b"150 a\r\n226-b\r\n226 c\r\n221 d\r\n").unwrap().iter().map(|r| r.code().number()).collect();
    assert_eq!(codes, [150, 226, 221]);
}

#[test]
fn telnet_is_decoded() {
    assert_eq!(one(b"257 \"/a\xff\xffb\"\r\n").last_line(), b"\"/a\xffb\"");
    assert_eq!(one(b"\xff\xfb\x01\xff\xf1220 \xff\xfd\x22hello\r\n").last_line(), b"hello");
}

#[test]
fn what_is_no_reply_is_named() {
    for line in [
        "HTTP/1.1 400 Bad Request",
        "SSH-2.0-OpenSSH_9.2",
        "22",
        "",
        "099 low",
        "600 high",
        "2x0 ok",
        "220ok",
    ] {
        let bad = read(format!("{line}\r\n").as_bytes()).unwrap_err();
        assert_eq!(bad, BadReply::NoCode(line.as_bytes().to_vec()), "{line}");
        assert!(bad.to_string().contains(line), "{bad}");
    }
    for record in [&b"\x16\x03\x03\x00\x7a"[..], b"\x15\x03\x01\x00\x02"] {
        assert_eq!(read(record).unwrap_err(), BadReply::Tls);
    }
}

#[test]
fn everything_is_bounded() {
    let endless_line = [&b"220 "[..], &vec![b'x'; limits::REPLY_LINE]].concat();
    assert_eq!(read(&endless_line).unwrap_err(), BadReply::LineTooLong);
    let longest_line = [&endless_line[..limits::REPLY_LINE], b"\n"].concat();
    assert_eq!(one(&longest_line).last_line().len(), limits::REPLY_LINE - 4);

    let many = |lines: usize| [&b"220-a\r\n"[..], &b"b\r\n".repeat(lines - 2), b"220 c\r\n"].concat();
    assert_eq!(lines(&one(&many(limits::REPLY_LINES))).len(), limits::REPLY_LINES);
    assert_eq!(read(&many(limits::REPLY_LINES + 1)).unwrap_err(), BadReply::TooManyLines);

    let long_lines = [&b"220-a\r\n"[..], &[&vec![b'b'; 10_000][..], b"\r\n"].concat().repeat(30)].concat();
    assert_eq!(read(&long_lines).unwrap_err(), BadReply::TooLong);
}

#[test]
fn a_million_lines_end_at_the_limit() {
    let mut reader = ReplyReader::default();
    reader.receive(b"220-welcome\r\n").unwrap();
    let taken = (0..1_000_000).take_while(|_| reader.receive(b"220-and another line\r\n").is_ok()).count();
    assert_eq!(taken, limits::REPLY_LINES - 1);
}

#[test]
fn people_see_one_harmless_line() {
    assert_eq!(one(b"550-No\x1b[2J\r\n such \r\n550 file\r\n").to_string(), "550 No\\u{1b}[2J such file");
    let long = one(&[&b"550 "[..], &vec![b'x'; 1000], b"\r\n"].concat()).to_string();
    assert_eq!(long, format!("550 {}…", "x".repeat(limits::REPLY_SHOWN)));
}

proptest! {
    #[test]
    fn any_split_gives_the_same_replies(
        texts in prop::collection::vec((100u16..600, prop::collection::vec("[ -~]{0,12}", 1..4)), 0..4),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let mut wire = Vec::new();
        for (code, text) in &texts {
            let (last, before) = text.split_last().unwrap();
            for line in before {
                wire.extend_from_slice(format!("{code}-{line}\r\n").as_bytes());
            }
            wire.extend_from_slice(format!("{code} {last}\r\n").as_bytes());
        }
        let whole = read(&wire).unwrap();
        prop_assert_eq!(whole.len(), texts.len());
        for (reply, (code, text)) in whole.iter().zip(&texts) {
            prop_assert_eq!(reply.code().number(), *code);
            prop_assert_eq!(reply.lines().collect::<Vec<_>>(), text.iter().map(|line| line.as_bytes()).collect::<Vec<_>>());
        }
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(wire.len() + 1)).collect();
        cuts.sort_unstable();
        let mut reader = ReplyReader::default();
        let mut from = 0;
        for cut in cuts.into_iter().chain([wire.len()]) {
            reader.receive(&wire[from..cut]).unwrap();
            from = cut;
        }
        prop_assert!(!reader.holds_bytes() || !whole.is_empty());
        let pieces: Vec<Reply> = std::iter::from_fn(|| reader.next_reply()).collect();
        prop_assert!(!reader.holds_bytes());
        prop_assert_eq!(whole, pieces);
    }

    #[test]
    fn any_bytes_are_survived(bytes: Vec<u8>) {
        if let Ok(replies) = read(&bytes) {
            for reply in replies {
                prop_assert!(!reply.to_string().chars().any(char::is_control));
            }
        }
    }
}
