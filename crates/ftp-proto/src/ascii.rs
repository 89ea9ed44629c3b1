//! How do lines travel in TYPE A? (NVT-ASCII, RFC 959 §3.1.1.1)
//!
//! Here a line ends with LF, on the wire with CR LF. Nothing else changes, so what goes out and comes back is what was:
//! a file that has CR LF already travels as CR CR LF and arrives as CR LF again.

/// Appends `local` as it stands on the wire: LF becomes CR LF. Needs no state: buffers may be cut anywhere.
pub fn to_wire(local: &[u8], wire: &mut Vec<u8>) {
    wire.reserve(local.len());
    for line in local.split_inclusive(|&byte| byte == b'\n') {
        match line {
            [text @ .., b'\n'] => {
                wire.extend_from_slice(text);
                wire.extend_from_slice(b"\r\n");
            }
            text => wire.extend_from_slice(text),
        }
    }
}

/// Wire to local: CR LF becomes LF, any other CR stays. Remembers a CR at the end of a buffer.
#[derive(Clone, Debug, Default)]
pub struct FromWire {
    /// The last byte was a CR, and whether it belongs to a line end is not known yet.
    carriage_return: bool,
}

impl FromWire {
    /// Appends what `wire` says, but for a last CR.
    pub fn convert(&mut self, wire: &[u8], local: &mut Vec<u8>) {
        local.reserve(wire.len());
        for &byte in wire {
            if self.carriage_return && byte != b'\n' {
                local.push(b'\r');
            }
            self.carriage_return = byte == b'\r';
            if !self.carriage_return {
                local.push(byte);
            }
        }
    }

    /// The wire ended: appends the CR that was kept back, if any.
    pub fn finish(self, local: &mut Vec<u8>) {
        if self.carriage_return {
            local.push(b'\r');
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Bytes that are mostly the ones that matter.
    fn text() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(
            prop_oneof![Just(b'\r'), Just(b'\n'), Just(0u8), Just(0xff), any::<u8>()],
            0..200,
        )
    }

    fn from_wire(pieces: &[&[u8]]) -> Vec<u8> {
        let mut local = Vec::new();
        let mut conversion = FromWire::default();
        for piece in pieces {
            conversion.convert(piece, &mut local);
        }
        conversion.finish(&mut local);
        local
    }

    #[test]
    fn only_line_ends_change() {
        let mut wire = Vec::new();
        to_wire(b"a\nb\rc\r\nd", &mut wire);
        assert_eq!(wire, b"a\r\nb\rc\r\r\nd");
        assert_eq!(from_wire(&[b"a\r", b"\nb\rc\r", b"\r\nd\r"]), b"a\nb\rc\r\nd\r");
    }

    proptest! {
        #[test]
        fn what_goes_out_comes_back_however_it_is_cut(text in text(), out in any::<prop::sample::Index>(), back in any::<prop::sample::Index>()) {
            let mut wire = Vec::new();
            let (first, second) = text.split_at(out.index(text.len() + 1));
            to_wire(first, &mut wire);
            to_wire(second, &mut wire);
            let (first, second) = wire.split_at(back.index(wire.len() + 1));
            prop_assert_eq!(from_wire(&[first, second]), text);
        }
    }
}
