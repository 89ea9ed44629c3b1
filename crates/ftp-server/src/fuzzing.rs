//! What can be reached only over a data connection, opened for the fuzz targets: no part of the interface.

use carrack_core::event::Incomplete;

use crate::transfer::Inflater;

/// Reads an upload in `MODE Z` that comes in pieces of this many bytes, and hands what it means to `take`.
///
/// # Errors
/// [`Incomplete::Undecodable`], and whatever `take` refuses.
pub fn mode_z(
    stream: &[u8],
    piece: usize,
    take: &mut dyn FnMut(&[u8]) -> Result<(), Incomplete>,
) -> Result<(), Incomplete> {
    let mut inflater = Inflater::new();
    for bytes in stream.chunks(piece.max(1)) {
        inflater.feed(bytes, take)?;
    }
    inflater.finish()
}
