//! In pages of which size does this process have its memory?

/// Memory comes in small pages from here on, before the first thread. In huge ones a session of 14 KiB may cost 2 MiB: the
/// allocator spreads over them, and what it gives back stays. Nothing here is so large that huge pages were faster.
///
/// Where the system does not know the wish, or forbids it, only memory is lost.
pub fn ask_for_small_pages() {
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}
