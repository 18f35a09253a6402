//! Memory that is free is given back to the system.

/// Lets glibc map blocks of at least 4 MiB separately, so that they are given back as soon
/// as they are freed. Otherwise it raises that limit to the size of the largest block that
/// was freed, up to 32 MiB, and keeps what large records took in the heap of each thread.
#[cfg(target_env = "gnu")]
#[expect(
    unsafe_code,
    reason = "the call has no safe form in the libraries at hand"
)]
pub(super) fn give_back_freed() {
    use nix::libc::{M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, c_int, mallopt};
    const MAPPED_FROM: c_int = 4 << 20;
    const KEPT_AT_MOST: c_int = 8 << 20;
    // SAFETY: the call changes two numbers of the allocator; there is no other thread yet.
    // A number that it refuses is no reason to stop.
    unsafe {
        mallopt(M_MMAP_THRESHOLD, MAPPED_FROM);
        mallopt(M_TRIM_THRESHOLD, KEPT_AT_MOST);
    }
}

/// Other C libraries give back what is freed.
#[cfg(not(target_env = "gnu"))]
pub(super) fn give_back_freed() {}
