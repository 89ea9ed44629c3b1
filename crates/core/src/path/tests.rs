//! Properties of paths that everything else leans on.

use super::*;
use proptest::prelude::*;

fn path(text: &str) -> VirtualPath {
    VirtualPath::parse(text.as_bytes()).unwrap()
}

#[test]
fn dots_are_resolved_and_never_lead_above_the_root() {
    assert_eq!(path("/a/./b//c/").as_bytes(), b"/a/b/c");
    assert_eq!(path("/a/../../../etc").as_bytes(), b"/etc");
    assert_eq!(path("/..").as_bytes(), b"/");
    assert_eq!(path("/a").join(b"../b").unwrap().as_bytes(), b"/b");
    assert_eq!(path("/a").join(b"/b").unwrap().as_bytes(), b"/b");
    assert_eq!(path("/a").join(b"...").unwrap().as_bytes(), b"/a/...");
}

#[test]
fn refusals() {
    let long_name = [b"/".as_slice(), &[b'n'; 256]].concat();
    let deep = b"/d".repeat(257);
    let long = [b"/".as_slice(), &[b'n'; 254]].concat().repeat(17);
    for (bytes, why) in [
        (b"".as_slice(), PathError::Empty),
        (b"a", PathError::Relative),
        (b"/a\0b", PathError::ForbiddenByte),
        (b"/a\rb", PathError::ForbiddenByte),
        (b"/a\nb", PathError::ForbiddenByte),
        (b"/.carrack-00", PathError::Reserved),
        (b"/.carrack-00/x", PathError::Reserved),
        (&long_name, PathError::TooLong),
        (&deep, PathError::TooDeep),
        (&long, PathError::TooLong),
    ] {
        assert_eq!(VirtualPath::parse(bytes), Err(why));
    }
    for name in [b".".as_slice(), b"..", b"a/b"] {
        assert!(Name::parse(name).is_err());
    }
}

#[test]
fn limits_themselves_are_allowed() {
    assert!(Name::parse(&[b'n'; 255]).is_ok());
    assert!(VirtualPath::parse(&b"/d".repeat(256)).is_ok());
    assert!(VirtualPath::parse(&[b"/".as_slice(), &[b'n'; 255]].concat().repeat(16)).is_ok());
}

#[test]
fn prefixes_are_whole_names() {
    assert!(path("/tmp/a").starts_with(&path("/tmp")));
    assert!(path("/tmp").starts_with(&path("/tmp")));
    assert!(!path("/tmpx").starts_with(&path("/tmp")));
    assert!(path("/tmp").starts_with(&VirtualPath::root()));
    assert!(!VirtualPath::root().starts_with(&path("/tmp")));
}

#[test]
fn logs_show_what_cannot_be_seen() {
    let name = VirtualPath::parse("/ä\x1b[31m\u{202e}\"x".as_bytes()).unwrap();
    assert_eq!(name.display().to_string(), "/ä\\u{1b}[31m\\u{202e}\"x");
    assert_eq!(VirtualPath::parse(b"/\xff\\").unwrap().display().to_string(), "/\\xff\\\\");
}

/// Bytes that look like paths often enough to get past the first check.
fn argument() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"..".to_vec()),
        Just(b".".to_vec()),
        Just(b"".to_vec()),
        Just(b".carrack-1".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..12),
        "[a-z]{1,8}".prop_map(String::into_bytes),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.join(&b'/'))
}

proptest! {
    #[test]
    fn every_path_is_normal(start in argument(), more in argument()) {
        let start = VirtualPath::root().join(&start).unwrap_or_else(|_| VirtualPath::root());
        if let Ok(path) = start.join(&more) {
            prop_assert!(path.as_bytes().starts_with(b"/"));
            prop_assert!(path.is_root() || !path.as_bytes().ends_with(b"/"));
            for name in path.components() {
                prop_assert!(Name::parse(name).is_ok());
            }
            // Parsing its own text changes nothing.
            prop_assert_eq!(VirtualPath::parse(path.as_bytes()).unwrap(), path.clone());
            prop_assert_eq!(path.join(path.as_bytes()).unwrap(), path.clone());
            prop_assert_eq!(path.join(b".").unwrap(), path.clone());
            // Up and down again.
            if let (Some(parent), Some(name)) = (path.parent(), path.name()) {
                prop_assert!(path.starts_with(&parent));
                prop_assert_eq!(parent.child(&name).unwrap(), path.clone());
                prop_assert_eq!(path.join(b"..").unwrap(), parent);
            }
            prop_assert!(!path.display().to_string().chars().any(char::is_control));
        }
    }
}
