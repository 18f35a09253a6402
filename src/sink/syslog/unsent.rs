//! The number of bytes in the send queue of a socket (`SIOCOUTQ`).

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};

#[expect(
    unsafe_code,
    reason = "the system call has no safe form in the libraries at hand"
)]
mod call {
    nix::ioctl_read_bad!(outq, nix::libc::TIOCOUTQ, nix::libc::c_int);

    pub(super) fn of(socket: i32) -> nix::Result<i32> {
        let mut bytes = 0;
        // SAFETY: the call writes one int to the address of a variable of that type, and
        // the caller keeps the socket open meanwhile.
        let done = unsafe { outq(socket, &raw mut bytes) };
        done.map(|_| bytes)
    }
}

/// Bytes that the peer's system has not acknowledged; of a unix socket, those that the
/// peer has not read.
pub(super) fn unsent(socket: BorrowedFd<'_>) -> io::Result<i32> {
    call::of(socket.as_raw_fd()).map_err(io::Error::from)
}
